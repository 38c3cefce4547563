use super::{Quota, QuotaHeaders, seconds};
use crate::cases;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn headers_are_envoys() {
    let Some(table) = cases::table("envoy-ratelimit-headers.yaml") else { return };
    for row in table.as_sequence().unwrap() {
        let statuses = row["statuses"].as_sequence().unwrap().iter();
        let quotas: Vec<_> = statuses
            .filter_map(|status| {
                let (requests, unit) = status["limit"].as_str()?.split_once('/').unwrap();
                let quota = Quota {
                    requests: requests.parse().unwrap(),
                    seconds: match unit {
                        "MINUTE" => Some(60),
                        "HOUR" => Some(3600),
                        _ => None,
                    },
                    name: status["name"].as_str().unwrap(),
                };
                Some((quota, status["remaining"].as_u64().unwrap(), status["reset_s"].as_u64().unwrap()))
            })
            .collect();
        let found = quotas.iter().min_by_key(|(_, remaining, _)| *remaining).map(|(quota, remaining, reset)| {
            let all = quotas.iter().map(|(quota, ..)| *quota);
            QuotaHeaders::new(quota.requests, *remaining, *reset, all).into_pairs()
        });
        let expected = row["expect"].as_mapping().unwrap();
        assert_eq!(found.is_some(), !expected.is_empty());
        for (name, value) in found.into_iter().flatten() {
            let name = std::str::from_utf8(name).unwrap();
            assert_eq!(String::from_utf8(value).unwrap(), expected[name].as_str().unwrap(), "{row:?}");
        }
    }
}

#[test]
fn a_name_cannot_end_its_quotes() {
    let quota = Quota { requests: 1, seconds: Some(1), name: "a\"b\\" };
    assert_eq!(QuotaHeaders::new(1, 0, 0, std::iter::once(quota)).limit, r#"1, 1;w=1;name="a\"b\\""#);
}

#[test]
fn seconds_are_rounded_up() {
    assert_eq!([0, 1, 1_000_000_000, 1_000_000_001].map(seconds), [0, 1, 1, 2]);
}
