//! Kustomization files. Weir does not build them, but takes the namespace that one gives to the objects of its folder, and
//! says which other changes it does not make.

use super::files::Source;
use crate::diagnostic::Diagnostic;
use crate::object::take_items;
use serde_json::Value;
use std::path::{Component, Path, PathBuf};

/// The names that Kustomize looks for.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Fields by which Kustomize changes names, labels or content of objects.
const CHANGES: [&str; 13] = [
    "namePrefix",
    "nameSuffix",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "commonLabels",
    "labels",
    "replacements",
    "vars",
    "transformers",
    "generators",
    "components",
    "helmCharts",
];

/// Those of them that hold patches.
const PATCHES: [&str; 3] = ["patches", "patchesStrategicMerge", "patchesJson6902"];

/// The kind that decides.
const POLICY: &str = "AuthorizationPolicy";

/// What the notes can be recognised by.
const ID: &str = "kustomize";

/// Whether a file is a Kustomization.
pub(crate) fn is_kustomization(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| NAMES.contains(&name))
}

/// The Kustomizations among files.
#[derive(Debug, Default)]
pub(crate) struct Kustomizations(Vec<Kustomization>);

#[derive(Debug)]
struct Kustomization {
    file: String,
    folder: PathBuf,
    namespace: Option<String>,
    /// Folders that it builds too.
    folders: Vec<PathBuf>,
    /// The fields of [`CHANGES`] that it has.
    changes: Vec<&'static str>,
    /// Whether these change the labels of pods, or may.
    relabels: bool,
    /// Which of them changes AuthorizationPolicies.
    on_policies: Option<&'static str>,
}

impl Kustomizations {
    /// Those among the sources.
    pub(crate) fn of<'s>(sources: impl IntoIterator<Item = &'s Source>) -> Self {
        let files = sources.into_iter().filter(|source| is_kustomization(Path::new(&source.name)));
        Self(files.filter_map(|source| Kustomization::of(&source.name, &source.documents.first()?.value)).collect())
    }

    /// The namespace that objects of a file get which name none: that of the nearest Kustomization around it, unless one further
    /// out builds that one and has a namespace too, which is then what `kustomize build` gives them.
    pub(crate) fn namespace(&self, file: &str) -> Option<&str> {
        let mut inner = self.around(Path::new(file).parent()?)?;
        let mut namespace = inner.namespace.as_deref();
        while let Some(outer) = inner.folder.parent().and_then(|folder| self.around(folder)) {
            if outer.folders.contains(&inner.folder) {
                namespace = outer.namespace.as_deref().or(namespace);
            }
            inner = outer;
        }
        namespace
    }

    /// Where `kustomize build` would give a namespace to a file's objects, which Weir does not: from a folder that refers to
    /// theirs, as an overlay does.
    pub(crate) fn overlay(&self, file: &str) -> Option<String> {
        let file = plain(Path::new(file));
        let builds = |one: &&Kustomization| file.ancestors().any(|path| one.folders.iter().any(|own| own == path));
        let found = self.0.iter().filter(|one| one.namespace.is_some()).find(builds)?;
        let (namespace, folder) = (found.namespace.as_deref()?, found.folder.display());
        Some(format!("`{}` gives it `{namespace}`: run `kustomize build {folder}`, and give its output", found.file))
    }

    /// What a Kustomization would change in objects and Weir does not.
    pub(crate) fn note(&self, file: &str) -> Option<Diagnostic> {
        let found = self.0.iter().find(|one| one.file == file && !one.changes.is_empty())?;
        if let Some(field) = found.on_policies {
            let message = "this changes AuthorizationPolicies: run `kustomize build` first, and give its output";
            return Some(Diagnostic::error(format!("$.{field}"), message));
        }
        let fields = found.changes.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
        let message = format!("objects are read without {fields}: run `kustomize build` first, and give its output");
        Some(Diagnostic::note(ID, format!("$.{}", found.changes.first()?), message))
    }

    /// What is said of each object that names another namespace than that which its Kustomization gives to all. A policy that it
    /// builds would be left out, or kept where it is for others.
    pub(crate) fn elsewhere(object: &Value, namespace: Option<&str>, is_built: bool) -> Vec<(Value, Diagnostic)> {
        let Some(namespace) = namespace else { return Vec::new() };
        let mut object = object.clone();
        if let Some(items) = take_items(&mut object) {
            return items.iter().flat_map(|item| Self::elsewhere(item, Some(namespace), is_built)).collect();
        }
        let own = object.pointer("/metadata/namespace").and_then(Value::as_str);
        if own.is_none_or(|own| own == namespace) {
            return Vec::new();
        }
        let message = format!("`kustomize build` puts this into `{namespace}`: run it first, and give its output");
        let path = "$.metadata.namespace";
        let is_policy = object.get("kind").is_some_and(|kind| kind == POLICY);
        let diagnostic =
            if is_policy && is_built { Diagnostic::error(path, message) } else { Diagnostic::note(ID, path, message) };
        vec![(object, diagnostic)]
    }

    /// Whether one of them names a file, or the folder that it is in.
    pub(crate) fn builds(&self, file: &str) -> bool {
        let file = plain(Path::new(file));
        self.0.iter().any(|one| one.folders.iter().any(|path| *path == file || file.parent() == Some(path)))
    }

    /// Whether one of them around a file, or one that builds its folder, changes the labels of pods.
    pub(crate) fn relabels(&self, file: &str) -> bool {
        let file = plain(Path::new(file));
        let is_for = |one: &&Kustomization| {
            file.starts_with(&one.folder) || one.folders.iter().any(|folder| file.starts_with(folder))
        };
        self.0.iter().filter(is_for).any(|one| one.relabels)
    }

    /// The nearest Kustomization of a folder or one around it.
    fn around(&self, folder: &Path) -> Option<&Kustomization> {
        folder.ancestors().map(plain).find_map(|folder| self.0.iter().find(|one| one.folder == folder))
    }
}

impl Kustomization {
    fn of(file: &str, value: &Value) -> Option<Self> {
        let folder = plain(Path::new(file).parent()?);
        let namespace = value.get("namespace").and_then(Value::as_str).filter(|text| !text.is_empty());
        let lists = ["resources", "bases"].into_iter().filter_map(|name| value.get(name)?.as_array());
        let folders = lists.flatten().filter_map(Value::as_str).map(|path| plain(&folder.join(path))).collect();
        let changes = CHANGES.into_iter().filter(|field| value.get(field).is_some_and(has_content)).collect();
        let namespace = namespace.map(str::to_owned);
        let on_policies = |field: &&str| value.get(*field).is_some_and(|it| it.to_string().contains(POLICY));
        let on_policies = CHANGES.into_iter().find(on_policies);
        let relabels = relabels(value);
        Some(Self { file: file.to_owned(), folder, namespace, folders, changes, relabels, on_policies })
    }
}

/// Whether a Kustomization changes labels of pods, or may. A patch in a file of its own is not looked into.
fn relabels(value: &Value) -> bool {
    let is_there = |field: &str| value.get(field).is_some_and(has_content);
    let items = |field| value.get(field).and_then(Value::as_array).into_iter().flatten();
    let is_on = |item: &Value, field: &str| item.get(field) == Some(&Value::Bool(true));
    let by_pairs = |item: &Value| is_on(item, "includeSelectors") || is_on(item, "includeTemplates");
    let by_patch = |item: &Value| match item.get("patch").unwrap_or(item).as_str() {
        Some(text) => text.contains("labels") || !text.contains('\n'),
        None => true,
    };
    ["commonLabels", "replacements", "transformers", "components"].into_iter().any(is_there)
        || items("labels").any(by_pairs)
        || PATCHES.into_iter().flat_map(items).any(by_patch)
}

/// Whether a field has something for Kustomize to do.
fn has_content(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// A path without `.`, and without `..` where the folder before it is known.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests;
