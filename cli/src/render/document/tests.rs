use crate::compile::Module;
use crate::render::form::Form;
use crate::render::plan::Wanted;
use crate::render::tests::{documents, everything, policy, render, wanted};
use crate::render::workload::{Direction, Proxy};
use serde_json::{Value, json};
use weir_config::Mode;
use weir_testing::Rows;

fn of(module: Module) -> Wanted {
    Wanted { module, ..wanted(Form::WasmPlugin, Proxy::Sidecar) }
}

/// The only document that is rendered of those trees.
fn one(wanted: &Wanted, trees: &[Value]) -> Value {
    documents(&render(wanted, trees).unwrap()).remove(0)
}

#[test]
fn each_module_gets_its_own_part_of_the_files() {
    let mut rows = Rows::default();
    for (module, present, absent) in [
        (Module::Policy, ["policies", "workload"], ["local", "metricPrefix"]),
        (Module::RateLimit, ["local", "rate_limits"], ["policies", "metricPrefix"]),
        (Module::Telemetry, ["metricPrefix", "schema"], ["policies", "local"]),
        (Module::Suite, ["policy", "rateLimit"], ["policies", "local"]),
    ] {
        let document = one(&of(module), &everything());
        let has = |name: &str| document.get(name).is_some();
        rows.check(module, (present.map(has), absent.map(has)), ([true; 2], [false; 2]));
        rows.check(module, (&document["schema"], &document["name"]), (&json!(1), &json!("cart")));
    }
}

#[test]
fn the_workload_is_written_into_the_policy() {
    let document = one(&of(Module::Policy), &everything());
    let expected = json!({"namespace": "shop", "proxy": "sidecar", "labels": {"app": "cart"}});
    assert_eq!(document["workload"], expected);
    // Where the pods' own labels have to decide, none are written that would hide them.
    let versions = policy("v", json!({"version": "v1"}), json!({"action": "DENY", "rules": [{}]}));
    let document = one(&of(Module::Policy), std::slice::from_ref(&versions));
    assert_eq!(document["workload"], json!({"namespace": "shop", "proxy": "sidecar"}));
    assert_eq!(document["policies"].as_array().unwrap().len(), 1);
}

#[test]
fn policies_are_inbound_and_the_rest_is_where_it_is_asked_for() {
    let wanted = Wanted { directions: Some(vec![Direction::Inbound, Direction::Outbound]), ..of(Module::Suite) };
    let documents = documents(&render(&wanted, &everything()).unwrap());
    let sections = |document: &Value| ["policy", "rateLimit", "telemetry"].map(|name| document.get(name).is_some());
    assert_eq!(documents.iter().map(sections).collect::<Vec<_>>(), [[true, true, true], [false, true, true]]);
    let outbound = Wanted { directions: Some(vec![Direction::Outbound]), ..of(Module::Policy) };
    let found = render(&outbound, &everything()).unwrap_err().join("\n");
    assert!(found.contains("do nothing on a sidecar's outbound listeners"), "{found}");
}

#[test]
fn modes_are_kept_unless_one_is_asked_for() {
    let policy = policy("a", json!({"app": "cart"}), json!({"action": "DENY", "rules": [{}]}));
    let suite = json!({"schema": 1, "name": "s", "mode": "shadow", "policy": {"mode": false}, "telemetry": {}});
    let alone = json!({"schema": 1, "name": "s", "mode": "shadow", "policies": [policy]});
    let limits =
        json!({"schema": 1, "name": "s", "mode": "off", "local": {"config": {"domain": "d", "descriptors": []}}});
    let modes = |document: Value| ["/mode", "/policy/mode", "/rateLimit/mode"].map(|at| document.pointer(at).cloned());
    let word = |text: &str| Some(json!(text));
    let asked = |mode| Wanted { mode: Some(mode), ..of(Module::Suite) };
    let mut rows = Rows::default();
    for (name, wanted, trees, expected) in [
        ("as written", of(Module::Suite), vec![suite.clone()], [word("shadow"), word("off"), None]),
        ("asked for", asked(Mode::Off), vec![suite.clone()], [word("off"), None, None]),
        ("a module's document in a suite", of(Module::Suite), vec![alone, limits], [None, word("shadow"), word("off")]),
        ("a suite's section alone", of(Module::Policy), vec![suite], [word("off"), None, None]),
    ] {
        rows.check(name, modes(one(&wanted, &trees)), expected);
    }
}

#[test]
fn metrics_stand_beside_istios_unless_they_replace_them() {
    let named = |prefix: &str| json!({"schema": 1, "name": "t", "telemetry": {"metricPrefix": prefix}});
    let plain = json!({"schema": 1, "name": "t", "telemetry": {}});
    let native = Wanted { replaces_native: true, ..of(Module::Suite) };
    let envoy = wanted(Form::Envoy, Proxy::Sidecar);
    let prefix = |wanted: &Wanted, tree: &Value| {
        let documents = render(wanted, std::slice::from_ref(tree)).map(|rendered| documents(&rendered));
        documents
            .map(|documents| documents[0]["telemetry"].get("metricPrefix").cloned())
            .map_err(|found| found.join("\n"))
    };
    let mut rows = Rows::default();
    for (name, wanted, tree, expected) in [
        ("beside", &of(Module::Suite), plain.clone(), Some(json!("weir_istio_"))),
        ("named", &of(Module::Suite), named("x_"), Some(json!("x_"))),
        ("replaced", &native, plain.clone(), None),
        ("replaced, named", &native, named("istio_"), Some(json!("istio_"))),
        ("without Istio", &envoy, plain, None),
    ] {
        rows.check(name, prefix(wanted, &tree), Ok(expected));
    }
    rows.contains("other", &prefix(&native, &named("x_")).unwrap_err(), "needs Istio's names");
    let limits =
        json!({"schema": 1, "name": "t", "rateLimit": {"local": {"config": {"domain": "d", "descriptors": []}}}});
    rows.contains("none", &prefix(&native, &limits).unwrap_err(), "nothing would count");
}

#[test]
fn what_two_files_say_differently_is_a_problem() {
    let limits = || json!({"domain": "d", "descriptors": []});
    let document = |name: &str| json!({"schema": 1, "name": name, "telemetry": {}});
    let elsewhere = json!({"schema": 1, "policy": {"workload": {"namespace": "stock"}}});
    let mut rows = Rows::default();
    for (trees, expected) in [
        (vec![limits(), limits()], "1.yaml: error: $: limits are in another file too"),
        (vec![json!({"apply": []}), json!({"apply": []})], "1.yaml: error: $.apply: `apply` is in another file too"),
        (vec![document("a"), document("b")], "1.yaml: error: $.telemetry: `telemetry` is in another document too"),
        (vec![document("a"), document("b")], "1.yaml: error: $.name: `name` differs from that of another document"),
        (vec![elsewhere], "`workload.namespace` is \"stock\" in a document, and \"shop\" is rendered for"),
        (vec![json!({"schema": 1, "polcy": {}})], "polcy: unknown field; did you mean `policy`?"),
        (vec![json!({"schema": 2, "telemetry": {}})], ".schema: expected `1`"),
        (vec![json!({"kind": "Service"})], "the files have nothing for the module to do"),
    ] {
        rows.contains(expected, &render(&of(Module::Suite), &trees).unwrap_err().join("\n"), expected);
    }
}
