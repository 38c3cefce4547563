//! The obvious evaluator of conditions on dynamic metadata: each value by Istio's matchers, one after the other.

use super::naive::simple;
use serde_json::Value;

pub(super) const JWT_FILTER: &str = "envoy.filters.http.jwt_authn";

/// Dynamic metadata as a filter gets it.
#[derive(Clone, Debug)]
pub(crate) enum Metadata {
    Known(Value),
    Unreadable,
}

/// Whether a field or condition is about metadata.
pub(super) fn knows(name: &str) -> bool {
    name == "requestPrincipals" || name.starts_with("request.auth.") || name.starts_with("experimental.")
}

/// Whether one of the values matches; `None` if that cannot be known.
pub(super) fn test(name: &str, values: &[&str], metadata: &Metadata) -> Option<bool> {
    let Metadata::Known(metadata) = metadata else { return None };
    let payload = &metadata[JWT_FILTER]["payload"];
    match name {
        "requestPrincipals" | "request.auth.principal" => request_principal(values, payload),
        "request.auth.audiences" => claim(values, &payload["aud"]),
        "request.auth.presenter" => claim(values, &payload["azp"]),
        _ if name.starts_with("request.auth.claims[") => {
            let path = name.strip_prefix("request.auth.claims[").unwrap().strip_suffix(']').unwrap();
            // In these tests no name has a bracket unless it is `[group]`.
            let names = if path == "[group]" { vec![path] } else { path.split("][").collect() };
            claim(values, names.iter().fold(payload, |value, name| &value[name]))
        }
        _ => {
            let (filter, key) = name.strip_prefix("experimental.")?.strip_suffix(']')?.split_once('[')?;
            let found = &metadata[filter][key];
            let (of_lists, of_texts): (Vec<&str>, Vec<&str>) =
                values.iter().partition(|value| value.starts_with('[') && value.ends_with(']'));
            let of_lists: Vec<&str> = of_lists.iter().map(|value| value.trim_matches(['[', ']'])).collect();
            claim(if found.is_array() { &of_lists } else { &of_texts }, found)
        }
    }
}

/// A text, or the texts of a list. A line feed in one of them is not compared.
fn claim(values: &[&str], found: &Value) -> Option<bool> {
    let texts: Vec<&str> = match found {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_comparable = texts.iter().all(|text| !text.contains('\n'));
    let matches = |value: &&str| texts.iter().any(|text| simple(value, text.as_bytes(), false));
    is_comparable.then(|| values.iter().any(matches))
}

fn request_principal(values: &[&str], payload: &Value) -> Option<bool> {
    let (Some(issuer), Some(subject)) = (payload["iss"].as_str(), payload["sub"].as_str()) else { return Some(false) };
    if issuer.chars().chain(subject.chars()).any(|letter| letter < ' ') {
        return None;
    }
    let matches = |value: &&str| {
        let is_present = |text: &str| !text.is_empty();
        match value.rsplit_once('/') {
            _ if *value == "*" => is_present(issuer) && is_present(subject),
            Some((left, right)) if value.starts_with('*') => {
                let issuer_matches = if left == "*" { is_present(issuer) } else { issuer.ends_with(&left[1..]) };
                issuer_matches && subject == right
            }
            None if value.starts_with('*') => is_present(issuer) && subject.ends_with(&value[1..]),
            Some((left, "*")) => issuer == left && is_present(subject),
            Some((left, right)) if right.ends_with('*') => {
                issuer == left && subject.starts_with(right.strip_suffix('*').unwrap())
            }
            None if value.ends_with('*') => issuer.starts_with(value.strip_suffix('*').unwrap()) && is_present(subject),
            Some((left, right)) => issuer == left && subject == right,
            None => issuer == *value && subject.is_empty(),
        }
    };
    Some(values.iter().any(matches))
}
