use crate::RateLimit;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Filter, Node};
use weir_testing::Rows;

fn problems(document: &str) -> String {
    RateLimit::compile(document.as_bytes(), &Node::default()).unwrap_err().to_string()
}

#[test]
fn all_problems_are_reported_at_once() {
    let found = problems(
        r#"{"schema": 2, "mode": "loud", "virtual_hosts": [], "global": {}, "rate_limits": [{}],
            "local": {"config": {}, "charge": "half", "maxKeys": 1, "onFull": "maybe", "position": "before_policy",
                      "algorithms": {"x": {"gcra": {"burst": 0}}}},
            "rate_limited_status": {"code": "Nope"}, "enable_x_ratelimit_headers": "DRAFT_VERSION_02",
            "retryafter": true}"#,
    );
    let mut table = Rows::default();
    for expected in [
        "$.schema: expected",
        "$: `name` is missing",
        "$.mode: `loud` is not one of",
        "$.virtual_hosts: limits by route are not supported yet",
        "$.global: a limit service is not supported yet",
        "$.rate_limits[0]: `actions` is missing",
        "$.local.config: `domain` is missing",
        "$.local.charge: `half` is not one of",
        "$.local.maxKeys: expected a whole number from 8",
        "$.local.onFull: `maybe`",
        "$.local.position: limiting before policy",
        "$.local.algorithms.x.gcra.burst: expected",
        "$.rate_limited_status.code: `Nope`",
        "$.enable_x_ratelimit_headers: `DRAFT_VERSION_02`",
        "$.retryafter: unknown field; did you mean `retryAfter`?",
    ] {
        table.contains(expected, &found, expected);
    }
    assert!(problems(r#"{"schema": 1, "name": "n"}"#).contains("`local` is missing"));
}

#[test]
fn limits_demand_the_clock_that_they_need() {
    let rate = r#""rate_limit": {"name": "a", "unit": "day", "requests_per_unit": 1}"#;
    let gcra = r#""algorithms": {"a": {"gcra": {"burst": 1}}},"#;
    let mut table = Rows::default();
    for (algorithms, rate, clocks) in [("", "", (false, false)), ("", rate, (true, false)), (gcra, rate, (false, true))]
    {
        let limit = format!(r#"{{"key": "a", {rate}}}"#).replace(", }", "}");
        let document = format!(
            r#"{{"schema": 1, "name": "edge", "local": {{{algorithms} "config": {{"domain": "d", "descriptors": [{limit}]}}}}}}"#
        );
        let filter = RateLimit::compile(document.as_bytes(), &Node::default());
        let filter = filter.unwrap_or_else(|problems| panic!("{problems}"));
        let demand = filter.demand(weir_model::Phase::Request);
        table.check(&document, (demand.steady_wall_clock, demand.monotonic_clock), clocks);
        table.check(&document, demand.wall_clock, false);
    }
}
