//! What the operator keeps in files, sorted by what it is: Weir documents, AuthorizationPolicies, an envoyproxy/ratelimit
//! configuration, and fields of a rate limit document that stand alone, such as `rate_limits` and `apply`.

use super::pods::Pods;
use super::tcp::Service;
use crate::compile::Module;
use crate::documents::{TEMPLATE, is_actions, is_document};
use crate::input::is_template;
use crate::object::{Object, take_items};
use crate::tree::{Origin, Tree};
use crate::{names, packed};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The annotations of a policy that Weir reads.
const ANNOTATIONS: [&str; 1] = ["istio.io/dry-run"];

/// The most policies that one message names.
const NAMED: usize = 5;

/// An AuthorizationPolicy without what belongs to Kubernetes alone.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Where it is from, for messages.
    pub(crate) origin: Origin,
    /// `NAMESPACE/NAME`.
    pub(crate) name: String,
    pub(crate) object: Value,
}

/// The sorted files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// Weir documents, without policies.
    pub(crate) documents: Vec<Tree>,
    /// By namespace and name.
    pub(crate) policies: Vec<Policy>,
    /// envoyproxy/ratelimit configurations.
    pub(crate) limits: Vec<Tree>,
    /// Fields of a rate limit document.
    pub(crate) actions: Vec<Tree>,
    /// Objects that make pods, such as Deployments.
    pub(crate) pods: Vec<Pods>,
    /// Services with TCP ports.
    pub(crate) services: Vec<Service>,
    /// How many Kubernetes objects are something else.
    pub(crate) others: usize,
    /// How many documents are neither Kubernetes objects nor Weir's.
    pub(crate) foreign: usize,
}

impl Sources {
    /// Sorts the trees. Objects without a namespace are in that of their tree, else in `namespace`.
    ///
    /// # Errors
    /// Everything of Weir's that cannot be used, each as a line with its place.
    pub(crate) fn of(trees: Vec<Tree>, namespace: Option<&str>) -> Result<Self, Vec<String>> {
        let mut sorter = Sorter {
            sources: Self::default(),
            namespace,
            policies: BTreeMap::new(),
            without_namespace: BTreeMap::new(),
            overlays: BTreeMap::new(),
            problems: Vec::new(),
        };
        for tree in trees {
            sorter.tree(tree);
        }
        sorter.name_policies_without_namespace();
        let Sorter { mut sources, policies, problems, .. } = sorter;
        sources.policies = policies.into_values().collect();
        if problems.is_empty() { Ok(sources) } else { Err(problems) }
    }
}

struct Sorter<'n> {
    sources: Sources,
    namespace: Option<&'n str>,
    policies: BTreeMap<(String, String), Policy>,
    /// By file, the policies that no namespace is known for.
    without_namespace: BTreeMap<String, Vec<(Origin, String)>>,
    /// By file, what would give it one.
    overlays: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Sorter<'_> {
    fn tree(&mut self, mut tree: Tree) {
        let overlay = tree.overlay.take().map(|overlay| (tree.origin.file().to_owned(), overlay));
        self.overlays.extend(overlay);
        let text = |name| tree.value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, version) = (text("kind"), text("apiVersion"));
        if tree.value.get("kind").is_some() {
            if let Some(items) = take_items(&mut tree.value) {
                for (index, item) in items.into_iter().enumerate() {
                    self.tree(tree.item(&format!("$.items[{index}]"), item));
                }
            } else if kind == "AuthorizationPolicy" && is_istios(&version) {
                self.problems.extend(tree.problems());
                self.policy(&tree.origin, tree.namespace.as_deref(), &tree.value);
            } else if Object::of(&tree.value).is_some_and(|object| object.is_templated_policy()) {
                self.problems.push(tree.origin.in_object(&tree.value, None).error("$", TEMPLATE));
            } else {
                if let Some(pods) = Pods::of(&tree, self.namespace) {
                    // Of labels that are given twice, which ones count is not known.
                    self.problems.extend(tree.problems().filter(|_| pods.is_certain));
                    self.sources.pods.push(pods);
                }
                self.sources.services.extend(Service::of(&tree, self.namespace));
                self.sources.others += 1;
            }
            return;
        }
        let has = |name| tree.value.get(name).is_some();
        let is_composition = has("schema") && tree.value.get("workloads").is_some_and(Value::is_array);
        let kept = if is_composition {
            None
        } else if is_document(&tree.value) {
            if !has("schema") {
                self.problems.push(tree.origin.error("$", "`schema` is missing: write `schema: 1`"));
            }
            return self.document(tree);
        } else if has("descriptors") {
            Some(&mut self.sources.limits)
        } else if has("rate_limits") || is_actions(&tree.value) {
            Some(&mut self.sources.actions)
        } else {
            None
        };
        match kept {
            Some(kept) => {
                self.problems.extend(tree.problems());
                kept.push(tree);
            }
            None => self.sources.foreign += 1,
        }
    }

    /// Takes the policies out of a document, so that all are treated alike.
    fn document(&mut self, mut tree: Tree) {
        self.problems.extend(tree.problems());
        let (namespace, is_suite) = (tree.namespace.clone(), tree.value.get("policy").is_some());
        let place = if is_suite { "$.policy" } else { "$" };
        let value = &mut tree.value;
        let holder = if is_suite { value.get_mut("policy") } else { Some(value) };
        if let Some(holder) = holder {
            let packed = packed::policies(holder);
            let fields = holder.as_object_mut();
            let (written, text) = fields.map_or((None, None), |fields| {
                let text = fields.remove("policiesGzip");
                // The field stays, empty: it tells which module the document is for.
                let written = fields.get_mut("policies").map(Value::take);
                if text.is_some() {
                    fields.insert("policies".to_owned(), Value::Null);
                }
                (written, text)
            });
            let written = written.map(Ok);
            let packed = packed.or(text.map(|_| Err("expected a text".to_owned())));
            for (name, policies) in [("policies", written), ("policiesGzip", packed)] {
                let origin = tree.origin.inside(&format!("{place}.{name}"));
                match policies {
                    Some(Ok(Value::Array(items))) => self.pasted(&origin, namespace.as_deref(), items),
                    Some(Ok(Value::Null)) | None => {}
                    Some(Ok(_)) => self.problems.push(origin.error("$", "expected a list")),
                    Some(Err(problem)) => self.problems.push(origin.error("$", problem)),
                }
            }
        }
        self.sources.documents.push(tree);
    }

    /// Items of a document's `policies`, which can be nothing but policies and lists of them.
    fn pasted(&mut self, origin: &Origin, namespace: Option<&str>, items: Vec<Value>) {
        for (index, mut item) in items.into_iter().enumerate() {
            let origin = origin.inside(&format!("[{index}]"));
            let is_list = item.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
            match item.get_mut("items").filter(|_| is_list).map(Value::take) {
                Some(Value::Array(items)) => self.pasted(&origin.inside("$.items"), namespace, items),
                _ => self.policy(&origin, namespace, &item),
            }
        }
    }

    fn policy(&mut self, origin: &Origin, namespace: Option<&str>, object: &Value) {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let given = text("/metadata/namespace").or_else(|| namespace.or(self.namespace).map(str::to_owned));
        let origin = origin.in_object(object, given.as_deref());
        if is_template(&object.to_string()) {
            return self.problems.push(origin.error("$", TEMPLATE));
        }
        let Some(name) = text("/metadata/name") else {
            return self.problems.push(origin.error("$.metadata", "`name` is missing"));
        };
        let Some(namespace) = given else {
            let found = self.without_namespace.entry(origin.file().to_owned()).or_default();
            return found.push((origin, name));
        };
        for (field, checked) in [("namespace", names::namespace(&namespace)), ("name", names::name(&name))] {
            if let Err(problem) = checked {
                return self.problems.push(origin.error(&format!("$.metadata.{field}"), &problem));
            }
        }
        let object = bare(object, &namespace, &name);
        let policy = Policy { origin, name: format!("{namespace}/{name}"), object };
        if let Some(before) = self.policies.get(&(namespace.clone(), name.clone())) {
            let message = format!("it is given twice, first at {}: a cluster has one of them", before.origin.place());
            self.problems.push(policy.origin.error("$", message));
        }
        self.policies.insert((namespace, name), policy);
    }

    /// Says once for each file which of its policies have no namespace.
    fn name_policies_without_namespace(&mut self) {
        for found in std::mem::take(&mut self.without_namespace).into_values() {
            let Some(((origin, _), more)) = found.split_first() else { continue };
            let names: Vec<String> = more.iter().take(NAMED).map(|(_, name)| format!("`{name}`")).collect();
            let more = match (more.len(), names.join(", ")) {
                (0, _) => String::new(),
                (count, names) if count > NAMED => format!("; so it is of {names} and {} more", count - NAMED),
                (_, names) => format!("; so it is of {names}"),
            };
            let hint = match self.overlays.get(origin.file()) {
                Some(overlay) => overlay.as_str(),
                None => "write it, or give --namespace (in `weir.yaml` and Kustomization files: `namespace`)",
            };
            self.problems.push(origin.error("$.metadata", format!("`namespace` is missing: {hint}{more}")));
        }
    }
}

/// Other projects have an AuthorizationPolicy too, Linkerd for one.
fn is_istios(version: &str) -> bool {
    version.is_empty() || version.starts_with("security.istio.io/")
}

/// A policy with nothing in it that differs between a file and the cluster.
fn bare(object: &Value, namespace: &str, name: &str) -> Value {
    let mut metadata = json!({"name": name, "namespace": namespace});
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    let kept: Map<String, Value> = annotations
        .into_iter()
        .flatten()
        .filter(|(key, _)| ANNOTATIONS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let (Some(fields), false) = (metadata.as_object_mut(), kept.is_empty()) {
        fields.insert("annotations".to_owned(), Value::Object(kept));
    }
    let mut bare = json!({"kind": "AuthorizationPolicy", "metadata": metadata});
    if let Some(fields) = bare.as_object_mut() {
        for (key, value) in object.as_object().into_iter().flatten() {
            // A misspelt field stays, so that the filter's own reader names it.
            if !["kind", "metadata", "status"].contains(&key.as_str()) {
                fields.insert(key.clone(), value.clone());
            }
        }
    }
    bare
}

/// Which module a document is for, where its fields tell: of one that has none but the common ones, the one that is asked for.
pub(crate) fn module_of(document: &Value, asked: Module) -> Module {
    let has_sections = ["policy", "rateLimit", "telemetry"].iter().any(|name| document.get(name).is_some());
    match Module::of(document) {
        Module::Suite if !has_sections => asked,
        module => module,
    }
}

#[cfg(test)]
mod tests;
