use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

const POLICY: &str = r#""policy": {"workload": {"namespace": "shop", "labels": {}}, "policies": [
    {"kind": "AuthorizationPolicy", "metadata": {"name": "p", "namespace": "shop"},
     "spec": {"action": "DENY", "rules": [{"to": [{"operation": {"ports": ["1"]}}]}]}}]}"#;

fn compile(sections: &str) -> Result<TcpSuite, String> {
    let document = format!(r#"{{"schema": 1, "name": "cart", {sections}}}"#);
    TcpSuite::compile(document.as_bytes(), &Node::default()).map_err(|problems| problems.to_string())
}

#[test]
fn a_suite_decides_connections_by_its_policy_alone() {
    let mut rows = Rows::default();
    for (sections, problem) in [
        (POLICY.to_owned(), ""),
        (format!(r#"{POLICY}, "telemetry": {{}}"#), "$.telemetry: it is about requests"),
        (format!(r#"{POLICY}, "rateLimit": {{}}"#), "$.rateLimit: it is about requests"),
        (format!(r#"{POLICY}, "polic": {{}}"#), "$.polic: unknown field"),
        (r#""mode": "enforce""#.to_owned(), "$: `policy` is missing"),
    ] {
        let compiled = compile(&sections);
        rows.contains(&sections, compiled.as_ref().err().map_or("", String::as_str), problem);
        rows.check(&sections, compiled.is_ok(), problem.is_empty());
    }
    let suite = compile(POLICY).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(!suite.demand(TcpPhase::Data).idle);
    assert!(suite.demand(TcpPhase::Opened).idle);
}
