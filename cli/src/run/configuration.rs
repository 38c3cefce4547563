//! What `weir run` runs: the bootstrap that comes with Weir or the operator's, with the configuration in its files.

use super::accept;
use crate::bootstrap::Bootstrap;
use crate::compile::Module;
use crate::field::field;
use crate::render::{Form, Labels, Plan, Proxy, Rendered, Sources, Wanted, labels, manifests};
use crate::{Failure, Run, input, validate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const BOOTSTRAP: &str = include_str!("../../../envoy-configs/envoy.yaml");

/// The module that runs what files hold. No such file is there, so it is the one inside this binary.
const MODULE: &str = "/weir/suite.wasm";

/// A tree and the file that it is in.
type Tree = (String, Value);

/// The bootstrap that the options ask for, as the files are now. What is doubtful in it goes to standard error.
///
/// # Errors
/// What `weir validate` refuses, in the same words.
pub(super) fn read(options: &Run) -> Result<Bootstrap, Failure> {
    let (name, mut bootstrap, document) = match (options.paths.as_slice(), &options.bootstrap) {
        ([], None) => ("the built-in bootstrap".to_owned(), parse("the built-in bootstrap", BOOTSTRAP)?, None),
        ([], Some(path)) => {
            let name = path.display().to_string();
            let bootstrap = parse(&name, &input::read_text(path)?)?;
            (name, bootstrap, None)
        }
        (paths, None) => of_trees(options, input::trees(paths)?)?,
        (_, Some(_)) => {
            return Err(Failure::Use("--bootstrap takes its document with --config, not as a PATH".to_owned()));
        }
    };
    let document = match &options.config {
        Some(path) => Some((path.display().to_string(), validate::read(path)?)),
        None => document,
    };
    if let Some((file, document)) = &document
        && bootstrap.set_configuration(document) == 0
    {
        return Err(Failure::No(format!("`{name}` has no plugin of Weir that could take `{file}`")));
    }
    accept(&bootstrap, &name, document.as_ref().map(|(file, _)| file.as_str()))?;
    Ok(bootstrap)
}

fn parse(name: &str, text: &str) -> Result<Bootstrap, Failure> {
    Bootstrap::parse(text).map_err(|error| unusable(name, &error))
}

fn unusable(name: &str, error: &str) -> Failure {
    Failure::No(format!("`{name}` is not a usable bootstrap: {error}"))
}

/// A name for messages, a bootstrap, and the document that is to replace its own, with its file.
type Read = (String, Bootstrap, Option<Tree>);

/// What files hold: a bootstrap, one document for any workload, or what is to be composed for one.
fn of_trees(options: &Run, trees: Vec<Tree>) -> Result<Read, Failure> {
    let is_bootstrap = |tree: &Value| field(tree, "static_resources").is_some();
    if trees.iter().any(|(_, tree)| is_bootstrap(tree)) {
        return match trees.as_slice() {
            [(name, tree)] => {
                let bootstrap = Bootstrap::of(tree.clone()).map_err(|error| unusable(name, &error))?;
                Ok((name.clone(), bootstrap, None))
            }
            _ => Err(Failure::Use("a bootstrap stands alone: leave the other files out".to_owned())),
        };
    }
    if let ([(_, tree)], None) = (trees.as_slice(), &options.workload)
        && tree.get("schema").is_some()
    {
        let name = "the built-in bootstrap";
        return Ok((name.to_owned(), parse(name, BOOTSTRAP)?, trees.into_iter().next()));
    }
    composed(options, trees)
}

/// A bootstrap for one workload, with its policies, its limits and metrics.
fn composed(options: &Run, mut trees: Vec<Tree>) -> Result<Read, Failure> {
    let (id, labels) = workload(options, &trees)?;
    let namespace = id.split_once('/').map(|(namespace, _)| namespace.to_owned());
    let errors = validate::errors(&options.paths, options.namespace.as_deref().or(namespace.as_deref()))?;
    if !errors.is_empty() {
        return Err(Failure::No(format!("the files are refused:\n{}", errors.join("\n"))));
    }
    if options.exit && options.requests.is_none() {
        return Err(Failure::Use("--exit with a PATH needs --requests: nothing would be sent".to_owned()));
    }
    let has = |name: &str| trees.iter().any(|(_, tree)| tree.get(name).is_some());
    let mut more = json!({"schema": 1});
    if let Some(fields) = more.as_object_mut() {
        if !has("telemetry") {
            fields.insert("telemetry".to_owned(), json!({}));
        }
        // Each line says what decided.
        if !has("accessLogState") {
            fields.insert("accessLogState".to_owned(), json!("always"));
        }
    }
    trees.push(("weir".to_owned(), more));
    let refused = |problems: Vec<String>| Failure::No(problems.join("\n"));
    let sources = Sources::of(trees, options.namespace.as_deref().or(namespace.as_deref())).map_err(refused)?;
    if sources.policies.is_empty() {
        eprintln!("weir: no AuthorizationPolicy is in the files: every request is allowed");
    }
    let proxy = options.proxy.unwrap_or(Proxy::Sidecar);
    let wanted = Wanted {
        selector: labels.clone(),
        labels: Some(labels),
        module_file: Some(MODULE.to_owned()),
        ..Wanted::new(Form::Envoy, Module::Suite, &id, proxy)
    };
    let plan = Plan::of(&wanted).map_err(refused)?;
    let Rendered { trees, notes } = manifests(&plan, &sources).map_err(refused)?;
    // The other notes are about what is to be applied to a cluster.
    for note in notes.iter().filter(|note| note.contains("AuthorizationPolicies") || note.contains("left out")) {
        eprintln!("weir: {note}");
    }
    let tree = trees.into_iter().next().unwrap_or_default();
    let name = format!("the configuration of {id}");
    let bootstrap = Bootstrap::of(tree).map_err(|error| unusable(&name, &error))?;
    Ok((name, bootstrap, None))
}

/// Namespace and name of the workload, and the labels of its pods.
fn workload(options: &Run, trees: &[Tree]) -> Result<(String, Labels), Failure> {
    let objects = objects(trees);
    let Some(id) = options.workload.clone() else {
        return only_workload(&objects, options.namespace.as_deref().unwrap_or("default"));
    };
    let Some((namespace, name)) = id.split_once('/') else {
        return Err(Failure::Use(format!("--workload {id}: write NAMESPACE/NAME")));
    };
    let given = labels(&options.labels).map_err(|problem| Failure::Use(format!("--labels: {problem}")))?;
    let own = match given.is_empty() {
        false => given,
        true => pod_labels(&objects, namespace, name).unwrap_or_else(|| [("app".to_owned(), name.to_owned())].into()),
    };
    let shown: Vec<String> = own.iter().map(|(key, value)| format!("{key}={value}")).collect();
    eprintln!("weir: {id} with the labels {}", shown.join(", "));
    Ok((id, own))
}

/// Every object, those of lists included.
fn objects(trees: &[Tree]) -> Vec<&Value> {
    let mut found = Vec::new();
    let mut waiting: Vec<&Value> = trees.iter().map(|(_, tree)| tree).collect();
    while let Some(tree) = waiting.pop() {
        match tree.get("items").and_then(Value::as_array) {
            Some(items) => waiting.extend(items),
            None => found.push(tree),
        }
    }
    found
}

fn text<'v>(object: &'v Value, pointer: &str) -> Option<&'v str> {
    object.pointer(pointer)?.as_str()
}

/// The labels in the pod template of an object such as a Deployment.
fn pod_labels(objects: &[&Value], namespace: &str, name: &str) -> Option<Labels> {
    let is_it = |object: &&&Value| {
        let own = text(object, "/metadata/namespace").unwrap_or(namespace);
        own == namespace && text(object, "/metadata/name") == Some(name)
    };
    objects.iter().filter(is_it).find_map(|object| read_labels(object.pointer("/spec/template/metadata/labels")?))
}

fn read_labels(value: &Value) -> Option<Labels> {
    let fields = value.as_object()?.iter();
    Some(fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect())
}

/// The only workload that policies are for.
fn only_workload(objects: &[&Value], default: &str) -> Result<(String, Labels), Failure> {
    let policies = objects.iter().filter(|object| text(object, "/kind") == Some("AuthorizationPolicy"));
    let policies_without_namespace = policies.clone().any(|policy| text(policy, "/metadata/namespace").is_none());
    let mut found: BTreeSet<(String, Labels)> = BTreeSet::new();
    for policy in policies {
        let selector = policy.pointer("/spec/selector/matchLabels").and_then(read_labels).unwrap_or_default();
        found.insert((text(policy, "/metadata/namespace").unwrap_or(default).to_owned(), selector));
    }
    if policies_without_namespace && found.iter().any(|(namespace, _)| namespace == "default") {
        eprintln!("weir: objects without a namespace are taken as of `default`: give another with --namespace");
    }
    let namespaces: BTreeSet<&String> = found.iter().map(|(namespace, _)| namespace).collect();
    let selected: Vec<&Labels> = found.iter().map(|(_, labels)| labels).filter(|labels| !labels.is_empty()).collect();
    let (labels, namespace) = match (selected.as_slice(), namespaces.first()) {
        ([], namespace) => (BTreeMap::new(), namespace),
        ([labels], namespace) => ((*labels).clone(), namespace),
        _ => (BTreeMap::new(), None),
    };
    let name = labels.values().next().cloned().unwrap_or_else(|| "workload".to_owned());
    match namespace {
        Some(namespace) if namespaces.len() == 1 => Ok((format!("{namespace}/{name}"), labels)),
        None if found.is_empty() => Ok((format!("{default}/{name}"), labels)),
        _ => {
            let shown = |(namespace, labels): &(String, Labels)| {
                let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!(
                    "  {namespace}: {}",
                    if labels.is_empty() { "every workload".to_owned() } else { labels.join(", ") }
                )
            };
            let list: Vec<String> = found.iter().map(shown).collect();
            Err(Failure::Use(format!(
                "the policies are for several workloads: choose one with --workload NAMESPACE/NAME\n{}",
                list.join("\n")
            )))
        }
    }
}
