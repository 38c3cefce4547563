use super::{Module, Standing};
use serde_json::{Value, json};
use weir_testing::Rows;

fn policy(namespace: &str, spec: Value) -> Value {
    json!({"kind": "AuthorizationPolicy", "metadata": {"namespace": namespace, "name": "p"}, "spec": spec})
}

#[test]
fn every_policy_is_read_for_a_workload_that_it_selects() {
    let bad = json!([{"to": [{"operation": {"paths": ["/{x"]}}]}]);
    let mut rows = Rows::default();
    for spec in [
        json!({"rules": bad}),
        json!({"selector": {"matchLabels": {"app": "cart"}}, "rules": bad}),
        json!({
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}],
            "rules": bad,
        }),
    ] {
        let policies =
            json!([policy("ok", json!({"rules": [{}]})), {"kind": "List", "items": [policy("shop", spec.clone())]}]);
        let document = json!({"schema": 1, "name": "mesh", "policies": policies});
        let problems = Module::Policy.compile(&document, None, Standing::Plugin).problems;
        rows.check(&spec, problems.len(), 1);
        rows.contains(&spec, &problems[0].path, "operation.paths[0]");
        let suite = json!({"schema": 1, "name": "mesh", "policy": {"policies": policies}});
        rows.check(&spec, Module::Suite.compile(&suite, None, Standing::Plugin).problems.len(), 1);
    }
}

#[test]
fn policies_of_a_whole_mesh_are_no_problem() {
    let rules = json!([{}]);
    let target =
        |group: &str, kind: &str| json!({"targetRefs": [{"group": group, "kind": kind, "name": "x"}], "rules": rules});
    let policies = json!([
        policy("a", json!({"rules": rules})),
        policy("b", json!({"selector": {"matchLabels": {"app": "cart"}}, "rules": rules})),
        policy("c", target("gateway.networking.k8s.io", "Gateway")),
        policy("d", target("", "Service")),
    ]);
    let problems = Module::Policy
        .compile(&json!({"schema": 1, "name": "mesh", "policies": policies}), None, Standing::Plugin)
        .problems;
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn a_module_is_known_by_its_file_or_image() {
    let mut rows = Rows::default();
    for (source, module) in [
        ("dist/suite.wasm", Some(Module::Suite)),
        ("oci://registry.example.com:5000/weir/rate-limit:0.1.0", Some(Module::RateLimit)),
        ("registry.example.com/weir/policy@sha256:0f4c", Some(Module::Policy)),
        ("telemetry", Some(Module::Telemetry)),
        ("dist/telemetry-response.wasm", Some(Module::Telemetry)),
        ("dist/suite-lean.wasm", Some(Module::Suite)),
        ("dist/suite-audit.wasm", Some(Module::Suite)),
        ("dist/policy-audit.wasm", Some(Module::Policy)),
        ("dist/rate-limit-lean.wasm", Some(Module::RateLimit)),
        ("/var/lib/istio/data/3f79.wasm", None),
        ("", None),
    ] {
        rows.check(source, Module::named(source), module);
    }
}

#[test]
fn each_part_has_its_mode() {
    let document = json!({"mode": "shadow", "policy": {}, "rateLimit": {"mode": "enforce"}, "telemetry": {}});
    let parts: Vec<_> =
        Module::Suite.parts(&document).iter().map(|part| (part.path, part.mode, part.refuses())).collect();
    let expected = [("$.policy", "shadow", false), ("$.rateLimit", "enforce", true), ("$.telemetry", "shadow", false)];
    assert_eq!(parts, expected);
    let alone = json!({});
    let parts: Vec<_> = [Module::Policy, Module::Telemetry].map(|module| module.parts(&alone)[0].refuses()).into();
    assert_eq!(parts, [true, false]);
}

#[test]
fn a_document_that_stands_alone_is_warned_of_what_envoy_without_istio_cannot_see() {
    let spec = json!({"action": "DENY", "rules": [{"from": [{"source": {"principals": ["td/ns/a/sa/b"]}}]}]});
    let policies = json!([{"kind": "AuthorizationPolicy", "metadata": {"name": "p", "namespace": "a"}, "spec": spec}]);
    let document = json!({"schema": 1, "name": "mesh", "policies": policies});
    let mut rows = Rows::default();
    for (standing, expected) in [(Standing::Plugin, vec![]), (Standing::Alone, vec!["one-uri-san"])] {
        let compiled = Module::Policy.compile(&document, None, standing);
        rows.check(
            format!("{standing:?}"),
            compiled.warnings.iter().map(|warning| warning.id).collect::<Vec<_>>(),
            expected,
        );
        rows.check(format!("{standing:?}"), compiled.problems, []);
    }
}

/// A document is compiled for the proxies that its policies are for, also where they are packed.
#[test]
fn packed_policies_are_read_for_the_same_proxies() {
    let target = |kind: &str, name: &str| json!([{"group": "gateway.networking.k8s.io", "kind": kind, "name": name}]);
    let bad = json!([{"to": [{"operation": {"paths": ["/{x"]}}]}]);
    let gateway = policy("edge", json!({"targetRefs": target("Gateway", "edge"), "rules": [{}]}));
    let mut route = policy("edge", json!({"targetRefs": target("HTTPRoute", "cart"), "rules": [{}]}));
    route["metadata"]["name"] = json!("route");
    let cases = [
        ("of a namespace", json!([policy("shop", json!({"rules": [{}]}))])),
        ("refuses all", json!([policy("shop", json!({}))])),
        ("wrong", json!([policy("shop", json!({"rules": bad}))])),
        ("of a gateway and its routes", json!([gateway, route])),
        ("of a gateway, in a list", json!([{"kind": "List", "items": [gateway, route]}])),
        ("of routes alone", json!([route])),
    ];
    let mut rows = Rows::default();
    for (name, policies) in cases {
        let said = |module: Module, document: &Value| {
            let compiled = module.compile(document, None, Standing::Alone);
            let problems = compiled.problems.into_iter().map(|problem| (problem.path, problem.message));
            let warnings = compiled.warnings.into_iter().map(|warning| (warning.path, warning.message));
            problems
                .chain(warnings)
                .map(|(path, text)| (path.replace("policiesGzip", "policies"), text))
                .collect::<Vec<_>>()
        };
        let written = json!({"schema": 1, "name": "mesh", "policies": policies});
        let packed = crate::render::compressed(&written).unwrap();
        rows.check(name, said(Module::Policy, &packed), said(Module::Policy, &written));
        let written = json!({"schema": 1, "name": "mesh", "policy": {"policies": policies}});
        let packed = crate::render::compressed(&written).unwrap();
        rows.check(format!("{name}, suite"), said(Module::Suite, &packed), said(Module::Suite, &written));
    }
}
