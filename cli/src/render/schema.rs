//! Whether an object is one that the API server takes: the structural schemas of Istio's custom resources, for each line of
//! Istio, and of Envoy Gateway's, as `cli/schemas` has them. CEL rules are asked for as far as
//! the schemas say them in their own words; formats are not.

pub(crate) mod structural;

use clap::ValueEnum;
use serde_json::Value;
use std::sync::LazyLock;
use structural::Difference;

/// A line of Istio releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Istio {
    #[value(name = "1.28")]
    V1_28,
    #[value(name = "1.29")]
    V1_29,
    #[value(name = "1.30")]
    V1_30,
    #[value(name = "1.31")]
    V1_31,
}

impl Istio {
    pub(crate) const ALL: [Self; 4] = [Self::V1_28, Self::V1_29, Self::V1_30, Self::V1_31];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V1_28 => "1.28",
            Self::V1_29 => "1.29",
            Self::V1_30 => "1.30",
            Self::V1_31 => "1.31",
        }
    }
}

/// Envoy Gateway's only kind here, which is the same in its lines.
const ENVOY_GATEWAY: (&str, &str) =
    ("EnvoyExtensionPolicy", include_str!("../../schemas/envoy-gateway/envoyextensionpolicy.json"));

/// A kind of resource, the first line that its schema is of, and the schema; it holds until the next one of its kind.
const SCHEMAS: [(&str, Istio, &str); 8] = [
    ("EnvoyFilter", Istio::V1_28, include_str!("../../schemas/istio/envoyfilter-1.28.json")),
    ("EnvoyFilter", Istio::V1_29, include_str!("../../schemas/istio/envoyfilter-1.29.json")),
    ("EnvoyFilter", Istio::V1_31, include_str!("../../schemas/istio/envoyfilter-1.31.json")),
    ("Telemetry", Istio::V1_28, include_str!("../../schemas/istio/telemetry-1.28.json")),
    ("Telemetry", Istio::V1_29, include_str!("../../schemas/istio/telemetry-1.29.json")),
    ("Telemetry", Istio::V1_30, include_str!("../../schemas/istio/telemetry-1.30.json")),
    ("TrafficExtension", Istio::V1_30, include_str!("../../schemas/istio/trafficextension-1.30.json")),
    ("WasmPlugin", Istio::V1_28, include_str!("../../schemas/istio/wasmplugin-1.28.json")),
];

/// What the schema of that Istio line has against `object`, each with its path; a line that lacks the kind has everything
/// against it.
pub(crate) fn problems(object: &Value, line: Istio) -> Vec<String> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    match SCHEMAS.iter().rfind(|(name, first, _)| *name == kind && *first <= line) {
        Some((.., text)) => against(object, kind, text),
        None => vec![format!("$: Istio {} has no `{kind}`", line.name())],
    }
}

/// What Envoy Gateway's schema has against `object`, as [`problems`].
pub(crate) fn gateway_problems(object: &Value) -> Vec<String> {
    let (kind, text) = ENVOY_GATEWAY;
    against(object, kind, text)
}

/// What the schemas have against an object at `path` that any line may get: nothing if one of them takes it, else what the newest
/// has. Of a kind that there is no schema for, nothing.
pub(crate) fn differences(object: &Value, path: &str) -> Vec<Difference> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let all: Vec<Vec<Difference>> = PARSED
        .iter()
        .rev()
        .filter(|(name, _)| *name == kind)
        .map(|(_, schema)| structural::differences(object, schema, path))
        .collect();
    if all.iter().any(Vec::is_empty) { Vec::new() } else { all.into_iter().next().unwrap_or_default() }
}

/// The schemas, each with its kind, read once.
static PARSED: LazyLock<Vec<(&str, Value)>> = LazyLock::new(|| {
    let all = SCHEMAS.iter().map(|(kind, _, text)| (*kind, *text)).chain([ENVOY_GATEWAY]);
    all.filter_map(|(kind, text)| Some((kind, serde_json::from_str(text).ok()?))).collect()
});

fn against(object: &Value, kind: &str, schema: &str) -> Vec<String> {
    match serde_json::from_str(schema) {
        Ok(schema) => structural::check(object, &schema, "$"),
        Err(error) => vec![format!("$: the schema of `{kind}` is damaged: {error}")],
    }
}

#[cfg(test)]
mod tests;
