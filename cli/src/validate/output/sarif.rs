//! SARIF 2.1.0 (OASIS): one run, with a rule for each kind of finding.

use super::super::report::{Line, Report};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ERROR: &str = "invalid";

pub(super) fn of(report: &Report<'_>) -> Value {
    let ids: BTreeSet<&str> = report.lines.iter().map(id).collect();
    let rules: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "weir", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": report.lines.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn id(line: &Line) -> &str {
    line.diagnostic.id.unwrap_or(ERROR)
}

fn result(line: &Line) -> Value {
    let Line { file, at, object, diagnostic } = line;
    let mut location = json!({"artifactLocation": {"uri": uri(file)}});
    if let (Some(at), Some(location)) = (at, location.as_object_mut()) {
        location.insert("region".to_owned(), json!({"startLine": at.line, "startColumn": at.column}));
    }
    let path = diagnostic.shown_path();
    let object = object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
    json!({
        "ruleId": id(line),
        "level": diagnostic.severity.word(),
        "message": {"text": format!("{object}{path}: {}", diagnostic.message)},
        "locations": [{"physicalLocation": location}],
    })
}

/// A path as a relative reference (RFC 3986): what is not unreserved is percent-encoded.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.bytes().fold(String::with_capacity(path.len()), |mut uri, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => uri += &format!("%{byte:02X}"),
        }
        uri
    })
}
