//! `istio-path-normalization.yaml`: the path that filters and the upstream see after Envoy's own normalisation.
//!
//! Each row has a rule that allows the row's path and no other, so a request passes only if the filter sees that path.

use crate::batch::{Ask, Batch, Row};
use crate::json::{allowing, exchange, for_row, numbered, rows, scenario, text};
use serde_json::{Value, json};
use weir_scenario::{EscapedSlashes, Exchange, Expect, Module, PathNormalization, Proxy, Request, Status, Text};

const FILE: &str = "istio-path-normalization.yaml";

pub(crate) fn batches() -> Vec<Batch> {
    let Some(table) = weir_testing::read::<Value>(FILE) else { return Vec::new() };
    let plain = PathNormalization::default();
    let mut batches: Vec<Batch> = rows(&table, "istio")
        .iter()
        .map(|group| batch("istio", normalization(text(group, "normalization")), rows(group, "cases")))
        .collect();
    let canonical = PathNormalization { normalize_path: true, ..plain };
    batches.push(batch("envoy_canonical_path", Ok(canonical), rows(&table, "envoy_canonical_path")));
    let merging = PathNormalization { merge_slashes: true, ..plain };
    batches.push(batch("envoy_merge_slashes", Ok(merging), rows(&table, "envoy_merge_slashes")));
    batches
}

/// Istio's mesh-wide setting as Envoy's; the error is why there is none.
fn normalization(name: &str) -> Result<PathNormalization, String> {
    let (normalize_path, merge_slashes, decode) = match name {
        "NONE" => (false, false, false),
        "BASE" | "DEFAULT" => (true, false, false),
        "MERGE_SLASHES" => (true, true, false),
        "DECODE_AND_MERGE_SLASHES" => (true, true, true),
        other => return Err(format!("normalization `{other}`")),
    };
    let escaped_slashes = if decode { EscapedSlashes::UnescapeAndForward } else { EscapedSlashes::Keep };
    Ok(PathNormalization { normalize_path, merge_slashes, escaped_slashes })
}

fn batch(section: &str, normalization: Result<PathNormalization, String>, cases: &[Value]) -> Batch {
    let row = |(number, row): (usize, &Value)| Row {
        name: format!("{section} {row}"),
        config: rule(number, text(row, "out")),
        ask: match normalization.clone().and_then(|how| request_of(number, row, how.normalize_path)) {
            Ok(exchange) => Ask::Answer(vec![exchange]),
            Err(reason) => Ask::Skip(reason),
        },
    };
    let proxy = Proxy { path_normalization: normalization.clone().unwrap_or_default(), ..Proxy::default() };
    Batch {
        part: format!("{FILE} {section}"),
        rows: cases.iter().enumerate().map(row).collect(),
        parts: true,
        build: Box::new(move |rows| {
            let rules = rows.iter().map(|row| row.config.clone()).collect();
            scenario(Module::Policy, allowing(&json!({"namespace": "shop"}), rules), proxy.clone())
        }),
    }
}

/// The rule that allows the row's path. A policy cannot name a path with its own signs; the upstream's is checked anyway.
fn rule(number: usize, out: &str) -> Value {
    let path = out.split('?').next().unwrap_or_default();
    if path.is_empty() || path.contains(['*', '{', '}']) {
        return json!({"when": for_row(number)});
    }
    json!({"to": [{"operation": {"paths": [path]}}], "when": for_row(number)})
}

fn request_of(number: usize, row: &Value, normalized: bool) -> Result<Exchange, String> {
    let path = text(row, "in");
    if !path.starts_with('/') {
        return Err("Envoy refuses a path without a leading slash ahead of all filters".to_owned());
    }
    let status = row.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    if path.contains('#') && status.is_none() {
        return Err("Envoy answers 400 to a fragment, unless a runtime flag of Istio's bootstrap is set".to_owned());
    }
    if normalized && text(row, "out").split('/').any(|segment| segment.starts_with(".;") || segment.starts_with("..;"))
    {
        return Err(
            "Envoy 1.40 and patched older ones resolve `..;x` as `..`; the row is of an Envoy before".to_owned()
        );
    }
    let expect = match status {
        Some(status) => Expect { status: Some(Status::One(status)), upstream_saw: Some(false), ..Expect::default() },
        None => Expect {
            status: Some(Status::One(200)),
            upstream_path: Some(Text::Equal(text(row, "out").into())),
            ..Expect::default()
        },
    };
    Ok(exchange(Request { path: path.into(), ..numbered(number) }, expect))
}
