//! Everything that `weir.yaml` describes: rendered, written to a folder, or compared with what is deployed.

use super::composition::{self, Entry};
use super::plan::Plan;
use super::sources::{Sources, Tree};
use super::{Rendered, manifests, yaml};
use crate::{Failure, input, validate};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The first words of every rendered file.
const HEADING: &str = "# Rendered by `weir render";

/// What is rendered for one workload.
#[derive(Debug)]
pub(crate) struct Workload {
    /// `NAMESPACE/NAME`.
    pub(crate) id: String,
    pub(crate) trees: Vec<Value>,
    notes: Vec<String>,
}

/// Renders every workload of the file.
///
/// # Errors
/// All problems of all workloads; then nothing is rendered.
pub(crate) fn render(config: &Path) -> Result<Vec<Workload>, Failure> {
    let name = config.display().to_string();
    let entries = composition::read(&validate::read(config)?).map_err(|problems| {
        let lines = problems.0.iter().map(|problem| format!("{name}: {}: {}", problem.path, problem.message));
        Failure::No(lines.collect::<Vec<_>>().join("\n"))
    })?;
    let mut files = Files { folder: config.parent().unwrap_or(Path::new("")).to_owned(), read: BTreeMap::new() };
    let mut workloads: BTreeMap<String, Workload> = BTreeMap::new();
    let mut problems = Vec::new();
    for entry in &entries {
        let id = &entry.wanted.workload;
        match one(entry, &mut files)? {
            Ok(Rendered { trees, notes }) => {
                let new = || Workload { id: id.clone(), trees: Vec::new(), notes: Vec::new() };
                let workload = workloads.entry(id.clone()).or_insert_with(new);
                workload.trees.extend(trees);
                workload.notes.extend(notes);
            }
            Err(found) => {
                problems.extend(found.into_iter().map(|found| format!("{name}: {}, {id}: {found}", entry.path)))
            }
        }
    }
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
    let unwritable = |path: &Path| {
        let path = path.display().to_string();
        move |error| Failure::Use(format!("`{path}` cannot be written: {error}"))
    };
    let mut written = Vec::new();
    for Workload { id, trees, notes } in &workloads {
        let path = folder.join(format!("{id}.yaml"));
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(unwritable(parent))?;
        let text = format!("{HEADING} --all`: {id}.\n{}", yaml::stream(trees));
        fs::write(&path, text).map_err(unwritable(&path))?;
        for note in notes {
            eprintln!("weir: {id}: {note}");
        }
        say!("{}: {} objects", path.display(), trees.len())?;
        written.push(path);
    }
    for path in stale(folder, &written) {
        eprintln!(
            "weir: {} is of a workload that is not in {} any more: remove it, and what it describes from the cluster",
            path.display(),
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

/// `KIND NAMESPACE/NAME` of an object; of a bootstrap the id of its node.
pub(crate) fn identity(tree: &Value) -> String {
    let text = |pointer| tree.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match text("/kind") {
        "" => format!("bootstrap {}", text("/node/id")),
        kind => format!("{kind} {}/{}", text("/metadata/namespace"), text("/metadata/name")),
    }
}

fn one(entry: &Entry, files: &mut Files) -> Result<Result<Rendered, Vec<String>>, Failure> {
    let plan = match Plan::of(&entry.wanted) {
        Ok(plan) => plan,
        Err(problems) => return Ok(Err(problems)),
    };
    let mut trees = Vec::new();
    let mut seen = BTreeSet::new();
    for pattern in &entry.files {
        match files.matching(pattern, &mut seen)? {
            Ok(found) => trees.extend(found),
            Err(problem) => return Ok(Err(vec![problem])),
        }
    }
    Ok(Sources::of(trees, None).and_then(|sources| manifests(&plan, &sources)))
}

/// The files that patterns name, each read once.
struct Files {
    folder: PathBuf,
    read: BTreeMap<PathBuf, Vec<Tree>>,
}

impl Files {
    /// The trees of the files that match and are not among those seen before, in the order of their paths.
    fn matching(&mut self, pattern: &str, seen: &mut BTreeSet<PathBuf>) -> Result<Result<Vec<Tree>, String>, Failure> {
        let folder = glob::Pattern::escape(&self.folder.to_string_lossy());
        let whole = Path::new(&folder).join(pattern);
        let paths = match glob::glob(&whole.to_string_lossy()) {
            Ok(paths) => paths,
            Err(error) => return Ok(Err(format!("`{pattern}` is not a pattern: {error}"))),
        };
        let mut trees = Vec::new();
        let mut none = true;
        for path in paths {
            let path = path.map_err(|error| Failure::Use(error.to_string()))?;
            none = false;
            if !seen.insert(path.clone()) {
                continue;
            }
            if !self.read.contains_key(&path) {
                let read = input::trees(std::slice::from_ref(&path))?;
                self.read.insert(path.clone(), read);
            }
            trees.extend(self.read.get(&path).into_iter().flatten().cloned());
        }
        Ok(if none { Err(format!("`{pattern}` matches no file")) } else { Ok(trees) })
    }
}

/// Rendered files below a folder that were not written now.
fn stale(folder: &Path, written: &[PathBuf]) -> Vec<PathBuf> {
    let pattern = format!("{}/*/*.yaml", glob::Pattern::escape(&folder.to_string_lossy()));
    let is_rendered = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.starts_with(HEADING));
    let found = glob::glob(&pattern).into_iter().flatten().filter_map(Result::ok);
    found.filter(|path| !written.contains(path) && is_rendered(path)).collect()
}
