//! The documents of an operator's files, each with the place that it is from, so that every error in them is said as
//! `weir validate` says it.

use crate::Failure;
use crate::diagnostic::Diagnostic;
use crate::input::{self, Document, Fault, Kustomizations, Source};
use crate::object::Object;
use crate::validate::{self, Line};
use serde_json::Value;
use std::path::PathBuf;
use std::rc::Rc;

/// A document of a file, or an object in a list.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
    /// The namespace of what names none in it, if something around the file says so.
    pub(crate) namespace: Option<String>,
    /// What would give it one, in words.
    pub(crate) overlay: Option<String>,
    /// Whether a Kustomization changes the labels of its pods, or may.
    pub(crate) is_relabelled: bool,
    /// Why Weir would not read it, if it is Weir's.
    pub(crate) faults: Vec<Fault>,
}

/// A place in a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    file: String,
    /// `None` for what no file has.
    source: Option<Rc<Source>>,
    /// JSON path of it in its file.
    path: String,
    /// Kind, namespace and name of the object that it is in.
    object: Option<String>,
}

/// Everything that files hold.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) trees: Vec<Tree>,
    /// What is to be known of the files themselves, as lines.
    pub(crate) notes: Vec<String>,
}

impl Files {
    /// Reads files and folders. A template that nothing of Weir's is seen in is passed over, as `weir validate` does.
    ///
    /// # Errors
    /// A file that cannot be read, or is wrong as YAML or JSON.
    pub(crate) fn read(paths: &[PathBuf]) -> Result<Self, Failure> {
        Self::of(input::read_all(paths)?.into_iter().map(Rc::new).collect())
    }

    /// What sources hold.
    ///
    /// # Errors
    /// One that is wrong as YAML or JSON.
    pub(crate) fn of(sources: Vec<Rc<Source>>) -> Result<Self, Failure> {
        let kustomizations = Kustomizations::of(sources.iter().map(Rc::as_ref));
        let mut files = Self::default();
        let mut problems = Vec::new();
        for source in sources {
            let namespace = kustomizations.namespace(&source.name).map(str::to_owned);
            let overlay = kustomizations.overlay(&source.name);
            let found: Vec<(Value, Vec<Fault>, Vec<Fault>)> = source
                .documents
                .iter()
                .map(|document| (document.value.clone(), document.faults(), document.ambiguous.clone()))
                .collect();
            if let Some(fault) = validate::fault_of(&source) {
                let line = Origin::of(&source, "$".to_owned()).line(fault.clone());
                if fault.is_error() { problems.push(line) } else { files.notes.push(line) }
            }
            if let Some(diagnostic) = kustomizations.note(&source.name) {
                let line = Origin::of(&source, "$".to_owned()).line(diagnostic.clone());
                if diagnostic.is_error() { problems.push(line) } else { files.notes.push(line) }
            }
            let is_relabelled = kustomizations.relabels(&source.name);
            let is_built = kustomizations.builds(&source.name);
            let count = found.len();
            for (index, (value, faults, ambiguous)) in found.into_iter().enumerate() {
                let origin = Origin::of(&source, input::root(index, count));
                let undecided = ambiguous.iter().map(|fault| origin.line(Diagnostic::fault("$", fault.clone())));
                problems.extend(undecided);
                for object in Kustomizations::elsewhere(&value, namespace.as_deref(), is_built) {
                    let (object, diagnostic) = object;
                    let line = origin.in_object(&object, None).line(diagnostic.clone());
                    if diagnostic.is_error() { problems.push(line) } else { files.notes.push(line) }
                }
                let (namespace, overlay) = (namespace.clone(), overlay.clone());
                files.trees.push(Tree { value, origin, namespace, overlay, is_relabelled, faults });
            }
        }
        match problems.is_empty() {
            true => Ok(files),
            false => Err(Failure::No(problems.join("\n"))),
        }
    }
}

impl Tree {
    /// One that no file has, under a name for messages.
    pub(crate) fn named(name: &str, value: Value) -> Self {
        let origin = Origin { file: name.to_owned(), path: "$".to_owned(), ..Origin::default() };
        Self { value, origin, namespace: None, overlay: None, is_relabelled: false, faults: Vec::new() }
    }

    /// The only document of a text.
    ///
    /// # Errors
    /// What is wrong with the text under that name.
    pub(crate) fn one(name: &str, text: String) -> Result<Self, Failure> {
        let mut source = Source::new(name, text);
        let mut documents = std::mem::take(&mut source.documents);
        let fault = source.fault.clone().or_else(|| documents.iter().flat_map(Document::faults).next());
        let origin = |source: Source| Origin::of(&Rc::new(source), "$".to_owned());
        if let Some(fault) = fault {
            return Err(Failure::No(origin(source).line(Diagnostic::fault("$", fault))));
        }
        let value = match (documents.len(), documents.pop()) {
            (1, Some(document)) => {
                let value = document.value.clone();
                source.documents.push(document);
                value
            }
            (0, _) => return Err(Failure::No(format!("`{name}`: it is empty"))),
            (count, _) => return Err(Failure::No(format!("`{name}`: it has {count} documents, and one is needed"))),
        };
        Ok(Self {
            value,
            origin: origin(source),
            namespace: None,
            overlay: None,
            is_relabelled: false,
            faults: Vec::new(),
        })
    }

    /// What is wrong with its text, as lines; for a tree that turns out to be Weir's.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> {
        self.faults.iter().map(|fault| self.origin.line(Diagnostic::fault("$", fault.clone())))
    }

    /// An item of the list that it is, with what is said of the list.
    pub(crate) fn item(&self, path: &str, value: Value) -> Self {
        let origin = self.origin.inside(path);
        Self { value, origin, ..self.clone() }
    }
}

impl Origin {
    fn of(source: &Rc<Source>, path: String) -> Self {
        Self { file: source.name.clone(), source: Some(Rc::clone(source)), path, object: None }
    }

    /// The place at a path within this one, which begins with `$`.
    pub(crate) fn inside(&self, path: &str) -> Self {
        Self { path: self.path.clone() + path.strip_prefix('$').unwrap_or(path), ..self.clone() }
    }

    /// The same, in an object, which may be in another namespace than it names.
    pub(crate) fn in_object(&self, value: &Value, namespace: Option<&str>) -> Self {
        let object = Object::of(value).map(|object| match namespace {
            Some(namespace) => Object { namespace: namespace.to_owned(), ..object }.shown(),
            None => object.shown(),
        });
        Self { object, ..self.clone() }
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// `FILE:LINE:COLUMN`.
    pub(crate) fn place(&self) -> String {
        match self.source.as_ref().and_then(|source| source.position(&self.path)) {
            Some(at) => format!("{}:{}:{}", self.file, at.line, at.column),
            None => self.file.clone(),
        }
    }

    /// The column alone, for a text that is a line of a larger one.
    pub(crate) fn column(&self) -> Option<usize> {
        Some(self.source.as_ref()?.position(&self.path)?.column)
    }

    /// The line for something that is said of a place within this one.
    pub(crate) fn line(&self, diagnostic: Diagnostic) -> String {
        validate::line(&self.finding(diagnostic))
    }

    /// What is said of a place within this one, with its line and column.
    pub(crate) fn finding(&self, diagnostic: Diagnostic) -> Line {
        let path = self.inside(&diagnostic.path).path;
        let at = diagnostic.at.or_else(|| self.source.as_ref()?.position(&path));
        Line { file: self.file.clone(), at, object: self.object.clone(), diagnostic: Diagnostic { path, ..diagnostic } }
    }

    /// The line for an error at this place.
    pub(crate) fn error(&self, path: &str, message: impl Into<String>) -> String {
        self.line(Diagnostic::error(path, message))
    }
}
