//! Where Weir documents are in a file: the file itself, an AuthorizationPolicy, or what an Envoy bootstrap, an EnvoyFilter
//! or a WasmPlugin gives its plugins; and what stands around them that bears on what they do. What is not Weir's is passed
//! over, and counted.

mod found;
mod ours;

pub(crate) use found::{Found, Share};
pub(crate) use ours::{is_actions, is_document};

use crate::clusters::Clusters;
use crate::diagnostic::Diagnostic;
use crate::filter_state::Writer;
use crate::input::{self, Source};
use crate::object::{self, Object};
use crate::plugin::{Around, Discovery, Plugin};
use crate::routes::{self, PathOption};
use crate::{attachment, known, lint, names};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use weir_model::Node;

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Contents {
    pub(crate) found: Vec<Found>,
    /// Whether routes are matched with path parameters, wherever the file shows it.
    pub(crate) path_options: Vec<PathOption>,
    /// Filters whose configuration is discovered.
    pub(crate) discoveries: Vec<Discovery>,
    /// The clusters of bootstraps that show all of theirs.
    pub(crate) clusters: Vec<Clusters>,
    /// What writes filter state.
    pub(crate) writers: Vec<Writer>,
    /// The Kubernetes objects that hold what was found, each with its path.
    pub(crate) objects: Vec<(String, Object)>,
    /// Where each of them is in that list, by its path.
    roots: HashMap<String, usize>,
    /// EnvoyExtensionPolicies and routes, of others too, with their paths: they say which policy is in force where.
    pub(crate) attachments: Vec<(String, Object)>,
    /// Objects that load a module of Weir without a configuration, by their paths.
    pub(crate) unconfigured: Vec<String>,
    /// The paths of `weir.yaml` files.
    pub(crate) compositions: Vec<String>,
    /// How many objects of which kind were passed over.
    pub(crate) passed: BTreeMap<String, usize>,
    /// What is said of objects before any document of theirs is read.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The kinds whose plugins are looked at, with the group of their API.
pub(crate) const EXTENSIONS: [(&str, &str); 4] = [
    ("EnvoyFilter", "networking.istio.io"),
    ("WasmPlugin", "extensions.istio.io"),
    ("TrafficExtension", "extensions.istio.io"),
    ("EnvoyExtensionPolicy", "gateway.envoyproxy.io"),
];

/// The group of AuthorizationPolicy, and the versions of it that Istio has.
const SECURITY: &str = "security.istio.io";
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

impl Contents {
    /// What a file holds; objects that name no namespace are of `namespace`.
    pub(crate) fn of_file(source: &Source, namespace: Option<&str>) -> Self {
        let mut contents = Self::default();
        for (index, document) in source.documents.iter().enumerate() {
            let root = source.root(index);
            let before = contents.found.len() + contents.diagnostics.len();
            contents.add(&document.value, &root, namespace);
            if contents.found.len() + contents.diagnostics.len() > before {
                for fault in document.faults() {
                    contents.diagnostics.push(Diagnostic::fault(&root, fault));
                }
            } else {
                let faults = document.ambiguous.iter().cloned();
                contents.diagnostics.extend(faults.map(|fault| Diagnostic::fault(&root, fault)));
            }
        }
        if !contents.objects.is_empty() {
            contents.diagnostics.extend(source.separators().map(|fault| Diagnostic::fault("$", fault)));
        }
        contents
    }

    /// What one tree holds, at the path `$`.
    pub(crate) fn of(tree: &Value) -> Self {
        let mut contents = Self::default();
        contents.add(tree, "$", None);
        contents
    }

    /// What several trees of one file hold.
    pub(crate) fn of_all(trees: &[Value]) -> Self {
        let mut contents = Self::default();
        for (index, tree) in trees.iter().enumerate() {
            contents.add(tree, &input::root(index, trees.len()), None);
        }
        contents
    }

    /// The object around a path, with its own path.
    pub(crate) fn object_of(&self, path: &str) -> Option<(&str, &Object)> {
        let mut root = path;
        loop {
            if let Some(number) = self.roots.get(root) {
                return self.objects.get(*number).map(|(root, object)| (root.as_str(), object));
            }
            root = root.get(..root.rfind(['.', '['])?)?;
        }
    }

    /// The paths of objects that load plugins of Weir, each with the documents of these.
    pub(crate) fn with_plugins(&self) -> impl Iterator<Item = (&str, Vec<&Found>)> {
        let mut objects: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
        for found in self.found.iter().filter(|found| found.plugin.is_some()) {
            if let Some((root, _)) = self.object_of(&found.path) {
                objects.entry(root).or_default().push(found);
            }
        }
        objects.into_iter()
    }

    fn keep(&mut self, root: &str, object: Object) {
        for (field, text, check) in [
            ("namespace", &object.namespace, names::namespace as fn(&str) -> Result<(), String>),
            ("name", &object.name, names::name),
        ] {
            // One that is missing is missed elsewhere, if it is needed.
            if let (false, Err(problem)) = (text.is_empty(), check(text)) {
                self.diagnostics.push(Diagnostic::error(format!("{root}.metadata.{field}"), problem));
            }
        }
        self.register(root, object);
    }

    fn register(&mut self, root: &str, object: Object) {
        self.roots.insert(root.to_owned(), self.objects.len());
        self.objects.push((root.to_owned(), object));
    }

    fn pass(&mut self, class: String) {
        *self.passed.entry(class).or_default() += 1;
    }

    fn add(&mut self, tree: &Value, root: &str, namespace: Option<&str>) {
        if let Some(object) = Object::of(tree) {
            return self.object(tree, root, object, namespace);
        }
        if tree.get("workloads").is_some_and(Value::is_array) && tree.get("schema").is_some() {
            self.compositions.push(root.to_owned());
            return;
        }
        if ours::is_document(tree) {
            self.found.push(Found::new(root, tree.clone()));
            return;
        }
        if ours::is_limits(tree) {
            return self.found.push(Found::limits(root, tree));
        }
        if ours::is_actions(tree) {
            return self.found.push(Found::actions(root, tree));
        }
        let before = (self.found.len(), self.diagnostics.len());
        self.plugins(tree, root, &Around::default());
        if (self.found.len(), self.diagnostics.len()) != before || routes::are_envoys(tree) {
            self.diagnostics.extend(lint::bootstrap(tree, root, self.found.len() > before.0));
        } else if let Some(note) = known::file(tree, root) {
            self.diagnostics.push(note);
        } else {
            self.pass("other YAML".to_owned());
        }
    }

    fn object(&mut self, tree: &Value, root: &str, object: Object, namespace: Option<&str>) {
        let is_list = object.kind.ends_with("List") || tree.get("items").is_some_and(Value::is_array);
        if is_list && let Some(items) = self.items(tree, root, &object) {
            for (index, item) in items.into_iter().enumerate() {
                let root = format!("{root}.items[{index}]");
                match Object::of(&item) {
                    Some(object) => self.object(&item, &root, object, namespace),
                    None => self.diagnostics.push(Diagnostic::error(root, "`kind` is missing: a list is of objects")),
                }
            }
            return;
        }
        if [attachment::POLICY].iter().chain(&attachment::ROUTES).any(|kind| object.kind == *kind) {
            let own = if object.namespace.is_empty() { namespace.unwrap_or_default() } else { &object.namespace };
            self.attachments.push((root.to_owned(), Object { namespace: own.to_owned(), ..object.clone() }));
        }
        if object.is_templated_policy() {
            self.diagnostics.push(Diagnostic::error(root, TEMPLATE));
            return self.register(root, object);
        }
        if object.kind == "AuthorizationPolicy" {
            return self.policy(tree, root, object, namespace);
        }
        let before = (self.found.len(), self.diagnostics.len());
        if object.kind == "ConfigMap" && object.is_of("") {
            self.config_map(tree, root);
        } else if EXTENSIONS.iter().any(|(kind, group)| object.kind == *kind && object.is_of(group)) {
            let known = self.path_options.len();
            self.plugins(tree, root, &Around::default());
            if self.path_options.len() > known {
                self.keep(root, object);
                return;
            }
            if (self.found.len(), self.diagnostics.len()) == before
                && let Some((path, field)) = ours::without_configuration(tree, root)
            {
                let message = format!("`{field}` is missing: a module of Weir refuses to be loaded without a document");
                self.diagnostics.push(Diagnostic::error(path, message));
                self.unconfigured.push(root.to_owned());
            }
        } else if let Some(note) = known::object(&object, tree, root) {
            self.diagnostics.push(note);
        }
        if (self.found.len(), self.diagnostics.len()) == before {
            self.pass(object.class());
        } else {
            self.keep(root, object);
        }
    }

    /// The items of a list. Of one without any kubectl says that it found no objects.
    fn items(&mut self, tree: &Value, root: &str, object: &Object) -> Option<Vec<Value>> {
        let path = format!("{root}.items");
        match tree.get("items") {
            Some(Value::Array(_)) => return object::take_items(&mut tree.clone()),
            Some(Value::Null) => {
                self.diagnostics.push(Diagnostic::note("empty-list", path, "the list has no items"));
            }
            Some(_) => self.diagnostics.push(Diagnostic::error(path, "`items` is not a list")),
            None if object.kind == "List" && object.is_of("") => {
                self.diagnostics.push(Diagnostic::error(root, "`items` is missing: the list has no objects"));
            }
            None => return None,
        }
        Some(Vec::new())
    }

    /// An object of kind AuthorizationPolicy, which other projects have too.
    fn policy(&mut self, tree: &Value, root: &str, mut object: Object, namespace: Option<&str>) {
        if !object.is_of(SECURITY) {
            let api = tree.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
            let message = format!("the AuthorizationPolicy of `{api}` is not Istio's, so it is not read");
            self.diagnostics.push(Diagnostic::note("other-api", format!("{root}.apiVersion"), message));
            return self.pass(object.class());
        }
        if object.group.is_some() && !VERSIONS.contains(&object.version.as_str()) {
            let message = format!("Istio has no version `{}` of it: write `{SECURITY}/v1`", object.version);
            self.diagnostics.push(Diagnostic::error(format!("{root}.apiVersion"), message));
        }
        if input::is_template(&tree.to_string()) {
            self.diagnostics.push(Diagnostic::error(root, TEMPLATE));
            self.register(root, object);
            return;
        }
        let mut tree = tree.clone();
        let metadata = tree.get_mut("metadata").and_then(Value::as_object_mut);
        if let Some(metadata) = metadata.filter(|metadata| metadata.get("namespace").is_none_or(Value::is_null)) {
            if namespace.is_none() {
                self.diagnostics.push(Diagnostic::error(format!("{root}.metadata"), NO_NAMESPACE));
            }
            metadata.insert("namespace".to_owned(), namespace.unwrap_or("default").into());
            object.namespace = namespace.unwrap_or_default().to_owned();
        }
        self.keep(root, object);
        self.found.push(Found::policy(root, &tree));
    }

    /// The files in a ConfigMap, of which each may be a bootstrap, a document, or a rate limit service's.
    fn config_map(&mut self, tree: &Value, root: &str) {
        for (name, text) in tree.get("data").and_then(Value::as_object).into_iter().flatten() {
            let Some(text) = text.as_str().filter(|text| text.contains(['\n', '{'])) else { continue };
            let path = input::field(&format!("{root}.data"), name);
            let inner = match input::one(text) {
                Ok(inner) => inner,
                Err(error) if ours::is_meant(text) => {
                    self.diagnostics.push(Diagnostic::error(path, error));
                    continue;
                }
                Err(_) => continue,
            };
            let (passed, before) = (self.passed.clone(), self.found.len());
            self.add(&inner, &path, None);
            self.passed = passed;
            let is_part = |found: &Found| matches!(found.share, Share::Limits | Share::Actions);
            if self.found.get(before..).is_some_and(|new| new.iter().any(is_part)) {
                self.diagnostics.push(known::in_config_map(&path));
            }
        }
    }

    /// Adds the configurations of the plugins in `value`.
    fn plugins(&mut self, value: &Value, path: &str, around: &Around) {
        match value {
            Value::Object(fields) => {
                let around = around.inside(value, path);
                self.path_options.extend(PathOption::of(value, path, &around));
                self.discoveries.extend(Discovery::of(value, path));
                self.clusters.extend(Clusters::of(value, path));
                self.writers.extend(Writer::of(value, path));
                self.diagnostics.extend(known::native_limits(value, path));
                if let Some((plugin, suffix)) = Plugin::of(value, path, &around) {
                    self.plugin(value, path, plugin, suffix, around.node.clone());
                    return;
                }
                for (name, value) in fields {
                    self.plugins(value, &input::field(path, name), &around);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.plugins(item, &format!("{path}[{index}]"), around);
                }
            }
            _ => {}
        }
    }

    /// Adds the configuration of a plugin, if the plugin is ours.
    fn plugin(&mut self, value: &Value, path: &str, plugin: Plugin, suffix: &str, node: Option<Node>) {
        let Some(configured) = value.pointer(&format!("/{}", suffix.replace('.', "/"))) else { return };
        let document = match configured {
            Value::String(text) => input::json(text),
            other => Ok(other.clone()),
        };
        if !ours::is_plugin(&plugin, document.as_ref().ok()) {
            return;
        }
        let path = format!("{path}.{suffix}");
        match document {
            Ok(document) => self.found.push(Found { path, document, share: Share::Whole, plugin: Some(plugin), node }),
            Err(error) => self.diagnostics.push(Diagnostic::error(path, error)),
        }
    }
}

/// What is said of a policy whose namespace nothing tells.
pub(crate) const NO_NAMESPACE: &str = "`namespace` is missing: write it, or give it as --namespace, as to kubectl";

/// What is said of a template of Helm's.
pub(crate) const TEMPLATE: &str =
    "a template, which is not YAML until it is rendered: `helm template . | weir validate -`";

#[cfg(test)]
mod tests;
