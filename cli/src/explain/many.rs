//! `weir explain --requests`: one answer a line for many requests, in their order.

use super::log;
use super::options::Explain;
use super::policies::Policies;
use super::print::{Context, summary};
use super::request::{self, Request};
use crate::tree::Tree;
use crate::{Failure, input, print};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

/// Answers each line of a file. One that cannot be used gets an `error` in place of an answer, and the rest go on.
///
/// # Errors
/// If one could not be used, or had another answer than is expected.
pub(super) fn explain(policies: &mut Policies, options: &Explain, path: &Path) -> Result<(), Failure> {
    let name = if path.as_os_str() == "-" { "stdin".to_owned() } else { path.display().to_string() };
    let unreadable = |error: std::io::Error| Failure::Use(format!("`{name}` cannot be read: {error}"));
    if !options.flags.is_empty() {
        return Err(Failure::Use("--requests has whole requests: give no field of one as an option".to_owned()));
    }
    let mut lines = BufReader::new(input::open(path).map_err(unreadable)?);
    let mut out = print::writer();
    let unwritable = |error: std::io::Error| crate::unwritable(&error);
    let mut answer = |answer: &Value| writeln!(out, "{}", print::plain_json(&answer.to_string())).map_err(unwritable);
    let context = Context { mode: policies.mode, name: policies.name.clone(), of: policies.of.clone() };
    let (mut count, mut unusable, mut unexpected) = (0usize, 0usize, 0usize);
    let mut text = Vec::new();
    for number in 1usize.. {
        text.clear();
        if lines.read_until(b'\n', &mut text).map_err(unreadable)? == 0 {
            break;
        }
        let line = text.trim_ascii();
        if line.is_empty() {
            continue;
        }
        count += 1;
        match read(&name, number, line) {
            Ok(request) => {
                let explainer = policies.explainer(request.protocol)?;
                let facts = request.facts(explainer);
                let missing = facts.missing(explainer);
                let answers = facts.with(|facts| explainer.answers(facts, &missing));
                let is_expected = |word| context.decision(&answers.enforced) == word;
                unexpected += usize::from(options.expect.is_some_and(|expected| !is_expected(expected.word())));
                answer(&summary(&context, &answers))?;
            }
            Err(problems) => {
                unusable += 1;
                answer(&json!({"error": problems.join("\n")}))?;
            }
        }
    }
    out.flush().map_err(unwritable)?;
    match (unusable, unexpected) {
        (0, 0) => Ok(()),
        (0, unexpected) => Err(Failure::No(format!("{unexpected} of {count} answers are not as expected"))),
        _ => Err(Failure::Use(format!("{unusable} of {count} lines of `{name}` cannot be used"))),
    }
}

/// The request of one line.
fn read(name: &str, number: usize, line: &[u8]) -> Result<Request, Vec<String>> {
    let Ok(text) = std::str::from_utf8(line) else { return Err(vec![format!("{name}:{number}: not UTF-8")]) };
    if !text.starts_with('{') {
        return log::read(text).map_err(|problem| vec![format!("{name}:{number}: {problem}")]);
    }
    request::of_json(text).map_err(|problems| {
        // Only what is wrong needs its column.
        let tree = Tree::one(name, text.to_owned());
        let place = |path: &str| match &tree {
            Ok(tree) => tree.origin.inside(path).column(),
            Err(_) => None,
        };
        let line = |(path, message): &(String, String)| match place(path) {
            Some(column) => format!("{name}:{number}:{column}: {path}: {message}"),
            None => format!("{name}:{number}: {path}: {message}"),
        };
        problems.iter().map(line).collect()
    })
}
