//! The requests that `weir run` sends: a list in YAML.

use crate::Failure;
use crate::tree::Tree;
use weir_config::{Cursor, read_document};

/// One request to send, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) say: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    /// The SPIFFE identity of who sends it, as policies write it: `cluster.local/ns/shop/sa/web`.
    pub(super) principal: Option<String>,
}

/// The requests of a text, whose name is for messages.
///
/// # Errors
/// Everything that is wrong, each thing with its line and field.
pub(super) fn read(name: &str, text: &str) -> Result<Vec<Planned>, Failure> {
    let unusable = |lines: String| Failure::Use(format!("the requests cannot be used:\n{lines}"));
    let tree = Tree::one(name, text.to_owned()).map_err(|failure| match failure {
        Failure::No(line) => unusable(line),
        failure => failure,
    })?;
    let read = read_document(tree.value.to_string().as_bytes(), |at| at.list().map(|_| at.each(|item| planned(&item))));
    read.map_err(|problems| {
        let lines = problems.0.iter().map(|problem| tree.origin.error(&problem.path, problem.message.as_str()));
        unusable(lines.collect::<Vec<_>>().join("\n"))
    })
}

fn planned(at: &Cursor<'_>) -> Option<Planned> {
    let mut fields = at.object()?;
    let say = fields.require("say").and_then(|at| at.string());
    let method = fields.require("method").and_then(|at| at.text());
    let path = fields.require("path").and_then(|at| path(&at));
    let headers = fields.take("headers").map(|at| headers(&at)).unwrap_or_default();
    let principal = fields.take("principal").and_then(|at| principal(&at));
    fields.finish();
    Some(Planned { say: say?.to_owned(), method: method?.to_owned(), path: path?.to_owned(), headers, principal })
}

/// A SPIFFE identity without the scheme; an identity has neither escapes nor empty segments.
fn principal(at: &Cursor<'_>) -> Option<String> {
    let text = at.text()?;
    let bare = text.strip_prefix("spiffe://").unwrap_or(text);
    let is_plain = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    match is_plain && bare.contains('/') && bare.split('/').all(|part| !part.is_empty()) {
        true => Some(bare.to_owned()),
        false => at.problem("expected a SPIFFE identity such as `cluster.local/ns/shop/sa/web`"),
    }
}

fn path<'v>(at: &Cursor<'v>) -> Option<&'v str> {
    match at.text()? {
        path if path.starts_with('/') || path == "*" => Some(path),
        _ => at.problem("expected a path that begins with `/`"),
    }
}

fn headers(at: &Cursor<'_>) -> Vec<(String, String)> {
    let header = |(name, at): (&str, Cursor<'_>)| match at.value() {
        weir_config::Value::String(text) => Some((name.to_owned(), text.to_string())),
        _ => at.problem("expected a string: put quotation marks around the value"),
    };
    at.map().unwrap_or_default().into_iter().filter_map(header).collect()
}

#[cfg(test)]
mod tests;
