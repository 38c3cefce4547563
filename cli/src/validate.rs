//! `weir validate`: what is wrong with the files of an operator, and what is doubtful about them.

mod kubernetes;
mod output;
mod report;

pub(crate) use output::Output;
pub(crate) use report::Line;

use crate::attachment::{self, Attached};
use crate::check::{self, Checked, Elsewhere, Others, Parts};
use crate::compile::Module;
use crate::diagnostic::{Diagnostic, Severity};
use crate::documents::{Contents, EXTENSIONS, Found, NO_NAMESPACE, Share, TEMPLATE};
use crate::input::{self, Kustomizations, Source};
use crate::lint::Met;
use crate::object::Object;
use crate::overlap::{Placed, overlaps};
use crate::render::all;
use crate::{Failure, Validate};
use report::Report;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Validates everything in files and folders, and prints what was found.
pub(crate) fn validate(options: &Validate) -> Result<(), Failure> {
    let sources = input::read_all(&options.files)?;
    let report = report_of(&sources, options.namespace.as_deref(), options.module, &options.silence);
    output::print(&report, options.output)?;
    report.verdict(options)
}

/// The lines for what is wrong in files.
pub(crate) fn errors_of(sources: &[Source], namespace: Option<&str>) -> Vec<String> {
    let report = report_of(sources, namespace, None, &[]);
    output::text::lines(report.lines.iter().filter(|line| line.diagnostic.is_error()))
}

/// A finding as a line for a person.
pub(crate) fn line(line: &Line) -> String {
    output::text::line(line)
}

/// A finding as an annotation of GitHub Actions.
pub(crate) fn annotation(line: &Line) -> String {
    output::github::command(line)
}

/// All that is to be said of files.
fn report_of<'a>(
    sources: &'a [Source],
    namespace: Option<&str>,
    given: Option<Module>,
    silence: &'a [String],
) -> Report<'a> {
    let kustomizations = Kustomizations::of(sources);
    let namespace = |source: &Source| kustomizations.namespace(&source.name).or(namespace);
    let files: Vec<(&Source, Contents)> =
        sources.iter().map(|source| (source, Contents::of_file(source, namespace(source)))).collect();
    let parts = parts(&files);
    // A mistake can make other values look doubtful, so it is mended first.
    let mut is_sound = true;
    let mut report = Report::new(sources, silence);
    for (source, contents) in &files {
        report.file(contents);
        for mut diagnostic in contents.diagnostics.iter().cloned() {
            if diagnostic.message == NO_NAMESPACE
                && let Some(overlay) = kustomizations.overlay(&source.name)
            {
                diagnostic.message = format!("`namespace` is missing: {overlay}");
            }
            report.add(source, contents, diagnostic);
        }
        for root in &contents.compositions {
            let Some(value) = source.value(root) else { continue };
            for one in all::check(value, folder(source)) {
                let path = format!("{root}{}", one.path.strip_prefix('$').unwrap_or(&one.path));
                report.add(source, contents, Diagnostic { path, ..one });
            }
        }
        if let Some(diagnostic) = fault_of(source) {
            report.push(Line { file: source.name.clone(), at: diagnostic.at, object: None, diagnostic });
        }
        let mut wrong: BTreeSet<String> = paths_of_errors(&contents.diagnostics);
        let others = Others { parts, ..others(&source.name, &files) };
        for found in &contents.found {
            let by_plugin = found.plugin.as_ref().and_then(|plugin| plugin.module);
            let asked = given.filter(|_| found.is_whole());
            let module = asked.or(by_plugin).unwrap_or_else(|| Module::of(&found.document));
            if found.is_whole() {
                report.document(module);
            }
            let Checked { diagnostics, rules } = check::check(found, module, contents, &others);
            report.rules(rules);
            wrong.extend(paths_of_errors(&diagnostics));
            is_sound &= !found.joins(&others) || !diagnostics.iter().any(Diagnostic::is_error);
            let is_guessed = given.or(by_plugin).is_none() && found.is_whole();
            if is_guessed && has_foreign_field(found, &diagnostics) {
                let message = format!("read as a {module} document; use --module if it is another");
                report.add(source, contents, Diagnostic::note("module", found.path.as_str(), message));
            }
            for diagnostic in diagnostics {
                report.add(source, contents, diagnostic);
            }
        }
        // What is wrong for the module is said in its words.
        for diagnostic in kubernetes::differences(source, contents).filter(|one| !wrong.contains(&one.path)) {
            report.add(source, contents, diagnostic);
        }
        for diagnostic in kubernetes::manifests(source, contents) {
            report.add(source, contents, diagnostic);
        }
    }
    let unmet = if is_sound { limits(&files, parts) } else { Vec::new() };
    for (file, diagnostic) in between(&files).into_iter().chain(attachments(&files)).chain(unmet) {
        if let Some((source, contents)) = files.get(file) {
            report.add(source, contents, diagnostic);
        }
    }
    report.sort();
    report
}

/// The folder of a file; standard input has none.
fn folder(source: &Source) -> Option<&Path> {
    (source.name != input::STDIN).then(|| Path::new(&source.name).parent().unwrap_or(Path::new("")))
}

/// What ended the reading of a file.
pub(crate) fn fault_of(source: &Source) -> Option<Diagnostic> {
    let fault = source.fault.clone()?;
    Some(match input::is_template(&source.text) {
        true if mentions(&source.text) => Diagnostic { at: fault.at, ..Diagnostic::error("$", TEMPLATE) },
        true => Diagnostic { at: fault.at, ..Diagnostic::note("template", "$", TEMPLATE) },
        false => Diagnostic::fault("$", fault),
    })
}

/// Whether a text that cannot be read may hold something for this command.
fn mentions(text: &str) -> bool {
    let kinds = EXTENSIONS.iter().map(|(kind, _)| *kind).chain(["AuthorizationPolicy"]);
    kinds.into_iter().any(|kind| text.contains(kind))
        || text.lines().any(is_open_kind) && (text.contains("security.istio.io/") || text.lines().any(is_open_api))
        || text.lines().any(|line| line.trim_start().starts_with("schema: 1"))
}

/// Whether a line leaves the kind of an object to a template.
fn is_open_kind(line: &str) -> bool {
    is_open(line, "kind:")
}

fn is_open_api(line: &str) -> bool {
    is_open(line, "apiVersion:")
}

fn is_open(line: &str, key: &str) -> bool {
    let line = line.trim_start().trim_start_matches("- ").trim_start();
    line.strip_prefix(key).is_some_and(|value| value.contains("{{"))
}

/// Whether the document has a field of its own that the module does not know, so that it may be for another one.
fn has_foreign_field(found: &Found, diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| {
        let name = diagnostic.path.strip_prefix(&found.path).and_then(|rest| rest.strip_prefix('.'));
        name.is_some_and(|name| !name.contains(['.', '['])) && diagnostic.message.starts_with("unknown field")
    })
}

fn paths_of_errors(diagnostics: &[Diagnostic]) -> BTreeSet<String> {
    diagnostics.iter().filter(|one| one.is_error()).map(|one| one.path.clone()).collect()
}

/// Which parts of rate limit documents stand alone.
fn parts(files: &[(&Source, Contents)]) -> Parts {
    let has = |share| files.iter().any(|(_, contents)| contents.found.iter().any(|found| found.share == share));
    Parts { limits: has(Share::Limits), actions: has(Share::Actions) }
}

/// Limits that no action reaches and actions that reach no limit, where files are put together to a document. Each with the
/// number of its file.
fn limits(files: &[(&Source, Contents)], parts: Parts) -> Vec<(usize, Diagnostic)> {
    let others = Others { parts, ..Others::default() };
    let numbered = files
        .iter()
        .enumerate()
        .flat_map(|(file, (_, contents))| contents.found.iter().map(move |found| (file, found)));
    let joined: Vec<(usize, &Found)> = numbered.filter(|(_, found)| found.joins(&others)).collect();
    let mut met = Met::default();
    for (number, (_, found)) in joined.iter().enumerate() {
        for part in Module::of(&found.document).parts(&found.document) {
            if part.module == Module::RateLimit && part.mode != "off" {
                met.add(number, part.value, part.path);
            }
        }
    }
    if !met.has_both() {
        return Vec::new();
    }
    let place = |(number, one): (usize, Diagnostic)| {
        let (file, found) = joined.get(number)?;
        Some((*file, Diagnostic { path: found.location(&one.path), ..one }))
    };
    met.warnings().into_iter().filter_map(place).collect()
}

/// What the other files have.
fn others(file: &str, files: &[(&Source, Contents)]) -> Others {
    let mut others = Others::default();
    for (source, contents) in files.iter().filter(|(source, _)| source.name != file) {
        let on = contents.path_options.iter().filter(|option| option.on);
        others.options.extend(on.map(|option| Elsewhere { file: source.name.clone(), option: option.clone() }));
        others.writers.extend(contents.writers.iter().cloned());
    }
    others
}

/// What is wrong between objects: two of one name, and plugins that get in each other's way. Each with the number of its
/// file.
fn between(files: &[(&Source, Contents)]) -> Vec<(usize, Diagnostic)> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<(&str, &str, &str), (usize, &str)> = BTreeMap::new();
    for (number, (_, contents)) in files.iter().enumerate() {
        for (path, object) in contents.objects.iter().filter(|(_, object)| is_loaded(object)) {
            let Object { kind, namespace, name, .. } = object;
            let key = (kind.as_str(), namespace.as_str(), name.as_str());
            let Some((file, at)) = seen.get(&key).copied() else {
                seen.insert(key, (number, path));
                continue;
            };
            let place = files.get(file).map(|(source, _)| place(source, at)).unwrap_or_default();
            let message = format!("given twice, first at {place}: a cluster has one object of this kind and name");
            found.push((number, Diagnostic::error(path.as_str(), message)));
        }
    }
    let mut placed = Vec::new();
    let mut numbers = Vec::new();
    for (number, (source, contents)) in files.iter().enumerate() {
        for one in contents.found.iter().filter(|found| found.plugin.is_some()) {
            let module = one.plugin.as_ref().and_then(|plugin| plugin.module);
            let module = module.unwrap_or_else(|| Module::of(&one.document));
            let object = contents.object_of(&one.path).and_then(|(root, _)| source.value(root));
            placed.push(Placed { file: &source.name, found: one, module, object });
            numbers.push(number);
        }
    }
    let warnings = overlaps(&placed).into_iter();
    found.extend(warnings.filter_map(|(at, diagnostic)| Some((*numbers.get(at)?, diagnostic))));
    found
}

/// What is said of EnvoyExtensionPolicies of which one keeps another from running, each with the number of its file.
fn attachments(files: &[(&Source, Contents)]) -> Vec<(usize, Diagnostic)> {
    let (mut policies, mut routes, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (source, contents)) in files.iter().enumerate() {
        let plugins = contents.found.iter().filter(|found| found.plugin.is_some());
        let roots = plugins.filter_map(|found| contents.object_of(&found.path)).map(|(root, _)| root);
        let ours: BTreeSet<&str> = roots.collect();
        for (path, object) in &contents.attachments {
            let Some(value) = source.value(path) else { continue };
            let is_ours = ours.contains(path.as_str());
            let attached = Attached { object, value, path, place: place(source, path), is_ours };
            if object.kind == attachment::POLICY {
                policies.push(attached);
                numbers.push(number);
            } else {
                routes.push(attached);
            }
        }
    }
    let said = attachment::diagnostics(&policies, &routes).into_iter();
    said.filter_map(|(at, diagnostic)| Some((*numbers.get(at)?, diagnostic))).collect()
}

/// Whether an object is one of those that this command reads, and has a name.
fn is_loaded(object: &Object) -> bool {
    let is_extension = EXTENSIONS.iter().any(|(kind, _)| object.kind == *kind);
    !object.name.is_empty() && (is_extension || object.kind == "AuthorizationPolicy")
}

fn place(source: &Source, path: &str) -> String {
    match source.position(path) {
        Some(at) => format!("{}:{}:{}", source.name, at.line, at.column),
        None => source.name.clone(),
    }
}

impl Report<'_> {
    /// Adds a diagnostic with its place, unless it is silenced.
    fn add(&mut self, source: &Source, contents: &Contents, diagnostic: Diagnostic) {
        let at = diagnostic.at.or_else(|| source.position(&diagnostic.path));
        let object = contents.object_of(&diagnostic.path).map(|(_, object)| object.shown());
        self.push(Line { file: source.name.clone(), at, object, diagnostic });
    }

    /// How the command ends.
    fn verdict(&self, options: &Validate) -> Result<(), Failure> {
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        if errors > 0 {
            return Err(Failure::Quiet(1));
        }
        if options.require && self.is_empty() {
            return Err(Failure::No("nothing of Weir is in these files, and --require asks for something".to_owned()));
        }
        if options.warnings_as_errors && warnings > 0 {
            return Err(Failure::Quiet(1));
        }
        Ok(())
    }
}
