//! What `weir run` runs: the bootstrap that comes with Weir or the operator's, with the configuration in its files.

use super::accept;
use crate::bootstrap::Bootstrap;
use crate::chosen::Chosen;
use crate::compile::Module;
use crate::documents::is_document;
use crate::field::field;
use crate::render::{Form, Plan, Proxy, Rendered, Sources, Wanted, manifests};
use crate::tree::{Files, Tree};
use crate::{Failure, Run, input, validate};
use serde_json::{Value, json};

const BOOTSTRAP: &str = include_str!("../../../envoy-configs/envoy.yaml");

/// The module that runs what files hold. No such file is there, so it is the one inside this binary.
const MODULE: &str = "/weir/suite.wasm";

/// The bootstrap that the options ask for, as the files are now. What is doubtful in it goes to standard error.
///
/// # Errors
/// What `weir validate` refuses, in the same words.
pub(super) fn read(options: &Run) -> Result<Bootstrap, Failure> {
    let Read { name, mut bootstrap, document, is_checked } = match (options.paths.as_slice(), &options.bootstrap) {
        ([], None) => Read::built_in(None)?,
        ([], Some(path)) => {
            let name = path.display().to_string();
            let bootstrap = parse(&name, &input::read_text(path)?)?;
            Read { name, bootstrap, document: None, is_checked: false }
        }
        (paths, None) => {
            let files = Files::read(paths)?;
            files.notes.iter().for_each(|line| note!("{line}"));
            of_trees(options, files.trees)?
        }
        (_, Some(_)) => {
            return Err(Failure::Use("--bootstrap takes its document with --config, not as a PATH".to_owned()));
        }
    };
    let document = match &options.config {
        Some(path) => Some(Tree::one(&path.display().to_string(), input::read_text(path)?)?),
        None => document,
    };
    if let Some(Tree { value, origin, .. }) = &document
        && bootstrap.set_configuration(value) == 0
    {
        return Err(Failure::No(format!("`{name}` has no plugin of Weir that could take `{}`", origin.file())));
    }
    // What is doubtful in what was rendered has been said of the operator's own files.
    let show = |line: &str| {
        if !is_checked {
            note!("{line}")
        }
    };
    accept(&bootstrap, &name, document.as_ref().map(|document| &document.origin), show)?;
    Ok(bootstrap)
}

fn parse(name: &str, text: &str) -> Result<Bootstrap, Failure> {
    Bootstrap::parse(text).map_err(|error| unusable(name, &error))
}

fn unusable(name: &str, error: &str) -> Failure {
    Failure::No(format!("`{name}` is not a usable bootstrap: {error}"))
}

/// What the files hold.
struct Read {
    /// For messages.
    name: String,
    bootstrap: Bootstrap,
    /// The document that is to replace its own, with its file.
    document: Option<Tree>,
    /// Whether it was rendered, and so checked.
    is_checked: bool,
}

impl Read {
    /// The bootstrap that comes with Weir.
    fn built_in(document: Option<Tree>) -> Result<Self, Failure> {
        let name = "the built-in bootstrap";
        Ok(Self { name: name.to_owned(), bootstrap: parse(name, BOOTSTRAP)?, document, is_checked: false })
    }
}

/// What files hold: a bootstrap, one document for any workload, or what is to be composed for one.
fn of_trees(options: &Run, trees: Vec<Tree>) -> Result<Read, Failure> {
    let is_bootstrap = |tree: &Value| field(tree, "static_resources").is_some();
    if trees.iter().any(|tree| is_bootstrap(&tree.value)) {
        return match trees.as_slice() {
            [Tree { value, origin, .. }] => {
                let bootstrap = Bootstrap::of(value.clone()).map_err(|error| unusable(origin.file(), &error))?;
                Ok(Read { name: origin.file().to_owned(), bootstrap, document: None, is_checked: false })
            }
            _ => Err(Failure::Use("a bootstrap stands alone: leave the other files out".to_owned())),
        };
    }
    if let ([tree], None) = (trees.as_slice(), &options.workload)
        && is_document(&tree.value)
    {
        return Read::built_in(trees.into_iter().next());
    }
    composed(options, trees)
}

/// A bootstrap for one workload, with its policies, its limits and metrics.
fn composed(options: &Run, mut trees: Vec<Tree>) -> Result<Read, Failure> {
    let chosen = Chosen {
        workload: options.workload.as_deref(),
        labels: &options.labels,
        namespace: options.namespace.as_deref(),
    };
    let (id, labels) = chosen.workload(&trees)?;
    let namespace = id.split_once('/').map(|(namespace, _)| namespace.to_owned());
    let errors =
        validate::errors_of(&input::read_all(&options.paths)?, options.namespace.as_deref().or(namespace.as_deref()));
    if !errors.is_empty() {
        return Err(Failure::No(format!("the files are refused:\n{}", errors.join("\n"))));
    }
    if options.exit && options.requests.is_none() {
        return Err(Failure::Use("--exit with a PATH needs --requests: nothing would be sent".to_owned()));
    }
    let has = |name: &str| trees.iter().any(|tree| is_document(&tree.value) && tree.value.get(name).is_some());
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
    trees.push(Tree::named("weir", more));
    let refused = |problems: Vec<String>| Failure::No(problems.join("\n"));
    let sources = Sources::of(trees, options.namespace.as_deref().or(namespace.as_deref())).map_err(refused)?;
    if sources.policies.is_empty() {
        note!("weir: no AuthorizationPolicy is in the files: every request is allowed");
    }
    let proxy = options.proxy.unwrap_or(Proxy::Sidecar);
    let wanted = Wanted {
        selector: labels.clone(),
        labels: Some(labels),
        module_file: Some(MODULE.to_owned()),
        allows_no_policies: options.allow_no_policies,
        ..Wanted::new(Form::Envoy, Module::Suite, &id, proxy)
    };
    let plan = Plan::of(&wanted).map_err(refused)?;
    let Rendered { trees, notes, warnings, .. } = manifests(&plan, &sources).map_err(refused)?;
    warnings.iter().for_each(|line| note!("{line}"));
    // The other notes are about what is to be applied to a cluster.
    for note in notes.iter().filter(|note| note.contains("AuthorizationPolicies") || note.contains("left out")) {
        note!("weir: {note}");
    }
    let tree = trees.into_iter().next().unwrap_or_default();
    let name = format!("the configuration of {id}");
    let bootstrap = Bootstrap::of(tree).map_err(|error| unusable(&name, &error))?;
    Ok(Read { name, bootstrap, document: None, is_checked: true })
}
