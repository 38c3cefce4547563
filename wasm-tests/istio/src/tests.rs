//! What comes of objects in the proxies of this crate.

use serde_json::{Value, json};
use weir_testing::Rows;

use crate::{Applied, IstioLine, Proxy, ProxyKind, apply};

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// An EnvoyFilter in the proxy's namespace, for the waypoint if it is one.
fn filter(proxy: &Proxy, patches: &[Value]) -> Value {
    let mut object = json!({
        "kind": "EnvoyFilter",
        "metadata": {"name": "e", "namespace": proxy.namespace},
        "spec": {"configPatches": patches},
    });
    if proxy.kind == ProxyKind::Waypoint {
        let reference = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "waypoint"});
        object["spec"]["targetRefs"] = json!([reference]);
    }
    object
}

fn applied(proxy: &Proxy, patches: &[Value]) -> Applied {
    apply(&[filter(proxy, patches)], proxy, IstioLine::V1_31).unwrap()
}

/// The first cluster of that name.
fn cluster(applied: &Applied, name: &str) -> Option<Value> {
    applied.clusters.iter().find(|cluster| cluster["name"] == name).cloned()
}

/// `buildClusters` of `pilot/pkg/networking/core/cluster.go`: a waypoint's inbound clusters are not patched, and it gets
/// additions of the inbound context only.
#[test]
fn clusters_of_each_proxy() {
    let add = |context: &str| json!({"applyTo": "CLUSTER", "match": {"context": context}, "patch": {"operation": "ADD", "value": {"name": context}}});
    let merge = json!({"applyTo": "CLUSTER", "patch": {"operation": "MERGE", "value": {"lb_policy": "MAGLEV"}}});
    let patches = [add("SIDECAR_INBOUND"), add("SIDECAR_OUTBOUND"), add("GATEWAY"), merge];
    let mut rows = Rows::default();
    for (proxy, added, own, merged) in [
        (
            Proxy::sidecar().unwrap(),
            vec!["SIDECAR_INBOUND", "SIDECAR_OUTBOUND"],
            "outbound|80||cart.shop.svc.cluster.local",
            true,
        ),
        (Proxy::sidecar().unwrap(), vec!["SIDECAR_INBOUND", "SIDECAR_OUTBOUND"], "inbound|8080||", true),
        (Proxy::gateway().unwrap(), vec!["GATEWAY"], "outbound|80||cart.shop.svc.cluster.local", true),
        (Proxy::waypoint().unwrap(), vec!["SIDECAR_INBOUND"], "inbound-vip|80|http|cart.shop.svc.cluster.local", false),
    ] {
        let applied = applied(&proxy, &patches);
        let contexts = ["SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY"];
        let found: Vec<_> = contexts.into_iter().filter(|context| cluster(&applied, context).is_some()).collect();
        rows.check(own, found, added);
        rows.check(own, cluster(&applied, own).unwrap()["lb_policy"] == "MAGLEV", merged);
    }
}

/// Route configurations in a listener are patched as those that it names.
#[test]
fn routes_of_each_proxy() {
    let patch = |context: &str| {
        json!({
            "applyTo": "VIRTUAL_HOST",
            "match": {"context": context},
            "patch": {"operation": "MERGE", "value": {"response_headers_to_remove": [context]}},
        })
    };
    let of_port = json!({
        "applyTo": "HTTP_ROUTE",
        "match": {"context": "GATEWAY", "routeConfiguration": {"portNumber": 80}},
        "patch": {"operation": "MERGE", "value": {"stat_prefix": "port80"}},
    });
    let patches = [patch("SIDECAR_INBOUND"), patch("SIDECAR_OUTBOUND"), patch("GATEWAY"), of_port];
    let mut rows = Rows::default();
    for (proxy, expected) in [
        // Seven chains of HTTP, but three route configurations of one service.
        (Proxy::sidecar().unwrap(), [4, 3, 0, 0]),
        (Proxy::gateway().unwrap(), [0, 0, 1, 1]),
        (Proxy::waypoint().unwrap(), [1, 0, 0, 0]),
    ] {
        let applied = applied(&proxy, &patches);
        let text = json!([applied.listeners, applied.routes]).to_string();
        let count = |what: &str| text.matches(what).count();
        let found = [
            count(r#"["SIDECAR_INBOUND"]"#),
            count(r#"["SIDECAR_OUTBOUND"]"#),
            count(r#"["GATEWAY"]"#),
            count("port80"),
        ];
        rows.check(format!("{:?}", proxy.kind), found, expected);
    }
}

#[test]
fn the_report_names_what_has_no_effect() {
    let insert = |context: &str, name: &str| {
        json!({
            "applyTo": "HTTP_FILTER",
            "match": {
                "context": context,
                "listener": {"filterChain": {"filter": {"name": MANAGER, "subFilter": {"name": "envoy.filters.http.router"}}}},
            },
            "patch": {"operation": "INSERT_BEFORE", "value": {"name": name, "config_discovery": {"type_urls": []}}},
        })
    };
    let config =
        |name: &str| json!({"applyTo": "EXTENSION_CONFIG", "patch": {"operation": "ADD", "value": {"name": name}}});
    let sidecar = Proxy::sidecar().unwrap();
    let waypoint = Proxy::waypoint().unwrap();
    let remove = json!({
        "applyTo": "HTTP_FILTER",
        "match": {"listener": {"filterChain": {"filter": {"name": MANAGER, "subFilter": {"name": "gone"}}}}},
        "patch": {"operation": "REMOVE"},
    });
    let mut rows = Rows::default();
    for (rule, proxy, patches, expected) in [
        ("nothing", &sidecar, vec![insert("SIDECAR_INBOUND", "a"), config("a"), remove], ""),
        (
            "another context",
            &sidecar,
            vec![insert("GATEWAY", "a")],
            "EnvoyFilter shop/e: `spec.configPatches[0]`: nothing in this proxy matches it\n",
        ),
        (
            "the context of waypoints",
            &waypoint,
            vec![insert("WAYPOINT", "a")],
            "EnvoyFilter shop/e: `spec.configPatches[0]`: no Istio up to 1.31 applies the context WAYPOINT\n",
        ),
        (
            "no configuration",
            &sidecar,
            vec![insert("SIDECAR_INBOUND", "a")],
            "filter `a` asks for a configuration that istiod does not have\n",
        ),
        (
            "two configurations",
            &sidecar,
            vec![insert("SIDECAR_INBOUND", "a"), config("a"), config("a")],
            "several objects have a configuration for the filter `a`\n",
        ),
        (
            "a listener that is not run",
            &waypoint,
            vec![insert("SIDECAR_INBOUND", "a"), config("a")],
            "listener `connect_terminate` is changed, and a stock Envoy does not run it\n",
        ),
    ] {
        let report = applied(proxy, &patches).report;
        rows.check(rule, report.to_string(), expected);
        rows.check(rule, report.is_clean(), expected.is_empty());
    }
    let plugin = json!({
        "kind": "WasmPlugin",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"url": "oci://a/b", "match": [{"ports": [{"number": 1}]}]},
    });
    let report = apply(&[plugin], &sidecar, IstioLine::V1_30).unwrap().report;
    rows.check("a plugin", report.to_string(), "WasmPlugin shop/p: no listener of this proxy matches it\n");
}

/// What a proxy gets without objects is the data file, without its marks.
#[test]
fn without_objects_nothing_is_added() {
    let mut rows = Rows::default();
    for proxy in Proxy::all().unwrap() {
        let Applied { listeners, routes, clusters, extensions, report } = apply(&[], &proxy, IstioLine::V1_28).unwrap();
        let title = format!("{:?}", proxy.kind);
        rows.check(&title, json!(listeners).to_string().contains("\"phase\""), false);
        rows.check(&title, listeners.len(), proxy.listeners.len());
        rows.check(&title, (routes.len(), clusters.len()), (proxy.routes.len(), proxy.clusters.len()));
        rows.check(&title, (extensions.is_empty(), report.is_clean()), (true, true));
    }
}

/// Image pull secrets reach the resource, from either field of a Secret.
#[test]
fn secrets() {
    let secret = |kind: &str, field: &str, value: &str| json!({"kind": "Secret", "type": kind, "metadata": {"name": "key", "namespace": "shop"}, field: {".dockerconfigjson": value}});
    let docker = "kubernetes.io/dockerconfigjson";
    let plugin = json!({
        "kind": "WasmPlugin",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"url": "oci://a/b", "imagePullSecret": "key"},
    });
    let mut rows = Rows::default();
    for (rule, secret, expected) in [
        ("plain", secret(docker, "stringData", "{}"), "{}"),
        ("coded", secret(docker, "data", "e30="), "{}"),
        ("of another type", secret("Opaque", "data", "e30="), ""),
    ] {
        let applied = apply(&[plugin.clone(), secret], &Proxy::sidecar().unwrap(), IstioLine::V1_28).unwrap();
        let values =
            "/typed_config/config/vm_config/environment_variables/key_values/ISTIO_META_WASM_IMAGE_PULL_SECRET";
        rows.check(rule, applied.extensions[0].pointer(values), Some(&json!(expected)));
    }
}
