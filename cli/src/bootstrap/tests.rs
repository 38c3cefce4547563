use super::*;
use weir_testing::Rows;

const FILE: &str = include_str!("../../../envoy-configs/envoy.yaml");

#[test]
fn only_what_is_asked_for_changes() {
    let before = Bootstrap::parse(FILE).unwrap();
    assert_eq!(before.ports(), Some(Ports { listener: 10000, admin: 9901 }));
    assert_eq!(before.first_listener(), Some("inbound"));
    let mut after = before.clone();
    after.set_ports(Ports { listener: 1, admin: 2 });
    assert_eq!(after.set_upstream("127.0.0.9", 3), ["app"]);
    let mut replaced = Vec::new();
    after
        .set_modules(|file| {
            replaced.push(file.to_owned());
            Ok("/x/suite.wasm".to_owned())
        })
        .unwrap();
    assert_eq!(replaced, ["dist/suite.wasm"]);
    assert_eq!(after.set_configuration(&json!({"schema": 1})), 1);
    let text = after.to_json();
    let mut rows = Rows::default();
    for expected in
        ["\"port_value\":1}", "\"port_value\":2}", "\"port_value\":3}", "/x/suite.wasm", r#"{\"schema\":1}"#]
    {
        rows.contains("bootstrap", &text, expected);
    }
    let size = |bootstrap: &Bootstrap| bootstrap.0["stats_config"]["stats_tags"].as_array().map(Vec::len);
    assert_eq!(size(&after), size(&before));
}

#[test]
fn a_named_upstream_is_resolved_and_a_missing_module_is_reported() {
    let mut bootstrap = Bootstrap::parse(FILE).unwrap();
    bootstrap.set_upstream("app.example.com", 80);
    assert!(bootstrap.to_json().contains("STRICT_DNS"));
    assert_eq!(bootstrap.set_modules(|_| Err("no".to_owned())), Err("no".to_owned()));
    assert!(Bootstrap::parse("admin: {}").is_err());
    assert!(Bootstrap::parse("{").is_err());
    let twice = Bootstrap::parse(&FILE.replace("  cluster: cart\n", "  cluster: cart\n  cluster: web\n"));
    assert!(twice.unwrap_err().contains("given twice"));
}

#[test]
fn only_local_clusters_that_the_first_listener_routes_to_are_replaced() {
    let cluster = |name: &str, addresses: &[&str]| {
        let endpoint = |address: &&str| json!({"endpoint": {"address": {"socket_address": {"address": address, "port_value": 9}}}});
        let endpoints: Vec<Value> = addresses.iter().map(endpoint).collect();
        json!({"name": name, "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}})
    };
    let listener = |routes: Value| {
        json!({
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}},
            "filter_chains": [{"filters": [{"typed_config": {
                "route_config": {"virtual_hosts": [{"routes": routes}]},
                "http_filters": [{"typed_config": {"grpc_service": {"envoy_grpc": {"cluster_name": "authz"}}}}],
            }}]}],
        })
    };
    let first = listener(json!([
        {"route": {"cluster": "app"}},
        {"route": {"weightedClusters": {"clusters": [{"name": "canary"}, {"name": "six"}]}}},
        {"route": {"cluster": "far"}},
        {"route": {"cluster": "half"}},
        {"route": {"cluster": "nowhere"}},
        {"direct_response": {"status": 200}},
    ]));
    let clusters = json!([
        cluster("app", &["127.0.0.1", "localhost"]),
        cluster("canary", &["127.8.8.8"]),
        cluster("six", &["::1"]),
        cluster("far", &["app.example.com"]),
        cluster("half", &["127.0.0.1", "10.0.0.1"]),
        cluster("nowhere", &[]),
        cluster("authz", &["127.0.0.1"]),
        cluster("limits", &["10.9.9.9"]),
        cluster("other", &["127.0.0.1"]),
    ]);
    let before = json!({
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 2}}},
        "static_resources": {
            "listeners": [first, listener(json!([{"route": {"cluster": "other"}}]))],
            "clusters": clusters,
        },
    });
    let mut after = Bootstrap::parse(&before.to_string()).unwrap();
    assert_eq!(after.set_upstream("127.0.0.9", 3), ["app", "canary", "six"]);
    let ours = json!({"address": "127.0.0.9", "port_value": 3});
    for (index, cluster) in clusters.as_array().unwrap().iter().enumerate() {
        let now = &after.0["static_resources"]["clusters"][index];
        let addresses = now.pointer("/load_assignment/endpoints/0/lb_endpoints").and_then(Value::as_array).unwrap();
        match index {
            0..3 => assert!(addresses.iter().all(|one| one["endpoint"]["address"]["socket_address"] == ours), "{now}"),
            _ => assert_eq!(now, cluster),
        }
    }
    assert_eq!(after.0["static_resources"]["listeners"], before["static_resources"]["listeners"]);
}

#[test]
fn other_plugins_keep_their_configuration() {
    let plugin = |root: &str, own: Option<&str>| {
        let mut config = json!({"root_id": root, "vm_config": {}});
        if let Some(own) = own {
            config["configuration"] = json!({"value": own});
        }
        json!({"config": config})
    };
    let filters = [
        plugin("waf", Some("theirs")),
        plugin("waf", None),
        plugin("weir", Some("{}")),
        plugin("", None),
        plugin("weir.x", None),
    ];
    let mut bootstrap = Bootstrap(json!(filters));
    assert_eq!(bootstrap.set_configuration(&json!({"schema": 1})), 3);
    let now: Vec<_> = (0..5).map(|index| bootstrap.0[index]["config"]["configuration"]["value"].as_str()).collect();
    let ours = Some(r#"{"schema":1}"#);
    assert_eq!(now, [Some("theirs"), None, ours, ours, ours]);
    assert!(bootstrap.0[1]["config"].get("configuration").is_none());
    // A wrong root id does not make a module of Weir somebody else's; another's `policy.wasm` is.
    let named = |file: &str, own: Value| {
        let vm = json!({"code": {"local": {"filename": file}}});
        json!({"config": {"root_id": "cart", "vm_config": vm, "configuration": {"value": own}}})
    };
    let theirs = named("policy.wasm", json!({"rules": []}));
    let mut bootstrap = Bootstrap(json!([named("suite.wasm", json!({"schema": 1})), theirs]));
    assert_eq!(bootstrap.set_configuration(&json!({"schema": 1, "name": "a"})), 1);
    assert_eq!(bootstrap.0[1], theirs);
}

#[cfg(feature = "identities")]
#[test]
fn a_listener_takes_tls_beside_plain_connections_if_it_has_one_plain_chain() {
    let listener = |fields: Value| json!({"static_resources": {"listeners": [fields]}});
    let chain = || json!({"filters": []});
    let mut rows = Rows::default();
    for (name, fields, expected) in [
        ("one chain", json!({"filter_chains": [chain()]}), Some(1)),
        ("the other spelling", json!({"filterChains": [chain()], "listenerFilters": [{"name": "a"}]}), Some(2)),
        ("two chains", json!({"filter_chains": [chain(), chain()]}), None),
        ("TLS of its own", json!({"filter_chains": [{"filters": [], "transport_socket": {}}]}), None),
        ("a match", json!({"filter_chains": [{"filters": [], "filterChainMatch": {}}]}), None),
        ("none", json!({"default_filter_chain": chain()}), None),
    ] {
        let mut bootstrap = Bootstrap(listener(fields));
        let taken = bootstrap.take_tls("certificate", "key", "authority");
        rows.check(name, taken.is_ok(), expected.is_some());
        let Some(filters) = expected else { continue };
        let listener = &bootstrap.0["static_resources"]["listeners"][0];
        let either = |one: &str, other: &str| listener.get(one).or(listener.get(other)).unwrap().as_array().unwrap();
        let chains = either("filter_chains", "filterChains");
        let is_tls =
            |chain: &Value| chain["filter_chain_match"]["transport_protocol"] == "tls" && chain["filters"].is_array();
        rows.check(name, chains.iter().map(is_tls).collect::<Vec<_>>(), vec![true, false]);
        rows.check(name, either("listener_filters", "listenerFilters").len(), filters);
    }
}
