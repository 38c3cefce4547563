//! Who writes the filter state that a policy reads, wherever it can be.

use super::*;

#[test]
fn filter_state_that_is_read_has_a_writer() {
    let document = |mode: &str| {
        let workload =
            json!({"directAddress": {"filterState": "direct"}, "peerUriSans": {"filterState": "wasm.waf.sans"}});
        suite(json!({"policy": {"mode": mode, "workload": workload}}))
    };
    let reader = || {
        let mut document = document("enforce");
        document["policy"]["workload"].as_object_mut().unwrap().remove("peerUriSans");
        filter(HTTP, document, json!({"failure_policy": "FAIL_RELOAD"}))
    };
    let set = |list: &str, key: &str| json!({"name": "set", "typed_config": {list: [{"object_key": key}]}});
    let http = |key: &str| set("on_request_headers", key);
    let lua = json!({"name": "lua", "typed_config": {"@type": "x/envoy.extensions.filters.http.lua.v3.Lua"}});
    let discovered = json!({"name": "x", "config_discovery": {}});
    let listener = |network: Value, filters: Value| {
        let manager = json!({"name": "hcm", "typed_config": {"http_filters": filters}});
        let filters: Vec<Value> = network.as_array().unwrap().iter().cloned().chain([manager]).collect();
        json!({"filter_chains": [{"filters": filters}]})
    };
    let envoy = |list: Value| json!({"listeners": list});
    let one = |filters: Value| envoy(json!([listener(json!([]), filters)]));
    let network = || set("on_new_connection", "direct");
    let mut shared = network();
    shared["typed_config"]["on_new_connection"][0]["shared_with_upstream"] = json!("ONCE");
    let mut below = listener(json!([]), json!([reader()]));
    below["listener_filters"] = json!([network()]);
    let location = |chain: &str, at: usize| {
        format!("{chain}[{at}].typed_config.config.configuration.value.policy.workload.directAddress.filterState: ")
    };
    let chain = "$.listeners[0].filter_chains[0].filters[0].typed_config.http_filters";
    let none = format!("{}no filter before this one writes `direct`; ", location(chain, 0));
    let second = format!("{}no filter before this one writes `direct`; ", location(chain, 1));
    let late = format!("{}{chain}[1].typed_config.on_request_headers[0] writes `direct` after", location(chain, 0));
    let unseen = format!("warning: {}no file shows a filter", location(chain, 1));
    let patch = format!("warning: {}no file shows a filter", location("$.spec.configPatches", 0));
    let spec = "warning: $.spec.pluginConfig.policy.workload.";
    let both = [format!("{spec}directAddress"), format!("{spec}peerUriSans")];
    let istio = |mode: &str| wasm_plugin(document(mode), json!({"failStrategy": "FAIL_RELOAD"}));
    let object = |patches: Value| json!({"kind": "EnvoyFilter", "spec": {"configPatches": patches}});
    expect(&[
        ("written", one(json!([http("direct"), reader()])), &[]),
        ("missing", one(json!([reader()])), &[&none]),
        ("another key", one(json!([http("other"), reader()])), &[&second]),
        ("after it", one(json!([reader(), http("direct")])), &[&late]),
        ("a network filter", envoy(json!([listener(json!([network()]), json!([reader()]))])), &[]),
        ("a listener filter", envoy(json!([below])), &[]),
        (
            "of another listener",
            envoy(json!([listener(json!([]), json!([reader()])), listener(json!([network()]), json!([]))])),
            &[&none],
        ),
        (
            "of another listener, shared",
            envoy(json!([listener(json!([]), json!([reader()])), listener(json!([shared]), json!([]))])),
            &[],
        ),
        ("a program", one(json!([lua.clone(), reader()])), &[&unseen]),
        ("a program after it", one(json!([reader(), lua])), &[&none]),
        ("a filter that is discovered", one(json!([discovered, reader()])), &[&unseen]),
        ("EnvoyFilter", object(json!([reader()])), &[&patch]),
        ("EnvoyFilter, written", object(json!([reader(), http("direct")])), &[]),
        ("EnvoyFilter, network", object(json!([reader(), network()])), &[]),
        ("WasmPlugin", istio("enforce"), &[&both[0], &both[1]]),
        ("switched off", istio("off"), &["warning: $.spec.failStrategy: `failStrategy: FAIL_RELOAD` refuses"]),
    ]);
    let writers = Contents::of(&object(json!([network(), http("wasm.waf.sans")]))).writers;
    let others = Others { writers, ..Others::default() };
    let about = |tree: &Value| {
        let found = diagnostics(tree, &others);
        found.iter().filter(|one| one.path.ends_with(".filterState")).count()
    };
    assert_eq!(about(&istio("enforce")), 0, "another file writes them");
    assert_eq!(about(&one(json!([reader()]))), 1, "a bootstrap shows its whole chain");
}
