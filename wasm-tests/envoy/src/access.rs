//! The access log: one JSON object a line, found again by the port of the client that sent the request.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use weir_scenario::{Bytes, Record};

/// The request header that numbers a request of many.
pub(crate) const NUMBER: &str = "weir-test-number";

/// The logger that writes it. What is absent is null there.
pub(crate) fn logger(file: &Path) -> Value {
    logger_with(file, "%RESPONSE_CODE_DETAILS%")
}

/// The same of connections that are not HTTP.
pub(crate) fn logger_of_connections(file: &Path) -> Value {
    logger_with(file, "%CONNECTION_TERMINATION_DETAILS%")
}

fn logger_with(file: &Path, details: &str) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": file,
            "log_format": {"json_format": {
                "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
                "number": format!("%REQ({NUMBER})%"),
                "type": "%ACCESS_LOG_TYPE%",
                "status": "%RESPONSE_CODE%",
                "details": details,
                "flags": "%RESPONSE_FLAGS%",
                "policy": "%FILTER_STATE(wasm.weir.policy:PLAIN)%",
                "rate_limit": "%FILTER_STATE(wasm.weir.rate_limit:PLAIN)%",
                "authz_metadata": "%FILTER_STATE(wasm.weir.authz_metadata:PLAIN)%",
                "ext_authz": "%DYNAMIC_METADATA(envoy.filters.http.ext_authz)%",
            }},
        },
    })
}

/// What the access log has of a client's request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logged {
    /// The lines so far.
    lines: usize,
    /// The newest that was written at an end.
    ended: Option<Record>,
}

impl Logged {
    /// The record, once there is one.
    pub(crate) fn record(&self) -> Option<Record> {
        let Self { lines, ended } = self;
        ended.clone().map(|record| Record { lines: *lines, ..record })
    }
}

/// Adds a line to the records of its client. Other lines are skipped.
pub(crate) fn add(all: &mut BTreeMap<u16, Logged>, line: &str) {
    let client = |tree: &Value| tree.get("client")?.as_str()?.rsplit_once(':')?.1.parse().ok();
    if let Ok(tree) = serde_json::from_str::<Value>(line)
        && let Some(client) = client(&tree)
    {
        let logged = all.entry(client).or_default();
        logged.lines += 1;
        if tree.get("type").and_then(Value::as_str) != Some("DownstreamPeriodic") {
            logged.ended = Some(record(&tree));
        }
    }
}

/// The number of the request and the record of a line; `None` for other lines.
pub(crate) fn parse_numbered(line: &str) -> Option<(usize, Record)> {
    let tree: Value = serde_json::from_str(line).ok()?;
    Some((tree.get("number")?.as_str()?.parse().ok()?, record(&tree)))
}

fn record(tree: &Value) -> Record {
    let text = |name: &str| Bytes::from(tree.get(name).and_then(Value::as_str).unwrap_or("-"));
    let status = tree.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    Record {
        status: status.unwrap_or(0),
        details: text("details"),
        flags: text("flags"),
        policy: text("policy"),
        rate_limit: text("rate_limit"),
        authz_metadata: match tree.get("ext_authz") {
            Some(metadata) if metadata.is_object() => Bytes::from(metadata.to_string().as_str()),
            _ => text("authz_metadata"),
        },
        lines: 1,
    }
}

#[cfg(test)]
mod tests;
