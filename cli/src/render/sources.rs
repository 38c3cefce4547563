//! What the operator keeps in files, sorted by what it is: Weir documents, AuthorizationPolicies, an envoyproxy/ratelimit
//! configuration, and fields of a rate limit document that stand alone, such as `rate_limits` and `apply`.

use crate::compile::Module;
use crate::packed;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The annotations of a policy that Weir reads.
const ANNOTATIONS: [&str; 1] = ["istio.io/dry-run"];

/// Fields of a rate limit document that can stand alone in a file.
const LIMITING: [&str; 2] = ["rate_limits", "apply"];

/// An AuthorizationPolicy without what belongs to Kubernetes alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policy {
    /// Where it is from, for messages.
    pub(crate) file: String,
    /// `NAMESPACE/NAME`.
    pub(crate) name: String,
    pub(crate) object: Value,
}

/// A tree and the file that it is in.
pub(crate) type Tree = (String, Value);

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
    /// How many Kubernetes objects are something else.
    pub(crate) others: usize,
}

impl Sources {
    /// Sorts the trees. Policies without a namespace are in `namespace`.
    ///
    /// # Errors
    /// Every tree that is nothing of that, with its file.
    pub(crate) fn of(trees: Vec<Tree>, namespace: Option<&str>) -> Result<Self, Vec<String>> {
        let mut sorter =
            Sorter { sources: Self::default(), namespace, policies: BTreeMap::new(), problems: Vec::new() };
        for (file, tree) in trees {
            sorter.tree(&file, tree);
        }
        let Sorter { mut sources, policies, problems, .. } = sorter;
        sources.policies = policies.into_values().collect();
        if problems.is_empty() { Ok(sources) } else { Err(problems) }
    }
}

struct Sorter<'n> {
    sources: Sources,
    namespace: Option<&'n str>,
    policies: BTreeMap<(String, String), Policy>,
    problems: Vec<String>,
}

impl Sorter<'_> {
    fn tree(&mut self, file: &str, mut tree: Value) {
        let text = |tree: &Value, name| tree.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, version) = (text(&tree, "kind"), text(&tree, "apiVersion"));
        if tree.get("kind").is_some() {
            let items = tree.get_mut("items").filter(|_| kind.ends_with("List")).map(Value::take);
            if let Some(Value::Array(items)) = items {
                items.into_iter().for_each(|item| self.tree(file, item));
            } else if kind == "AuthorizationPolicy" && is_istios(&version) {
                self.policy(file, &tree);
            } else {
                self.sources.others += 1;
            }
        } else if tree.get("schema").is_some() {
            self.document(file, tree);
        } else if tree.get("descriptors").is_some() {
            self.sources.limits.push((file.to_owned(), tree));
        } else if LIMITING.iter().any(|name| tree.get(name).is_some()) {
            self.sources.actions.push((file.to_owned(), tree));
        } else {
            self.problems.push(format!(
                "{file}: is neither a Weir document (`schema: 1`), a Kubernetes object (`kind`), an envoyproxy/ratelimit \
                 configuration (`descriptors`) nor has it `rate_limits` or `apply`"
            ));
        }
    }

    /// Takes the policies out of a document, so that all are treated alike.
    fn document(&mut self, file: &str, mut tree: Value) {
        let holder = if tree.get("policy").is_some() { tree.get_mut("policy") } else { Some(&mut tree) };
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
                match policies {
                    Some(Ok(Value::Array(items))) => items.into_iter().for_each(|item| self.pasted(file, item)),
                    Some(Ok(Value::Null)) | None => {}
                    Some(Ok(_)) => self.problems.push(format!("{file}: `{name}` is not a list")),
                    Some(Err(problem)) => self.problems.push(format!("{file}: `{name}`: {problem}")),
                }
            }
        }
        self.sources.documents.push((file.to_owned(), tree));
    }

    /// An item of a document's `policies`, which can be nothing but a policy or a list of them.
    fn pasted(&mut self, file: &str, mut item: Value) {
        let is_list = item.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        match item.get_mut("items").filter(|_| is_list).map(Value::take) {
            Some(Value::Array(items)) => items.into_iter().for_each(|item| self.pasted(file, item)),
            _ => self.policy(file, &item),
        }
    }

    fn policy(&mut self, file: &str, object: &Value) {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let Some(name) = text("/metadata/name") else {
            return self.problems.push(format!("{file}: an AuthorizationPolicy has no `metadata.name`"));
        };
        let given = text("/metadata/namespace").or_else(|| self.namespace.map(str::to_owned));
        let Some(namespace) = given else {
            return self.problems.push(format!(
                "{file}: AuthorizationPolicy `{name}` has no `metadata.namespace`: write it, or give --namespace"
            ));
        };
        let policy = Policy {
            file: file.to_owned(),
            name: format!("{namespace}/{name}"),
            object: bare(object, &namespace, &name),
        };
        if let Some(before) = self.policies.get(&(namespace.clone(), name.clone())) {
            self.problems.push(format!("{file}: AuthorizationPolicy `{}` is in {} too", policy.name, before.file));
        }
        self.policies.insert((namespace, name), policy);
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
