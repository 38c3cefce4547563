use super::{QuotaHeaders, QuotaPolicy, seconds};
use crate::cases;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::{Outcome, Score};

/// The headers that a row's statuses give, beside those that it expects.
fn headers(row: &serde_yaml_ng::Value) -> Outcome {
    let statuses = cases::rows(row, "statuses");
    let policies: Vec<_> = statuses
        .iter()
        .filter_map(|status| {
            let (requests, unit) = status["limit"].as_str()?.split_once('/').unwrap();
            let policy = QuotaPolicy {
                requests: requests.parse().unwrap(),
                seconds: match unit {
                    "SECOND" => Some(1),
                    "MINUTE" => Some(60),
                    "HOUR" => Some(3600),
                    "DAY" => Some(86_400),
                    _ => None,
                },
                name: status["name"].as_str().unwrap(),
            };
            Some((policy, status["remaining"].as_u64().unwrap(), status["reset_s"].as_u64().unwrap()))
        })
        .collect();
    let found = policies.iter().min_by_key(|(_, remaining, _)| *remaining).map(|(policy, remaining, reset)| {
        let all = policies.iter().map(|(policy, ..)| *policy);
        QuotaHeaders::new(policy.requests.into(), *remaining, *reset, all).into_pairs()
    });
    let expected = row["expect"].as_mapping().unwrap();
    let mut outcome = Outcome::equal(found.is_some(), !expected.is_empty());
    for (name, value) in found.into_iter().flatten() {
        let expected = expected.get(std::str::from_utf8(name).unwrap()).and_then(|value| value.as_str());
        outcome = outcome.and(Outcome::equal(std::str::from_utf8(&value).ok(), expected));
    }
    outcome
}

#[test]
fn third_party_headers() {
    let Some(table) = cases::table("envoy-ratelimit-headers.yaml") else { return };
    let mut score = Score::new("envoy-ratelimit-headers.yaml");
    for row in table.as_sequence().into_iter().flatten() {
        score.row(row["name"].as_str().unwrap_or_default(), || headers(row));
    }
    score.end();
}

#[test]
fn a_name_cannot_end_its_quotes() {
    let policy = QuotaPolicy { requests: 1, seconds: Some(1), name: "a\"b\\" };
    assert_eq!(QuotaHeaders::new(1, 0, 0, std::iter::once(policy)).limit, r#"1, 1;w=1;name="a\"b\\""#);
}

#[test]
fn seconds_are_rounded_up() {
    assert_eq!([0, 1, 1_000_000_000, 1_000_000_001].map(seconds), [0, 1, 1, 2]);
}
