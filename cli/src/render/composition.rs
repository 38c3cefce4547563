//! `weir.yaml`: the workloads of a mesh, what each runs, and where its policies, limits and documents are.
//!
//! What is said beside `workloads` holds for each of them that does not say it itself. Paths are relative to the file.

mod settings;

use super::form::Form;
use super::plan::{Sections, Wanted};
use super::workload::{Direction, Labels, Proxy};
use crate::compile::Module;
use crate::names;
use serde_json::{Map, Value, json};
use settings::Settings;
use std::cmp::Reverse;
use weir_config::{Cursor, Fields, read_document};
use weir_model::Problems;

/// One module for one workload.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) wanted: Wanted,
    /// Patterns of the files that it is rendered from.
    pub(crate) files: Vec<Pattern>,
    /// Where it stands in the file.
    pub(crate) path: String,
}

/// A pattern of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    /// The namespace of objects in these files that name none.
    pub(crate) namespace: Option<String>,
    /// Where it stands in the file.
    pub(crate) path: String,
}

/// Lists of patterns of files. They tell the reader what is in the files; what a file holds is seen by its content.
const FILES: [&str; 3] = ["policies", "limits", "documents"];

/// The entries of the file, in its order.
///
/// # Errors
/// All problems, each with its path.
pub(crate) fn read(tree: &Value) -> Result<Vec<Entry>, Problems> {
    read_document(tree.to_string().as_bytes(), |at| {
        let mut fields = at.object()?;
        if let Some(at) = fields.require("schema") {
            at.integer(1, 1);
        }
        let mesh = fields.take("mesh").map(|at| mesh(&at)).unwrap_or_default();
        let namespace = fields.take("namespace").and_then(|at| named(&at, names::namespace));
        let mut common = Common { settings: Settings::default(), files: files(&mut fields), namespace, mesh };
        common.settings = Settings::read(&mut fields);
        let items = fields.require("workloads").and_then(|at| at.list()).unwrap_or_default();
        let default = namespace.map(str::to_owned).or_else(|| only_namespace(&items));
        common.files.iter_mut().for_each(|pattern| pattern.namespace = default.clone());
        let mut entries = Vec::new();
        for item in items {
            entries.extend(workload(&item, &common).unwrap_or_default());
        }
        fields.finish();
        Some(entries)
    })
}

/// What is said beside `workloads`.
struct Common<'v> {
    settings: Settings,
    files: Vec<Pattern>,
    namespace: Option<&'v str>,
    mesh: Map<String, Value>,
}

/// The namespace of the workloads, if all are of one.
fn only_namespace(workloads: &[Cursor<'_>]) -> Option<String> {
    fn namespace<'v>(at: &Cursor<'v>) -> Option<&'v str> {
        let weir_config::Value::Object(fields) = at.value() else { return None };
        match fields.iter().find(|(name, _)| name == "namespace") {
            Some((_, weir_config::Value::String(text))) => Some(text),
            _ => None,
        }
    }
    let mut namespaces = workloads.iter().map(namespace);
    let first = namespaces.next()??;
    namespaces.all(|other| other == Some(first)).then(|| first.to_owned())
}

/// What a proxy does not know of its mesh.
fn mesh(at: &Cursor<'_>) -> Map<String, Value> {
    let mut mesh = Map::new();
    let Some(mut fields) = at.object() else { return mesh };
    for name in ["rootNamespace", "trustDomain"] {
        let text = fields.take(name).and_then(|at| at.text());
        mesh.extend(text.map(|text| (name.to_owned(), json!(text))));
    }
    let aliases = fields.take("trustDomainAliases").map(|at| at.strings());
    mesh.extend(aliases.map(|aliases| ("trustDomainAliases".to_owned(), json!(aliases))));
    fields.finish();
    mesh
}

fn files(fields: &mut Fields<'_>) -> Vec<Pattern> {
    let pattern = |at: Cursor<'_>| Some(Pattern { text: at.text()?.to_owned(), namespace: None, path: at.path() });
    let lists = FILES.map(|name| fields.take(name).map(|at| at.each(pattern)).unwrap_or_default());
    lists.into_iter().flatten().collect()
}

fn labels(at: &Cursor<'_>) -> Labels {
    let text = |(key, value): (&str, Cursor<'_>)| {
        let text = value.string()?;
        match names::label(key, text) {
            Ok(()) => Some((key.to_owned(), text.to_owned())),
            Err(problem) => value.problem(problem),
        }
    };
    at.map().unwrap_or_default().into_iter().filter_map(text).collect()
}

/// A text that Kubernetes takes.
fn named<'v>(at: &Cursor<'v>, check: fn(&str) -> Result<(), String>) -> Option<&'v str> {
    let text = at.text()?;
    check(text).map_or_else(|problem| at.problem(problem), |()| Some(text))
}

/// The entries of one workload, one for each of its modules.
fn workload(at: &Cursor<'_>, common: &Common<'_>) -> Option<Vec<Entry>> {
    let mut fields = at.object()?;
    let namespace = match common.namespace {
        Some(default) => fields.take("namespace").map_or(Some(default), |at| named(&at, names::namespace)),
        None => fields.require("namespace").and_then(|at| named(&at, names::namespace)),
    };
    let name = fields.require("name").and_then(|at| named(&at, names::name));
    let proxies = [Proxy::Sidecar, Proxy::Gateway, Proxy::Waypoint].map(|proxy| (proxy.word(), proxy));
    let proxy = fields.take("proxy").map_or(Some(Proxy::Sidecar), |at| at.word(&proxies));
    let all = fields.take("labels").map(|at| labels(&at));
    let selector = fields.take("selector").map(|at| labels(&at)).or_else(|| all.clone()).unwrap_or_default();
    let target = fields.take("targetRef").and_then(|at| at.text()).map(str::to_owned);
    let own = files(&mut fields).into_iter();
    let own = own.map(|pattern| Pattern { namespace: namespace.map(str::to_owned), ..pattern });
    let files: Vec<Pattern> = common.files.iter().cloned().chain(own).collect();
    let settings = Settings::read(&mut fields).or(&common.settings);
    fields.finish();
    let (namespace, name, proxy) = (namespace?, name?, proxy?);
    let Some(form) = settings.form else { return at.problem("`form` is missing, here and beside `workloads`") };
    let entry = |module: Module| {
        let sections = settings.sections_of(module);
        let directions = directions(proxy, module, &sections)?;
        let (image, module_file) = settings.place_of(module, form);
        let wanted = Wanted {
            selector: selector.clone(),
            labels: all.clone(),
            target: target.clone(),
            directions: Some(directions),
            image,
            module_file,
            pull_secret: settings.pull_secret.clone(),
            phase: settings.phase,
            priority: settings.priority,
            istio: settings.istio,
            envoy: settings.envoy,
            mode: settings.mode,
            sections,
            mesh: common.mesh.clone(),
            replaces_native: settings.replaces_native.unwrap_or(false)
                && module != Module::Policy
                && module != Module::RateLimit,
            ..Wanted::new(form, module, &format!("{namespace}/{name}"), proxy)
        };
        Some(Entry { wanted, files: files.clone(), path: at.path() })
    };
    let mut modules = settings.modules().to_vec();
    if form == Form::EnvoyGateway {
        // Its chain is in the order of the entries, where the others have a number.
        modules.sort_by_key(|module| Reverse(form.default_priority(*module)));
    }
    Some(modules.into_iter().filter_map(entry).collect())
}

/// The directions in which something of a module runs; `None` if nothing of it does.
fn directions(proxy: Proxy, module: Module, sections: &Sections) -> Option<Vec<Direction>> {
    let runs = |chosen: &Option<Vec<Module>>| {
        chosen.as_ref().is_none_or(|chosen| chosen.iter().any(|section| module == Module::Suite || *section == module))
    };
    let mut directions = Vec::new();
    if runs(&sections.inbound) {
        directions.push(if proxy == Proxy::Gateway { Direction::Outbound } else { Direction::Inbound });
    }
    if proxy == Proxy::Sidecar && runs(&sections.outbound) {
        directions.push(Direction::Outbound);
    }
    (!directions.is_empty()).then_some(directions)
}

#[cfg(test)]
mod tests;
