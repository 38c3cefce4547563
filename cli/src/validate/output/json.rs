//! For programs: one object, with what was read and each finding.

use super::super::report::{Line, Report};
use crate::diagnostic::Severity;
use serde_json::{Value, json};

pub(super) fn of(report: &Report<'_>) -> Value {
    json!({
        "files": report.files,
        "documents": report.documents,
        "policies": report.policies,
        "rules": {"all": report.rules.all, "alwaysTried": report.rules.always},
        "limits": report.limits,
        "actions": report.actions,
        "passedOver": report.passed,
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "findings": report.lines.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(line: &Line) -> Value {
    let Line { file, at, object, diagnostic } = line;
    json!({
        "file": file,
        "line": at.map(|at| at.line),
        "column": at.map(|at| at.column),
        "severity": diagnostic.severity,
        "id": diagnostic.id,
        "object": object,
        "path": diagnostic.shown_path(),
        "message": diagnostic.message,
    })
}
