use super::{QuotaHeaders, QuotaPolicy, seconds};
use crate::cases;
use crate::testing::Rows;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn headers_are_envoys() {
    let Some(table) = cases::table("envoy-ratelimit-headers.yaml") else { return };
    let mut rows = Rows::default();
    for row in table.as_sequence().unwrap() {
        let statuses = row["statuses"].as_sequence().unwrap().iter();
        let policies: Vec<_> = statuses
            .filter_map(|status| {
                let (requests, unit) = status["limit"].as_str()?.split_once('/').unwrap();
                let policy = QuotaPolicy {
                    requests: requests.parse().unwrap(),
                    seconds: match unit {
                        "MINUTE" => Some(60),
                        "HOUR" => Some(3600),
                        _ => None,
                    },
                    name: status["name"].as_str().unwrap(),
                };
                Some((policy, status["remaining"].as_u64().unwrap(), status["reset_s"].as_u64().unwrap()))
            })
            .collect();
        let found = policies.iter().min_by_key(|(_, remaining, _)| *remaining).map(|(policy, remaining, reset)| {
            let all = policies.iter().map(|(policy, ..)| *policy);
            QuotaHeaders::new(policy.requests, *remaining, *reset, all).into_pairs()
        });
        let expected = row["expect"].as_mapping().unwrap();
        rows.check(format!("{row:?}"), found.is_some(), !expected.is_empty());
        for (name, value) in found.into_iter().flatten() {
            let name = std::str::from_utf8(name).unwrap();
            rows.check(
                format!("{name} of {row:?}"),
                String::from_utf8(value).unwrap(),
                expected[name].as_str().unwrap(),
            );
        }
    }
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
