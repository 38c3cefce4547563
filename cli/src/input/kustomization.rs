//! Kustomization files. Weir does not build them, but takes the namespace that one gives to the objects of its folder, and
//! says which other changes it does not make.

use super::files::Source;
use crate::diagnostic::Diagnostic;
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
}

impl Kustomizations {
    /// Those among the sources.
    pub(crate) fn of(sources: &[Source]) -> Self {
        let files = sources.iter().filter(|source| is_kustomization(Path::new(&source.name)));
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
        let fields = found.changes.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
        let message = format!("objects are read without {fields}: run `kustomize build` first, and give its output");
        Some(Diagnostic::note(ID, format!("$.{}", found.changes.first()?), message))
    }

    /// What is said of an object that names another namespace than that which its Kustomization gives to all.
    pub(crate) fn elsewhere(object: &Value, namespace: &str) -> Option<Diagnostic> {
        let own = object.pointer("/metadata/namespace")?.as_str()?;
        let message = format!("`kustomize build` puts this into `{namespace}`: run it first, and give its output");
        (own != namespace).then(|| Diagnostic::note(ID, "$.metadata.namespace", message))
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
        Some(Self { file: file.to_owned(), folder, namespace: namespace.map(str::to_owned), folders, changes })
    }
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
