use super::*;

#[test]
fn series_become_rounded_sums() {
    let text = r#"# TYPE istio_requests_total counter
istio_requests_total{reporter="destination",response_code="200",source_app="a"} 4
istio_requests_total{reporter="destination",response_code="200",source_app="b"} 2
istio_requests_total{reporter="destination",response_code="403",source_app="a"} 3
istio_requests_total{reporter="destination",response_code="500",source_app="a"} 0
weir_policy_decisions_total{weir_plugin="cart",decision="allow",mode="enforced",reason="matched",authz_policy="shop/api",authz_rule="1"} 6
weir_policy_decisions_total{weir_plugin="cart",decision="deny",mode="enforced",reason="no_match",authz_policy="-",authz_rule="-"} 1
weir_policy_decisions_total{weir_plugin="cart",decision="deny",mode="shadow",reason="matched",authz_policy="shop/try",authz_rule="0"} 2
weir_ratelimit_decisions_total{weir_plugin="cart",limit="per-user",decision="ok",mode="enforced",reason="within"} 4
weir_ratelimit_decisions_total{weir_plugin="cart",limit="per-user",decision="over_limit",mode="enforced",reason="exceeded"} 1
weir_ratelimit_evictions_total{weir_plugin="cart"} 7
istio_request_duration_milliseconds_bucket{response_code="200",le="0.5"} 0
istio_request_duration_milliseconds_bucket{response_code="200",le="1"} 6
istio_request_duration_milliseconds_bucket{response_code="200",le="5"} 9
istio_request_duration_milliseconds_bucket{response_code="200",le="10"} 10
istio_request_duration_milliseconds_bucket{response_code="200",le="+Inf"} 10
istio_request_duration_milliseconds_sum{response_code="200"} 23.0500000000000007105427357601
istio_request_duration_milliseconds_count{response_code="200"} 10
envoy_server_live 1
"#;
    let summary = Summary::of(text);
    assert!(summary.has_latency());
    assert_eq!(
        summary.lines(),
        [
            "requests by response code         6  200",
            "                                  3  403",
            "policy decisions                  6  allow shop/api[1]",
            "                                  1  deny no match",
            "                                  2  deny shop/try[0] (shadow)",
            "rate limit outcomes               1  per-user exceeded",
            "                                  4  per-user within",
            "latency                          10  requests, mean 2.3 ms, p50 at most 1 ms, p99 at most 10 ms",
        ]
    );
}

#[test]
fn what_envoy_did_not_count_has_no_line() {
    assert!(Summary::of("envoy_server_live 1\n").lines().is_empty());
    let trial = Summary::of("weir_istio_requests_total{response_code=\"200\"} 3\n");
    assert!(!trial.has_latency());
    assert_eq!(trial.lines(), ["requests by response code         3  200"]);
}

#[test]
fn a_request_above_every_bucket_has_no_bound() {
    let text = "istio_request_duration_milliseconds_bucket{le=\"1\"} 1\n\
                istio_request_duration_milliseconds_bucket{le=\"+Inf\"} 2\n\
                istio_request_duration_milliseconds_sum{} 90000\n\
                istio_request_duration_milliseconds_count{} 2\n";
    let expected =
        "latency                           2  requests, mean 45000.0 ms, p50 at most 1 ms, p99 above the last bucket";
    assert_eq!(Summary::of(text).lines(), [expected]);
}
