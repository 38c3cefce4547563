//! Everything that `weir.yaml` describes: rendered, written to a folder, or compared with what is deployed.

mod staged;

use self::staged::Staged;
use super::composition::{self, Entry};
use super::form::envoy_gateway;
use super::plan::Plan;
use super::sources::Sources;
use super::{Rendered, manifests, size, yaml};
use crate::diagnostic::{Diagnostic, count};
use crate::input::Source;
use crate::tree::{Files, Origin, Tree};
use crate::{Failure, attachment, input, print};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The first words of every rendered file.
const HEADING: &str = "# Rendered by `weir render";

/// What is rendered for one workload.
#[derive(Debug, Default)]
pub(crate) struct Workload {
    /// `NAMESPACE/NAME`.
    pub(crate) id: String,
    pub(crate) trees: Vec<Value>,
    notes: Vec<String>,
    warnings: Vec<String>,
    annotation: Option<String>,
}

/// Renders every workload of the file.
///
/// # Errors
/// All problems of all workloads; then nothing is rendered.
pub(crate) fn render(config: &Path) -> Result<Vec<Workload>, Failure> {
    let name = config.display().to_string();
    let composition = Tree::one(&name, input::read_text(config)?)?;
    let at = &composition.origin;
    let entries = composition::read(&composition.value).map_err(|problems| {
        let lines = problems.0.iter().map(|problem| at.error(&problem.path, problem.message.as_str()));
        Failure::No(lines.collect::<Vec<_>>().join("\n"))
    })?;
    let files = Matched::of(config.parent().unwrap_or(Path::new("")), &entries)?;
    let mut workloads: BTreeMap<String, Workload> = BTreeMap::new();
    let mut problems = Vec::new();
    for entry in &entries {
        let id = &entry.wanted.workload;
        match one(entry, &files, at) {
            Ok(Rendered { trees, notes, warnings, annotation }) => {
                let new = || Workload { id: id.clone(), ..Workload::default() };
                let workload = workloads.entry(id.clone()).or_insert_with(new);
                workload.trees.extend(trees);
                workload.annotation = annotation.or(workload.annotation.take());
                workload.notes.extend(notes);
                workload.warnings.extend(warnings);
            }
            Err(found) => problems.extend(found),
        }
    }
    // What is wrong with a file is wrong for each workload that is rendered from it.
    let mut seen = BTreeSet::new();
    problems.retain(|problem| seen.insert(problem.clone()));
    for workload in workloads.values_mut() {
        workload.trees = envoy_gateway::joined(std::mem::take(&mut workload.trees));
        problems.extend(workload.trees.iter().filter_map(|tree| too_large(&workload.id, tree)));
    }
    problems.extend(attached_twice(&workloads).map(|problem| format!("{name}: {problem}")));
    let twice = twice(&workloads).map(|object| format!("{name}: {object} is rendered twice"));
    problems.extend(twice);
    match problems.is_empty() {
        true => Ok(workloads.into_values().collect()),
        false => Err(Failure::No(format!("nothing is rendered:\n{}", problems.join("\n")))),
    }
}

/// Renders every workload of the file into a file of its own below `folder`.
pub(crate) fn write(folder: &Path, config: &Path) -> Result<(), Failure> {
    let workloads = render(config)?;
    let (mut staged, mut written) = (Staged::default(), Vec::new());
    for Workload { id, trees, .. } in &workloads {
        let text = format!("{HEADING} --all`: {id}.\n{}", yaml::stream(trees));
        written.push(staged.add(folder, &format!("{id}.yaml"), &text)?);
    }
    staged.finish()?;
    let mut annotations = BTreeSet::new();
    for (Workload { id, trees, notes, warnings, annotation }, path) in workloads.iter().zip(&written) {
        annotations.extend(annotation);
        warnings.iter().for_each(|line| note!("{line}"));
        notes.iter().for_each(|note| note!("weir: {id}: {}", by_field(note)));
        say!("{}: {}", path.display(), count(trees.len(), "object", "objects"))?;
    }
    annotations.iter().for_each(|lines| note!("{lines}"));
    for path in stale(folder, &written) {
        note!(
            "weir: {} is of a workload that is not in {} any more: remove it, and what it describes from the cluster",
            print::plain(&path.to_string_lossy()),
            config.display()
        );
    }
    Ok(())
}

/// Objects that more than one entry renders.
fn twice(workloads: &BTreeMap<String, Workload>) -> impl Iterator<Item = String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for tree in workloads.values().flat_map(|workload| &workload.trees).filter(|tree| tree.get("kind").is_some()) {
        *seen.entry(identity(tree)).or_default() += 1;
    }
    seen.into_iter().filter(|(_, count)| *count > 1).map(|(object, _)| object)
}

/// EnvoyExtensionPolicies of several workloads with one target, of which Envoy Gateway attaches one.
fn attached_twice(workloads: &BTreeMap<String, Workload>) -> impl Iterator<Item = String> {
    let mut attached: BTreeMap<String, String> = BTreeMap::new();
    let mut problems = Vec::new();
    for tree in workloads.values().flat_map(|workload| &workload.trees) {
        if tree.get("kind").and_then(Value::as_str) == Some(attachment::POLICY) {
            let target = ["/metadata/namespace", "/spec/targetRefs"].map(|pointer| tree.pointer(pointer));
            let own = identity(tree);
            match attached.get(&format!("{target:?}")) {
                Some(other) if *other != own => problems.push(format!(
                    "{other} and {own} have the same target, and Envoy Gateway attaches one policy to a target: describe one workload \
                     with several `modules`"
                )),
                _ => drop(attached.insert(format!("{target:?}"), own)),
            }
        }
    }
    problems.into_iter()
}

/// Why an object that was put together of several cannot be kept by an API server.
fn too_large(id: &str, tree: &Value) -> Option<String> {
    let is_object = tree.get("kind").is_some();
    (is_object && size::bytes(tree) > size::MOST).then(|| {
        format!("{id}: {} has more than {} bytes, and Kubernetes takes no larger one", identity(tree), size::MOST)
    })
}

/// `KIND NAMESPACE/NAME` of an object; of a bootstrap the id of its node.
pub(crate) fn identity(tree: &Value) -> String {
    let text = |pointer| tree.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match text("/kind") {
        "" => format!("bootstrap {}", text("/node/id")),
        kind => format!("{kind} {}/{}", text("/metadata/namespace"), text("/metadata/name")),
    }
}

/// What is wrong with a `weir.yaml` as such: its fields, what does not fit a form or a workload, and patterns that match no file,
/// if its folder is known.
pub(crate) fn check(value: &Value, folder: Option<&Path>) -> Vec<Diagnostic> {
    let entries = match composition::read(value) {
        Ok(entries) => entries,
        Err(problems) => {
            let all = problems.0.iter();
            return all.map(|problem| Diagnostic::error(problem.path.as_str(), problem.message.as_str())).collect();
        }
    };
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut add = |path: &str, message: String| {
        let diagnostic = Diagnostic::error(path, message);
        if !found.contains(&diagnostic) {
            found.push(diagnostic);
        }
    };
    for entry in &entries {
        for problem in Plan::of(&entry.wanted).err().into_iter().flatten() {
            add(&entry.path, format!("{}: {}", entry.wanted.workload, by_field(&problem)));
        }
        for (folder, pattern) in folder.iter().flat_map(|folder| entry.files.iter().map(move |file| (folder, file))) {
            match matching(folder, &pattern.text) {
                Ok(Ok(_)) => {}
                Ok(Err(problem)) => add(&pattern.path, problem),
                Err(Failure::No(problem) | Failure::Use(problem)) => add(&pattern.path, problem),
                Err(Failure::Quiet(_)) => {}
            }
        }
    }
    found
}

/// Options of the command line, and the fields of `weir.yaml` that are the same.
const FIELDS: [(&str, &str); 9] = [
    ("--allow-no-policies", "`sections` without `policy`"),
    ("--envoy", "`envoy`"),
    ("--istio", "`istio`"),
    ("--labels", "`labels`"),
    ("--phase", "`phase`"),
    ("--priority", "`priority`"),
    ("--pull-secret", "`pullSecret`"),
    ("--replace-native", "`replaceNative`"),
    ("--selector", "`selector`"),
];

/// A sentence on options in the words of `weir.yaml`.
fn by_field(sentence: &str) -> String {
    let target = sentence.replace("--target-ref", "`targetRef`");
    FIELDS.iter().fold(target, |text, (option, field)| text.replace(option, field))
}

fn one(entry: &Entry, files: &Matched, at: &Origin) -> Result<Rendered, Vec<String>> {
    let id = &entry.wanted.workload;
    let said = |problem: String| at.error(&entry.path, format!("{id}: {}", by_field(&problem)));
    let plan = Plan::of(&entry.wanted).map_err(|problems| problems.into_iter().map(said).collect::<Vec<_>>())?;
    let trees = files.trees(entry, at)?;
    let rendered = Sources::of(trees, None).and_then(|sources| manifests(&plan, &sources));
    // Lines of files say where they are from; of the others this is the workload.
    rendered.map_err(|problems| {
        let is_placed = |problem: &String| files.names.iter().any(|name| problem.starts_with(name));
        problems.into_iter().map(|problem| if is_placed(&problem) { problem } else { said(problem) }).collect()
    })
}

/// The files that patterns name, each read once.
#[derive(Default)]
struct Matched {
    /// What matches each pattern, in the order of the paths, or what is wrong with the pattern.
    patterns: BTreeMap<String, Result<Vec<PathBuf>, String>>,
    /// By the path that links are followed for, so that a file is one, however patterns name it.
    sources: BTreeMap<PathBuf, Rc<Source>>,
    /// What lines about the files begin with.
    names: Vec<String>,
    /// The notes that are printed already.
    printed: RefCell<BTreeSet<String>>,
}

impl Matched {
    /// Those of the entries. Patterns are relative to `folder`.
    fn of(folder: &Path, entries: &[Entry]) -> Result<Self, Failure> {
        let mut matched = Self::default();
        for pattern in entries.iter().flat_map(|entry| &entry.files) {
            if matched.patterns.contains_key(&pattern.text) {
                continue;
            }
            let mut found = matching(folder, &pattern.text)?;
            for path in found.iter_mut().flatten() {
                let shown = path.clone();
                *path = path.canonicalize().unwrap_or_else(|_| shown.clone());
                if !matched.sources.contains_key(path) {
                    for source in input::read_all(std::slice::from_ref(&shown))? {
                        matched.names.push(format!("{}:", source.name));
                        matched.sources.insert(path.clone(), Rc::new(source));
                    }
                }
            }
            matched.patterns.insert(pattern.text.clone(), found);
        }
        Ok(matched)
    }

    /// What an entry is rendered from. What other workloads are rendered from, Kustomizations among it, changes nothing in it.
    fn trees(&self, entry: &Entry, at: &Origin) -> Result<Vec<Tree>, Vec<String>> {
        let (mut sources, mut problems) = (Vec::new(), Vec::new());
        let mut namespaces: BTreeMap<&str, Option<&String>> = BTreeMap::new();
        for pattern in &entry.files {
            match self.patterns.get(&pattern.text) {
                Some(Ok(paths)) => {
                    for source in paths.iter().filter_map(|path| self.sources.get(path)) {
                        namespaces.entry(&source.name).or_insert_with(|| {
                            sources.push(Rc::clone(source));
                            pattern.namespace.as_ref()
                        });
                    }
                }
                Some(Err(problem)) => problems.push(at.error(&pattern.path, problem.as_str())),
                None => {}
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let files = Files::of(sources).map_err(|failure| match failure {
            Failure::No(text) | Failure::Use(text) => vec![text],
            Failure::Quiet(_) => Vec::new(),
        })?;
        let mut printed = self.printed.borrow_mut();
        for line in files.notes {
            if printed.insert(line.clone()) {
                note!("{line}");
            }
        }
        let given = |tree: &Tree| namespaces.get(tree.origin.file()).copied().flatten().cloned();
        let placed = |tree: Tree| Tree { namespace: tree.namespace.clone().or_else(|| given(&tree)), ..tree };
        Ok(files.trees.into_iter().map(placed).collect())
    }
}

/// The files that match a pattern, or what is wrong with the pattern.
fn matching(folder: &Path, pattern: &str) -> Result<Result<Vec<PathBuf>, String>, Failure> {
    let folder = glob::Pattern::escape(&folder.to_string_lossy());
    let whole = Path::new(&folder).join(pattern);
    let paths = match glob::glob(&whole.to_string_lossy()) {
        Ok(paths) => paths.collect::<Result<Vec<_>, _>>().map_err(|error| Failure::Use(error.to_string()))?,
        Err(error) => return Ok(Err(format!("`{pattern}` is not a pattern: {error}"))),
    };
    if paths.is_empty() {
        return Ok(Err(format!("`{pattern}` matches no file")));
    }
    let files = paths.iter().map(|path| input::files_of(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(Ok(files.concat()))
}

/// Rendered files below a folder that were not written now.
fn stale(folder: &Path, written: &[PathBuf]) -> Vec<PathBuf> {
    let pattern = format!("{}/*/*.yaml", glob::Pattern::escape(&folder.to_string_lossy()));
    let is_rendered = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.starts_with(HEADING));
    let found = glob::glob(&pattern).into_iter().flatten().filter_map(Result::ok);
    found.filter(|path| !written.contains(path) && is_rendered(path)).collect()
}
