//! Overall answers of envoyproxy/ratelimit, where its table is at hand.

use super::{ask, filter, now};
use crate::cases;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::MemoryCells;
use weir_testing::{Outcome, Score};

/// Whether a request passes whose descriptors have limits as a row says.
fn overall(row: &serde_yaml_ng::Value) -> Outcome {
    let descriptors = cases::rows(row, "descriptors");
    let quota = descriptors.iter().any(|descriptor| descriptor["mode"].as_str() == Some("quota"));
    if quota || row["global_quota"].as_bool() == Some(true) {
        return Outcome::skip("quota mode is refused");
    }
    if descriptors.is_empty() {
        return Outcome::skip("without descriptors no limit is asked; the service reports an error");
    }
    let (mut items, mut limits) = (Vec::new(), Vec::new());
    for (number, descriptor) in descriptors.iter().enumerate() {
        let requests = if descriptor["over"].as_bool() == Some(true) { 0 } else { 9 };
        let limit = match descriptor["mode"].as_str().unwrap() {
            "none" => String::new(),
            "unlimited" => r#","rate_limit":{"unlimited":true}"#.to_owned(),
            mode => format!(
                r#","shadow_mode":{},"rate_limit":{{"unit":"day","requests_per_unit":{requests}}}"#,
                mode == "shadow"
            ),
        };
        items.push(format!(r#"{{"actions":[{{"generic_key":{{"descriptor_value":"v{number}"}}}}]}}"#));
        limits.push(format!(r#"{{"key":"generic_key","value":"v{number}"{limit}}}"#));
    }
    let document = format!(
        r#"{{"schema":1,"name":"n","rate_limits":[{}],"local":{{"config":{{"domain":"d","descriptors":[{}]}}}}}}"#,
        items.join(","),
        limits.join(",")
    );
    let seen = ask(&mut filter(&document), &mut MemoryCells::default(), "ann", now(0));
    Outcome::equal(Some(if seen.passed() { "OK" } else { "OVER_LIMIT" }), row["expect"].as_str())
}

#[test]
fn third_party_overall_answers() {
    let Some(table) = cases::table("envoyproxy-ratelimit.yaml") else { return };
    let mut score = Score::new("envoyproxy-ratelimit.yaml overall");
    for row in cases::rows(&table, "overall") {
        score.row(row["name"].as_str().unwrap_or_default(), || overall(&row));
    }
    score.end();
}
