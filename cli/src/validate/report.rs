//! All that was found in the files of one call.

use crate::compile::{Module, RulesTried};
use crate::diagnostic::{Diagnostic, Severity};
use crate::documents::{Contents, Share};
use crate::input::{Position, Source};
use std::collections::BTreeMap;

/// A diagnostic and its place.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) file: String,
    pub(crate) at: Option<Position>,
    /// Kind, namespace and name of the object that it is about.
    pub(crate) object: Option<String>,
    pub(crate) diagnostic: Diagnostic,
}

/// What was read, and what is said of it.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) files: usize,
    /// How many documents of each module.
    pub(crate) documents: BTreeMap<String, usize>,
    pub(crate) policies: usize,
    /// envoyproxy/ratelimit configurations.
    pub(crate) limits: usize,
    /// Files and documents with `rate_limits` or `apply` alone.
    pub(crate) actions: usize,
    /// `weir.yaml` files.
    pub(crate) compositions: usize,
    /// The rules of the policies in documents and alone, and those that every request is checked against.
    pub(crate) rules: RulesTried,
    /// Route configurations that other files' documents are compared with.
    routes: usize,
    /// What was passed over: how many objects of each kind.
    pub(crate) passed: BTreeMap<String, usize>,
    pub(crate) lines: Vec<Line>,
    silenced: &'a [String],
    order: BTreeMap<&'a str, usize>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(sources: &'a [Source], silenced: &'a [String]) -> Self {
        let order = sources.iter().enumerate().map(|(number, source)| (source.name.as_str(), number)).collect();
        Self {
            files: sources.len(),
            documents: BTreeMap::new(),
            policies: 0,
            limits: 0,
            actions: 0,
            compositions: 0,
            rules: RulesTried::default(),
            routes: 0,
            passed: BTreeMap::new(),
            lines: Vec::new(),
            silenced,
            order,
        }
    }

    /// Counts what a file holds.
    pub(crate) fn file(&mut self, contents: &Contents) {
        let count = |share| contents.found.iter().filter(|found| found.share == share).count();
        self.policies += count(Share::Policy);
        self.limits += count(Share::Limits);
        self.actions += count(Share::Actions);
        self.compositions += contents.compositions.len();
        self.routes += contents.path_options.len();
        for (class, count) in &contents.passed {
            *self.passed.entry(class.clone()).or_default() += count;
        }
    }

    /// Counts a document of a module.
    pub(crate) fn document(&mut self, module: Module) {
        *self.documents.entry(module.to_string()).or_default() += 1;
    }

    /// Counts the rules of a document.
    pub(crate) fn rules(&mut self, rules: RulesTried) {
        self.rules.all += rules.all;
        self.rules.always.extend(rules.always);
    }

    /// Whether nothing of Weir was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.policies + self.limits + self.actions + self.compositions + self.routes == 0
    }

    pub(crate) fn push(&mut self, line: Line) {
        let id = line.diagnostic.id.unwrap_or_default();
        let is_silenced = line.diagnostic.severity != Severity::Error && self.silenced.iter().any(|one| one == id);
        if !is_silenced {
            self.lines.push(line);
        }
    }

    /// In the order of the files, and of the lines in each.
    pub(crate) fn sort(&mut self) {
        let order = &self.order;
        self.lines.sort_by_key(|line| (order.get(line.file.as_str()).copied(), line.at));
    }

    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.lines.iter().filter(|line| line.diagnostic.severity == severity).count()
    }
}
