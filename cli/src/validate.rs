//! `weir validate`: what is wrong with the documents in files, and what is doubtful about them.

use crate::check::{self, Diagnostic, Elsewhere, Others};
use crate::compile::Module;
use crate::documents::{self, Contents, Found};
use crate::{Failure, yaml};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Reads a file with one document, as strictly as the filters read theirs.
pub(crate) fn read(path: &Path) -> Result<Value, Failure> {
    yaml::one(&documents::read(path)?).map_err(|error| Failure::No(format!("`{}`: {error}", path.display())))
}

/// Validates the documents in files; prints one line per problem and warning, and one per document that is fine.
pub(crate) fn validate(files: &[PathBuf], given: Option<Module>) -> Result<(), Failure> {
    let (mut bad, mut all) = (0, 0);
    let files: Vec<(String, Result<Contents, Failure>)> =
        files.iter().map(|path| (path.display().to_string(), documents::read_all(path))).collect();
    for (file, contents) in &files {
        let contents = match contents {
            Ok(contents) => contents,
            Err(Failure::Use(problem) | Failure::No(problem)) => {
                say!("{problem}")?;
                (bad, all) = (bad + 1, all + 1);
                continue;
            }
        };
        if contents.is_empty() {
            say!("{file}: holds no document of Weir")?;
            (bad, all) = (bad + 1, all + 1);
        } else if contents.found.is_empty() {
            say!("{file}: holds no document of Weir; its routes are compared with the other files")?;
        }
        let others = others(file, &files);
        for found in &contents.found {
            let by_plugin = found.plugin.as_ref().and_then(|plugin| plugin.module);
            let module = given.or(by_plugin).unwrap_or_else(|| Module::of(&found.document));
            let diagnostics = check::check(found, module, contents, &others);
            for diagnostic in &diagnostics {
                say!("{}", diagnostic.line(file))?;
            }
            all += 1;
            if diagnostics.iter().any(|diagnostic| diagnostic.is_problem) {
                bad += 1;
                if given.or(by_plugin).is_none() && found.is_whole() && has_foreign_field(found, &diagnostics) {
                    say!("{file}: read as a {module} document; use --module if it is another")?;
                }
            } else {
                let location = if found.path == "$" { String::new() } else { format!(" at {}", found.path) };
                say!("{file}: a valid {module} document{location}")?;
            }
        }
    }
    if bad == 0 { Ok(()) } else { Err(Failure::No(format!("{bad} of {all} documents have problems"))) }
}

/// Whether the document has a field of its own that the module does not know, so that it may be for another one.
fn has_foreign_field(found: &Found, diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| {
        let name = diagnostic.path.strip_prefix(&found.path).and_then(|rest| rest.strip_prefix('.'));
        name.is_some_and(|name| !name.contains(['.', '['])) && diagnostic.message.starts_with("unknown field")
    })
}

/// What the other files have.
fn others(file: &str, files: &[(String, Result<Contents, Failure>)]) -> Others {
    let mut others = Others::default();
    let read =
        files.iter().filter(|(other, _)| other != file).filter_map(|(name, read)| Some((name, read.as_ref().ok()?)));
    for (other, contents) in read {
        let on = contents.path_options.iter().filter(|option| option.on);
        others.options.extend(on.map(|option| Elsewhere { file: other.clone(), option: option.clone() }));
        others.writers.extend(contents.writers.iter().cloned());
    }
    others
}
