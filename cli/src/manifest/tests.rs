use crate::documents::Contents;
use crate::manifest::{Known, check};
use serde_json::{Value, json};
use weir_testing::Rows;

const TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http";

/// An EnvoyFilter as it is rendered, for a sidecar of `shop`.
fn filter() -> Value {
    let manager = json!({
        "name": "envoy.filters.network.http_connection_manager", "subFilter": {"name": "envoy.filters.http.router"},
    });
    let document = json!({"schema": 1, "name": "cart", "policy": {"workload": {"namespace": "shop"}, "policies": []}});
    let config = json!({
        "root_id": "weir", "failure_policy": "FAIL_RELOAD", "configuration": {"value": document},
        "vm_config": {"code": {"remote": {"http_uri": {"uri": "oci://r.example/weir/suite"}}}},
    });
    json!({"kind": "EnvoyFilter", "metadata": {"namespace": "shop", "name": "weir"}, "spec": {
        "workloadSelector": {"labels": {"app": "cart"}},
        "configPatches": [
            {
                "applyTo": "EXTENSION_CONFIG",
                "match": {"context": "SIDECAR_INBOUND"},
                "patch": {"operation": "ADD", "value": {
                    "name": "shop.weir",
                    "typed_config": {"@type": format!("{TYPE}.wasm.v3.Wasm"), "config": config},
                }},
            },
            {
                "applyTo": "HTTP_FILTER",
                "match": {"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"filter": manager}}},
                "patch": {"operation": "INSERT_BEFORE", "value": {
                    "name": "shop.weir",
                    "config_discovery": {"type_urls": [format!("{TYPE}.wasm.v3.Wasm"), format!("{TYPE}.rbac.v3.RBAC")]},
                }},
            },
        ],
    }})
}

fn plugin() -> Value {
    json!({"kind": "WasmPlugin", "metadata": {"namespace": "shop", "name": "weir"}, "spec": {
        "selector": {"matchLabels": {"app": "cart"}},
        "url": "oci://r.example/weir/suite",
        "pluginConfig": {"schema": 1, "name": "cart", "policy": {"workload": {"namespace": "shop"}, "policies": []}},
    }})
}

/// Sets what a pointer points to, or removes it; the object before the last step has to be there.
fn changed(mut object: Value, pointer: &str, to: Option<Value>) -> Value {
    let (before, last) = pointer.rsplit_once('/').unwrap();
    let fields = object.pointer_mut(before).unwrap().as_object_mut().unwrap();
    match to {
        Some(to) => drop(fields.insert(last.to_owned(), to)),
        None => assert!(fields.remove(last).is_some(), "{pointer}"),
    }
    object
}

fn lines(object: &Value, known: Known<'_>) -> Vec<String> {
    let contents = Contents::of(object);
    let found: Vec<_> = contents.found.iter().collect();
    check(object, "$", &found, known).into_iter().map(|one| one.line("f")).collect()
}

/// The rows are by `listener_patch.go`, `extension_configuration_patch.go`, `validation.go` and `push_context.go` of Istio.
#[test]
fn what_keeps_a_plugin_from_its_proxies_is_named() {
    let mut rows = Rows::default();
    let patch = "$.spec.configPatches[1]";
    let anchor = "/spec/configPatches/1/match/listener/filterChain/filter";
    let operation = "/spec/configPatches/1/patch/operation";
    let types = "/spec/configPatches/1/patch/value/config_discovery/type_urls";
    let behind = format!("error: {patch}.patch.operation: this puts the filter behind the router");
    let gateway = json!([{"kind": "Gateway", "name": "edge"}]);
    for (name, object, pointer, to, expected) in [
        ("as it is rendered", filter(), "/spec/priority", Some(json!(10)), String::new()),
        ("ADD", filter(), operation, Some(json!("ADD")), behind.clone()),
        ("after the router", filter(), operation, Some(json!("INSERT_AFTER")), behind),
        (
            "in place of the router",
            filter(),
            operation,
            Some(json!("REPLACE")),
            format!("error: {patch}.patch.operation: this leaves the listener without a router"),
        ),
        ("first of all", filter(), operation, Some(json!("INSERT_FIRST")), String::new()),
        (
            "an old name",
            filter(),
            &format!("{anchor}/subFilter/name"),
            Some(json!("envoy.router")),
            format!("error: {patch}.match.listener.filterChain.filter.subFilter.name: istiod has no filter of this old name"),
        ),
        (
            "a name of others",
            filter(),
            &format!("{anchor}/subFilter/name"),
            Some(json!("envoy.filters.http.lua")),
            format!("warning: {patch}.match.listener.filterChain.filter.subFilter.name: this is not a filter of Istio's own"),
        ),
        (
            "after the JWT filter",
            changed(filter(), operation, Some(json!("INSERT_AFTER"))),
            &format!("{anchor}/subFilter/name"),
            Some(json!("envoy.filters.http.jwt_authn")),
            String::new(),
        ),
        (
            "an old connection manager",
            filter(),
            &format!("{anchor}/name"),
            Some(json!("envoy.http_connection_manager")),
            format!("error: {patch}.match.listener.filterChain.filter.name: HTTP filters are in"),
        ),
        (
            "a waypoint's context",
            filter(),
            "/spec/configPatches/1/match/context",
            Some(json!("WAYPOINT")),
            format!("error: {patch}.match.context: istiod applies no patch of this context"),
        ),
        // istiod does not compare the context of an extension config.
        (
            "a waypoint's context of the config",
            filter(),
            "/spec/configPatches/0/match/context",
            Some(json!("WAYPOINT")),
            String::new(),
        ),
        (
            "another name",
            filter(),
            "/spec/configPatches/0/patch/value/name",
            Some(json!("shop.wier")),
            format!("error: {patch}.patch.value.name: the filter asks for an extension config of this name"),
        ),
        (
            "a config that is not added",
            filter(),
            "/spec/configPatches/0/patch/operation",
            Some(json!("MERGE")),
            "error: $.spec.configPatches[0].patch.operation: istiod takes an extension config by `ADD` alone".to_owned(),
        ),
        (
            "no types",
            filter(),
            types,
            None,
            format!("error: {patch}.patch.value.config_discovery: Envoy refuses a discovered filter without"),
        ),
        (
            "no RBAC",
            filter(),
            types,
            Some(json!([format!("{TYPE}.wasm.v3.Wasm")])),
            format!("warning: {patch}.patch.value.config_discovery.type_urls: when Istio's agent cannot pull"),
        ),
        (
            "no RBAC, and a file",
            changed(filter(), types, Some(json!([format!("{TYPE}.wasm.v3.Wasm")]))),
            "/spec/configPatches/0/patch/value/typed_config/config/vm_config/code",
            Some(json!({"local": {"filename": "/opt/weir/suite.wasm"}})),
            String::new(),
        ),
        (
            "RBAC alone",
            filter(),
            types,
            Some(json!([format!("{TYPE}.rbac.v3.RBAC")])),
            format!("error: {patch}.patch.value.config_discovery.type_urls: Envoy refuses the module"),
        ),
        (
            "another namespace",
            filter(),
            "/metadata/namespace",
            Some(json!("prod")),
            "warning: $.spec.configPatches[0].patch.value.typed_config.config.configuration.value.policy.workload.namespace: the \
             object is for proxies of `prod`"
                .to_owned(),
        ),
        ("the whole mesh's", filter(), "/metadata/namespace", Some(json!("istio-system")), String::new()),
        (
            "a selector beside targets",
            filter(),
            "/spec/targetRefs",
            Some(gateway.clone()),
            "error: $.spec.targetRefs: Istio refuses it beside `workloadSelector`".to_owned(),
        ),
        ("a plugin", plugin(), "/spec/priority", Some(json!(10)), String::new()),
        (
            "a plugin's selector beside targets",
            plugin(),
            "/spec/targetRefs",
            Some(gateway.clone()),
            "error: $.spec.targetRefs: Istio refuses it beside `selector`".to_owned(),
        ),
        ("no targets", plugin(), "/spec/targetRefs", Some(json!([])), String::new()),
        (
            "FTP",
            plugin(),
            "/spec/url",
            Some(json!("ftp://r.example/weir/suite")),
            "error: $.spec.url: Istio refuses an address with the scheme `ftp`".to_owned(),
        ),
        (
            "a port, which Go takes for a scheme",
            plugin(),
            "/spec/url",
            Some(json!("r.example:5000/weir/suite:1")),
            "error: $.spec.url: Istio refuses an address with the scheme `r.example`".to_owned(),
        ),
        ("no scheme", plugin(), "/spec/url", Some(json!("r.example/weir/suite:1")), String::new()),
        ("an address and a port", plugin(), "/spec/url", Some(json!("192.0.2.1:5000/weir/suite:1")), String::new()),
    ] {
        let object = changed(object, pointer, to);
        let found = lines(&object, Known::default());
        rows.check(format!("{name}: {found:?}"), found.len(), usize::from(!expected.is_empty()));
        rows.contains(name, &found.join("\n"), &expected);
    }
    // The same in the section of a TrafficExtension.
    let mut extension = plugin();
    let wasm = extension["spec"].as_object_mut().unwrap().remove("url").unwrap();
    extension["kind"] = json!("TrafficExtension");
    extension["spec"]["wasm"] = json!({"url": wasm.as_str().unwrap().replace("oci", "ftp")});
    rows.contains(
        "an extension",
        &lines(&extension, Known::default()).join("\n"),
        "error: $.spec.wasm.url: Istio refuses",
    );
}

/// `PushContext.EnvoyFilters` and `TrafficExtensions` take those of the root namespace for the proxies of every namespace, unless
/// they have `targetRefs` (`ShouldAttachPolicy`).
#[test]
fn an_object_of_the_root_namespace_is_for_all_namespaces() {
    let rendered = Known { root_namespace: None, is_for_one: true };
    let at_root = |object: Value| changed(object, "/metadata/namespace", Some(json!("istio-system")));
    let own = "/spec/pluginConfig/policy/workload";
    let workload = |namespace: &str| Some(json!({"namespace": namespace}));
    let everywhere = changed(at_root(plugin()), own, None);
    let target = json!([{"kind": "Gateway", "name": "edge"}]);
    let targeted = changed(changed(everywhere.clone(), "/spec/selector", None), "/spec/targetRefs", Some(target));
    let mut rows = Rows::default();
    for (name, object, known, is_warned_of) in [
        ("for a workload of it", changed(at_root(plugin()), own, workload("istio-system")), Known::default(), true),
        ("for any workload", everywhere.clone(), Known::default(), false),
        ("rendered for a workload", everywhere.clone(), rendered, true),
        ("rendered for a target", targeted, rendered, false),
        ("rendered without labels", changed(everywhere.clone(), "/spec/selector", None), rendered, false),
        ("rendered for another namespace", plugin(), rendered, false),
        (
            "a mesh's own root namespace",
            changed(plugin(), "/spec/priority", Some(json!(1))),
            Known { root_namespace: Some("shop"), ..rendered },
            true,
        ),
        ("another root namespace", everywhere, Known { root_namespace: Some("mesh"), ..rendered }, false),
        (
            "a document's own root namespace",
            changed(plugin(), own, Some(json!({"namespace": "shop", "rootNamespace": "shop"}))),
            Known::default(),
            true,
        ),
    ] {
        let found = lines(&object, known).join("\n");
        let expected = "warning: $.metadata.namespace: an object of ";
        rows.check(format!("{name}: {found}"), found.contains(expected), is_warned_of);
    }
}
