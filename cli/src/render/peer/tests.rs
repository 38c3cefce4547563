use crate::compile::Module;
use crate::render::form::Form;
use crate::render::plan::Wanted;
use crate::render::tests::{documents, everything, of_module, policy, render, wanted};
use crate::render::workload::{GATEWAY_NAME, Proxy};
use serde_json::{Value, json};
use weir_testing::Rows;

const ADDRESS: &str = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%";
const SANS: &str = "%DOWNSTREAM_PEER_URI_SAN%";

fn from(source: Value) -> Value {
    json!({"action": "DENY", "rules": [{"from": [{"source": source}]}]})
}

/// What the rendered trees write into filter state for a policy of all workloads, in order.
fn written(form: Form, proxy: Proxy, rules: Value) -> Vec<&'static str> {
    let mut policy = policy("p", json!({}), rules);
    if proxy != Proxy::Sidecar {
        let spec = policy["spec"].as_object_mut().unwrap();
        spec.remove("selector");
        let target = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"});
        spec.insert("targetRefs".to_owned(), json!([target]));
    }
    let mut wanted = of_module(Module::Policy, wanted(form, proxy));
    wanted.selector.insert(GATEWAY_NAME.to_owned(), "edge".to_owned());
    let text = json!(render(&wanted, &[policy]).unwrap().trees).to_string();
    [ADDRESS, SANS].into_iter().filter(|format| text.contains(*format)).collect()
}

#[test]
fn what_policies_ask_of_the_peer_is_written_in_front() {
    let blocks = || from(json!({"ipBlocks": ["192.0.2.0/24"]}));
    let identity = || from(json!({"principals": ["cluster.local/ns/x/sa/y"]}));
    let mut rows = Rows::default();
    for form in [Form::Envoy, Form::EnvoyFilter, Form::WasmPlugin] {
        for (name, proxy, rules, expected) in [
            ("addresses", Proxy::Sidecar, blocks(), vec![ADDRESS]),
            ("addresses at a gateway", Proxy::Gateway, blocks(), vec![ADDRESS]),
            // A sidecar's peers have certificates of the mesh, which have one URI SAN.
            ("identity", Proxy::Sidecar, identity(), vec![]),
            ("identity at a gateway", Proxy::Gateway, identity(), vec![SANS]),
            ("remote addresses", Proxy::Gateway, from(json!({"remoteIpBlocks": ["192.0.2.1"]})), vec![]),
        ] {
            rows.check(format!("{form} {name}"), written(form, proxy, rules), expected);
        }
    }
}

#[test]
fn the_writer_is_before_the_module_and_the_document_names_its_key() {
    let mut trees = everything();
    trees.push(policy("blocks", json!({}), from(json!({"ipBlocks": ["192.0.2.0/24"]}))));
    let filter = render(&wanted(Form::EnvoyFilter, Proxy::Sidecar), &trees).unwrap();
    let key = json!({"filterState": "weir.direct_address"});
    assert_eq!(documents(&filter)[0]["policy"]["workload"]["directAddress"], key);
    let patches = filter.trees[0]["spec"]["configPatches"].as_array().unwrap();
    let inserted: Vec<&str> = patches
        .iter()
        .filter(|patch| patch["patch"]["operation"] == "INSERT_BEFORE")
        .filter_map(|patch| patch["patch"]["value"]["name"].as_str())
        .collect();
    assert_eq!(inserted, ["shop.weir-suite-cart-inbound.peer", "shop.weir-suite-cart-inbound"]);
    // A WasmPlugin stands among Istio's filters, so its writer is before all of them.
    let plugin = render(&wanted(Form::WasmPlugin, Proxy::Sidecar), &trees).unwrap();
    assert_eq!(plugin.trees[1]["spec"]["configPatches"][0]["patch"]["operation"], "INSERT_FIRST");
}

#[test]
fn a_key_that_the_document_names_is_written_under_that_name() {
    let document = json!({"schema": 1, "name": "p", "workload": {"peerUriSans": {"filterState": "own.key"}}, "policies": [
        policy("p", json!({}), from(json!({"principals": ["*"]}))),
    ]});
    let wanted = Wanted { is_snippet: true, ..of_module(Module::Policy, wanted(Form::Envoy, Proxy::Sidecar)) };
    let tree = render(&wanted, &[document]).unwrap().trees.remove(0);
    assert_eq!(tree[0]["typed_config"]["on_request_headers"][0]["object_key"], "own.key");
}

#[test]
fn a_waypoint_has_no_direct_peer() {
    let mut policy = policy("p", json!({}), from(json!({"ipBlocks": ["192.0.2.0/24"]})));
    let spec = policy["spec"].as_object_mut().unwrap();
    spec.remove("selector");
    spec.insert(
        "targetRefs".to_owned(),
        json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}]),
    );
    let found = render(&wanted(Form::WasmPlugin, Proxy::Waypoint), &[policy]).unwrap_err().join("\n");
    assert!(found.contains("write `remoteIpBlocks` or `remote.ip`"), "{found}");
}

/// What a provider asked over gRPC is sent as the source is the direct peer's address, where it can be had.
#[test]
fn a_provider_is_sent_the_address_of_the_direct_peer() {
    let service = json!({"service": "opa.auth.svc.cluster.local", "port": 9191});
    let rules = json!([{"to": [{"operation": {"paths": ["/admin"]}}]}]);
    let gateway = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"});
    let mut rows = Rows::default();
    for (kind, form, proxy, expected) in [
        ("envoyExtAuthzGrpc", Form::Envoy, Proxy::Sidecar, true),
        ("envoyExtAuthzGrpc", Form::EnvoyFilter, Proxy::Gateway, true),
        ("envoyExtAuthzGrpc", Form::WasmPlugin, Proxy::Waypoint, false),
        ("envoyExtAuthzHttp", Form::Envoy, Proxy::Sidecar, false),
    ] {
        let mut spec = json!({"action": "CUSTOM", "provider": {"name": "opa"}, "rules": rules});
        if proxy != Proxy::Sidecar {
            spec["targetRefs"] = json!([gateway]);
        }
        let mut asks = policy("ask", json!({}), spec);
        if proxy != Proxy::Sidecar {
            asks["spec"].as_object_mut().unwrap().remove("selector");
        }
        let document = json!({"schema": 1, "name": "p", "providers": {"opa": {kind: service}}, "policies": [asks]});
        let mut wanted = of_module(Module::Policy, wanted(form, proxy));
        wanted.selector.insert(GATEWAY_NAME.to_owned(), "edge".to_owned());
        let text = json!(render(&wanted, &[document]).unwrap().trees).to_string();
        rows.check(format!("{kind} {form} {proxy:?}"), text.contains(ADDRESS), expected);
        rows.check(format!("{kind} {form} {proxy:?}: asks"), text.contains("CUSTOM"), true);
    }
}
