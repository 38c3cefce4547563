//! The files that a command is given.

use super::kustomization::is_kustomization;
use super::path::Step;
use super::separator::with_value;
use super::tree::{Budget, Position};
use super::yaml::{self, Document, Fault};
use crate::{Failure, page, print};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What standard input is shown as.
pub(crate) const STDIN: &str = "stdin";

/// A file with its documents.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its name as it is shown: the path as given, or `stdin`.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) documents: Vec<Document>,
    /// What ended the reading.
    pub(crate) fault: Option<Fault>,
}

impl Source {
    /// Separators of documents that kubectl does not take.
    pub(crate) fn separators(&self) -> impl Iterator<Item = Fault> {
        with_value(&self.text)
    }

    /// A text and where it comes from.
    pub(crate) fn new(name: &str, text: String) -> Self {
        Self::within(name, text, &mut Budget::default())
    }

    fn within(name: &str, text: String, budget: &mut Budget) -> Self {
        let (documents, fault) = yaml::documents(&text, budget);
        Self { name: name.to_owned(), text, documents, fault }
    }

    /// What the paths of a document begin with.
    pub(crate) fn root(&self, index: usize) -> String {
        root(index, self.documents.len())
    }

    /// The object at the root of a document, or at an item of a list that is one.
    pub(crate) fn value(&self, path: &str) -> Option<&Value> {
        super::path::steps(super::path::in_document(path)).try_fold(
            &self.documents.get(self.number(path)?)?.value,
            |value, step| match step {
                Step::Key(key) => value.get(key.as_ref()),
                Step::Index(index) => value.get(index),
            },
        )
    }

    /// Where the value at a path is, which begins with its document's root.
    pub(crate) fn position(&self, path: &str) -> Option<Position> {
        let document = self.documents.get(self.number(path)?)?;
        let inside = document.embedded(path).filter(|(block, _)| self.is_literal(*block));
        let inside = inside.map(|(block, inner)| Position {
            line: block.line + inner.line - 1,
            column: block.column + inner.column - 1,
        });
        Some(inside.unwrap_or_else(|| document.position(path)))
    }

    /// Whether a text that begins there is a literal block, whose lines are lines of the file.
    fn is_literal(&self, block: Position) -> bool {
        let header = block.line.checked_sub(2).and_then(|before| self.text.lines().nth(before));
        header.is_some_and(|line| line.trim_end().trim_end_matches(['-', '+']).ends_with(['|']))
    }

    /// The number of the document that a path is in.
    fn number(&self, path: &str) -> Option<usize> {
        match path.strip_prefix("document ").and_then(|rest| rest.split_once(": $")) {
            Some((number, _)) => number.parse::<usize>().ok()?.checked_sub(1),
            None => Some(0),
        }
    }
}

/// What the paths of one of several documents of a file begin with.
pub(crate) fn root(index: usize, count: usize) -> String {
    if count > 1 { format!("document {}: $", index + 1) } else { "$".to_owned() }
}

/// Reads files; of a folder, every YAML and JSON file below it, in the order of their names; `-` is standard input.
///
/// # Errors
/// A file or folder that cannot be read.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    let mut seen = BTreeSet::new();
    let mut budget = Budget::default();
    for path in paths {
        if path.as_os_str() == "-" {
            sources.push(source(STDIN, bytes(path)?, &mut budget));
            continue;
        }
        for file in files_of(path)? {
            // A file that is named twice, or lies in a folder that is named too, is one file.
            if file.canonicalize().is_ok_and(|file| !seen.insert(file)) {
                continue;
            }
            let name = file.display().to_string();
            if is_dangling(&file) && file != *path {
                sources.push(unread(&name, "a link to a file that is not there"));
                continue;
            }
            sources.push(source(&name, bytes(&file)?, &mut budget));
        }
    }
    Ok(sources)
}

/// A file; of a folder, the files below it that are read.
///
/// # Errors
/// A folder that cannot be read.
pub(crate) fn files_of(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    if path.is_dir() {
        below(path, &mut files).map_err(|error| unreadable(path, &error))?;
    } else {
        files.push(path.to_owned());
    }
    Ok(files)
}

/// Every tree of the files, with the name of its file. Of a folder, the YAML and JSON files below it, in the order of their
/// names.
///
/// # Errors
/// A file that cannot be read, or is wrong as YAML or JSON.
pub(crate) fn trees(files: &[PathBuf]) -> Result<Vec<(String, Value)>, Failure> {
    let mut trees = Vec::new();
    for source in read_all(files)? {
        let faults = source.documents.iter().flat_map(Document::faults);
        if let Some(fault) = source.fault.clone().into_iter().chain(faults).next() {
            return Err(Failure::No(print::plain(&format!("`{}`: {}", source.name, fault.in_words()))));
        }
        let name = source.name;
        trees.extend(source.documents.into_iter().map(|document| (name.clone(), document.value)));
    }
    Ok(trees)
}

/// The text of a file.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(bytes(path)?).map_err(|_| unreadable(path, &std::io::Error::other("it is not UTF-8")))
}

/// Opens a file, or standard input for `-`.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    match page::file(path) {
        Some(file) => Ok(Box::new(file?)),
        None if path.as_os_str() == "-" => Ok(Box::new(std::io::stdin().lock())),
        None => Ok(Box::new(std::fs::File::open(path)?)),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    if path.as_os_str() == "-" {
        return Failure::Use(format!("standard input cannot be read: {error}"));
    }
    Failure::Use(format!("`{}` cannot be read: {error}", print::plain(&path.to_string_lossy())))
}

fn source(name: &str, bytes: Vec<u8>, budget: &mut Budget) -> Source {
    match String::from_utf8(bytes) {
        Ok(text) => Source::within(name, text, budget),
        Err(_) => {
            unread(name, "not YAML: the file is not UTF-8; Windows PowerShell writes UTF-16, which has to be converted")
        }
    }
}

/// A file that cannot be read, and why.
fn unread(name: &str, why: &str) -> Source {
    let fault = Some(Fault { at: None, message: why.to_owned() });
    Source { name: name.to_owned(), text: String::new(), documents: Vec::new(), fault }
}

/// Whether it is a link to nothing. Emacs has such links beside files that it edits.
fn is_dangling(path: &Path) -> bool {
    let is_lock = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".#"));
    path.is_symlink() && !path.exists() && !is_lock
}

/// Adds the YAML and JSON files below a folder. Hidden folders, and folders behind links, are left out.
fn below(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && !is_hidden {
            below(&path, files)?;
        } else if !kind.is_dir() && (path.is_file() || is_dangling(&path)) && has_ending(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file in a folder is one of those that are read.
pub(crate) fn has_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| ["yaml", "yml", "json"].contains(&ending.as_str())) || is_kustomization(path)
}

#[cfg(test)]
mod tests {
    use super::read_all;
    use std::path::PathBuf;

    #[test]
    fn folders_are_read_in_order_and_hidden_ones_left_out() {
        let folder = tempfile::tempdir().unwrap();
        #[cfg(unix)]
        for link in ["dangling.yaml", ".#b.yaml", "dangling.txt"] {
            std::os::unix::fs::symlink("nowhere", folder.path().join(link)).unwrap();
        }
        for name in ["b.yaml", "a/c.yml", "a/d.json", "a/e.txt", ".git/f.yaml"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "a: 1\n").unwrap();
        }
        let Ok(sources) = read_all(&[folder.path().to_path_buf()]) else { panic!("cannot be read") };
        let names: Vec<_> = sources.iter().map(|source| source.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["c.yml", "d.json", "b.yaml", "dangling.yaml"]);
        let faults: Vec<_> = sources.iter().filter_map(|source| source.fault.as_ref()).collect();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].message.contains("a link to a file that is not there"));
        assert!(read_all(&[PathBuf::from("/nowhere/at/all.yaml")]).is_err());
    }
}
