//! The policies that decide about a workload's requests, from the operator's files.

use super::options::Whose;
use super::request::{Protocol, Request};
use crate::chosen::Chosen;
use crate::compile::Module;
use crate::diagnostic::Diagnostic;
use crate::documents::{Contents, is_document};
use crate::input::{self, Source};
use crate::render::{Deciding, Form, Plan, Proxy, Sources, Wanted, deciding};
use crate::tree::{Files, Tree};
use crate::{Failure, validate};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::rc::Rc;
use weir_config::Mode;
use weir_model::{EnvoyVersion, Node, Problem, Problems};
use weir_policy::Explainer;

/// Fields of a document that stand for all sections.
const WHOLE: [&str; 5] = ["schema", "name", "mode", "listener", "accessLogState"];

/// A module that no file has: nothing is rendered.
const MODULE: &str = "/weir/suite.wasm";

/// The policies, compiled.
pub(crate) struct Policies {
    pub(crate) requests: Explainer,
    /// What decides about connections, once one is asked about.
    connections: Option<Explainer>,
    document: String,
    node: Node,
    pub(crate) mode: Mode,
    /// Label `weir_plugin`.
    pub(super) name: String,
    /// For whom, such as `shop/cart`.
    pub(crate) of: String,
    pub(crate) is_sidecar: bool,
}

impl Policies {
    /// What decides about requests, or connections, of that protocol.
    ///
    /// # Errors
    /// What is wrong with the document, which was taken before.
    pub(super) fn explainer(&mut self, protocol: Protocol) -> Result<&mut Explainer, Failure> {
        let protocol = protocol.decided_as();
        if protocol == weir_policy::Protocol::Http {
            return Ok(&mut self.requests);
        }
        if self.connections.is_none() {
            let compiled = Explainer::compile_for(protocol, self.document.as_bytes(), &self.node);
            self.connections = Some(compiled.map_err(|problems| refused(&[problems.to_string()]))?);
        }
        Ok(self.connections.as_mut().unwrap_or(&mut self.requests))
    }

    /// The policies as they decide about what speaks that protocol.
    ///
    /// # Errors
    /// What is wrong with the document, which was taken before.
    pub(crate) fn into_explainer(self, protocol: weir_policy::Protocol) -> Result<Explainer, Failure> {
        match protocol {
            weir_policy::Protocol::Http => Ok(self.requests),
            weir_policy::Protocol::Tcp => Explainer::compile_for(protocol, self.document.as_bytes(), &self.node)
                .map_err(|problems| refused(&[problems.to_string()])),
        }
    }

    /// Says that a record is of requests that go out, where policies do nothing.
    pub(super) fn warn_of(&self, request: &Request) {
        if request.is_outbound && self.is_sidecar {
            note!(
                "weir: the line is of an outbound listener: policies are for what comes in, so take the line of the server's proxy"
            );
        }
    }
}

/// Reads the policies of a workload from files.
///
/// # Errors
/// What is wrong with the files, each thing with its place.
pub(crate) fn read(paths: &[PathBuf], options: &Whose) -> Result<Policies, Failure> {
    read_sources(input::read_all(paths)?, options)
}

/// The same of files that are read already.
///
/// # Errors
/// What is wrong with the files, each thing with its place.
pub(crate) fn read_sources(sources: Vec<Source>, options: &Whose) -> Result<Policies, Failure> {
    // They are read once more to be validated: standard input cannot be.
    let again: Vec<Source> = sources.iter().map(|source| Source::new(&source.name, source.text.clone())).collect();
    let files = Files::of(sources.into_iter().map(Rc::new).collect())?;
    files.notes.iter().for_each(|line| note!("{line}"));
    let trees = files.trees;
    match trees.as_slice() {
        [tree] if options.workload.is_none() && is_document(&tree.value) => {
            let problems: Vec<String> = tree.problems().collect();
            if !problems.is_empty() {
                return Err(refused(&problems));
            }
            let of = tree.origin.file().to_owned();
            compile(&tree.value, &node(None), of, |path, diagnostic| {
                Some(tree.origin.line(Diagnostic { path, ..diagnostic }))
            })
        }
        _ if options.workload.is_none() && has_plugins(&trees) => of_plugin(&trees),
        _ => composed(options, trees, &again),
    }
}

fn refused(lines: &[String]) -> Failure {
    Failure::No(format!("the files are refused:\n{}", lines.join("\n")))
}

/// The node that the files' own node is, on a current Envoy.
fn node(own: Option<&Node>) -> Node {
    let envoy = Some(EnvoyVersion { major: 1, minor: 40, patch: 0, is_release: true });
    let own = own.cloned().unwrap_or_default();
    Node { envoy: own.envoy.or(envoy), ..own }
}

/// Whether one of the trees configures Envoy, and none is a policy.
fn has_plugins(trees: &[Tree]) -> bool {
    let is_policy = |tree: &Tree| tree.value.get("kind").and_then(Value::as_str) == Some("AuthorizationPolicy");
    !trees.iter().any(|tree| is_policy(tree) || is_document(&tree.value))
        && trees.iter().any(|tree| Contents::of(&tree.value).found.iter().any(|found| found.plugin.is_some()))
}

/// The one document that plugins of a bootstrap, or of manifests, have for requests that come in.
fn of_plugin(trees: &[Tree]) -> Result<Policies, Failure> {
    let mut documents: Vec<(&Tree, String, Value, Option<Node>)> = Vec::new();
    for tree in trees {
        for found in Contents::of(&tree.value).found {
            let section = section(&found.document);
            let decides = section
                .is_some_and(|section| ["policies", "policiesGzip"].iter().any(|name| section.get(name).is_some()));
            if decides && !documents.iter().any(|(_, _, known, _)| *known == found.document) {
                documents.push((tree, found.path, found.document, found.node));
            }
        }
    }
    match documents.as_slice() {
        [(tree, root, document, node)] => {
            let of = tree.origin.file().to_owned();
            compile(document, &self::node(node.as_ref()), of, |path, diagnostic| {
                let path = format!("{root}{}", path.strip_prefix('$').unwrap_or(&path));
                Some(tree.origin.line(Diagnostic { path, ..diagnostic }))
            })
        }
        [] => Err(Failure::No("no plugin in the files has policies".to_owned())),
        several => {
            let places: Vec<String> =
                several.iter().map(|(tree, root, ..)| format!("{}: {root}", tree.origin.file())).collect();
            Err(Failure::Use(format!("several plugins have policies: give the document of one\n{}", places.join("\n"))))
        }
    }
}

/// The policies of one workload, out of those of many.
fn composed(options: &Whose, mut trees: Vec<Tree>, sources: &[Source]) -> Result<Policies, Failure> {
    let chosen = Chosen {
        workload: options.workload.as_deref(),
        labels: &options.labels,
        namespace: options.namespace.as_deref(),
    };
    let (id, labels) = chosen.workload(&trees)?;
    let own = id.split_once('/').map(|(namespace, _)| namespace);
    let namespace = options.namespace.as_deref().or(own);
    let errors = validate::errors_of(sources, namespace);
    if !errors.is_empty() {
        return Err(refused(&errors));
    }
    let has_telemetry = trees.iter().any(|tree| is_document(&tree.value) && tree.value.get("telemetry").is_some());
    // A workload without policies has a document all the same.
    let more = if has_telemetry { json!({"schema": 1}) } else { json!({"schema": 1, "telemetry": {}}) };
    trees.push(Tree::named("weir", more));
    let sources = Sources::of(trees, namespace).map_err(|lines| refused(&lines))?;
    if sources.policies.is_empty() {
        note!("weir: no AuthorizationPolicy is in the files: every request is allowed");
    }
    let proxy = options.proxy.unwrap_or(Proxy::Sidecar);
    // A waypoint is the Gateway of its name, which only Istio's forms take.
    let is_waypoint = proxy == Proxy::Waypoint;
    let target = is_waypoint.then(|| format!("Gateway/{}", id.rsplit('/').next().unwrap_or_default()));
    let wanted = Wanted {
        selector: if is_waypoint { Default::default() } else { labels.clone() },
        labels: (!is_waypoint || !options.labels.is_empty()).then_some(labels),
        module_file: Some(MODULE.to_owned()),
        target,
        allows_no_policies: options.allow_no_policies,
        ..Wanted::new(if is_waypoint { Form::EnvoyFilter } else { Form::Envoy }, Module::Suite, &id, proxy)
    };
    let plan = Plan::of(&wanted).map_err(|lines| Failure::Use(lines.join("\n")))?;
    let Deciding { document, places, notes, warnings } = deciding(&plan, &sources).map_err(|lines| refused(&lines))?;
    warnings.iter().for_each(|line| note!("{line}"));
    for note in notes.iter().filter(|note| note.contains("AuthorizationPolicies") || note.contains("left out")) {
        note!("weir: {note}");
    }
    let mut policies =
        compile(&document, &node(None), id, |path, diagnostic| places.line(Module::Suite, &path, &diagnostic))?;
    policies.is_sidecar = proxy == Proxy::Sidecar;
    Ok(policies)
}

/// The part of a document that has policies.
fn section(document: &Value) -> Option<&Value> {
    match Module::of(document) {
        Module::Policy => Some(document),
        Module::Suite => document.get("policy"),
        Module::RateLimit | Module::Telemetry => None,
    }
}

/// Compiles the policies of a document. `line` is for what is said of a path in it.
fn compile(
    document: &Value,
    node: &Node,
    of: String,
    line: impl Fn(String, Diagnostic) -> Option<String>,
) -> Result<Policies, Failure> {
    let inner = section(document);
    let is_whole = inner.is_some_and(|inner| std::ptr::eq(inner, document));
    let mut fields = inner
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_else(|| Map::from_iter([("policies".to_owned(), json!([]))]));
    for name in WHOLE {
        if let Some(value) = document.get(name) {
            fields.entry(name).or_insert_with(|| value.clone());
        }
    }
    let place = |path: &str| {
        let rest = path.strip_prefix('$').unwrap_or(path);
        let first = rest.trim_start_matches('.').split(['.', '[']).next().unwrap_or_default();
        let is_of_section = inner.is_some_and(|inner| inner.get(first).is_some());
        if is_whole || !is_of_section { path.to_owned() } else { format!("$.policy{rest}") }
    };
    let shown = |Problem { path, message }: &Problem| {
        let diagnostic = Diagnostic::error(path.as_str(), message.as_str());
        line(place(path), diagnostic.clone()).unwrap_or_else(|| format!("{path}: {message}"))
    };
    let document = Value::Object(fields).to_string();
    let mut requests = Explainer::compile(document.as_bytes(), node)
        .map_err(|Problems(problems)| refused(&problems.iter().map(shown).collect::<Vec<_>>()))?;
    let (mode, name) = (requests.mode(), requests.name().to_owned());
    let node = node.clone();
    Ok(Policies { requests, connections: None, document, node, mode, name, of, is_sidecar: false })
}
