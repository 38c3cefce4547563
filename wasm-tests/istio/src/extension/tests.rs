//! The facts of `rows.yaml`, and where istiod's order of filters puts plugins in the proxies of this crate.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use weir_testing::Rows;

use super::resource::resource;
use super::{Class, Phase, PluginKind, Plugins, Secrets};
use crate::line::IstioLine;
use crate::proxy::{Proxy, ProxyKind};
use crate::{apply, object};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    listeners: Listeners,
    failures: Section<Pair>,
    variables: Section<Pair>,
    codes: Section<Pair>,
    names: Section<Names>,
    references: Section<Reference>,
    orders: Orders,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section<T> {
    from: String,
    rows: Vec<T>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listeners {
    from: String,
    labels: BTreeMap<String, String>,
    rows: Vec<Listener>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listener {
    rule: String,
    spec: Value,
    class: String,
    taken: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    given: Value,
    expected: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    kind: String,
    line: String,
    resource: String,
    plugin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    rule: String,
    spec: Value,
    taken: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Orders {
    from: String,
    plugins: Vec<Given>,
    rows: Vec<Order>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    namespace: String,
    spec: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    rule: String,
    namespace: String,
    labels: BTreeMap<String, String>,
    kind: String,
    class: String,
    port: u64,
    authn: Vec<String>,
    authz: Vec<String>,
}

fn facts() -> Facts {
    serde_yaml_ng::from_str(include_str!("rows.yaml")).unwrap()
}

fn class(name: &str) -> Class {
    if name == "SERVER" { Class::Server } else { Class::Client }
}

fn line(name: &str) -> IstioLine {
    IstioLine::ALL.into_iter().find(|line| line.to_string() == name).unwrap()
}

fn plugin(name: &str, namespace: &str, mut spec: Value) -> Value {
    if spec.get("url").is_none() {
        spec["url"] = json!("oci://registry.example.com/weir:1.0");
    }
    json!({"kind": "WasmPlugin", "metadata": {"name": name, "namespace": namespace, "resourceVersion": "7"}, "spec": spec})
}

fn read(objects: &[Value], line: IstioLine) -> Plugins {
    Plugins::read(&object::read(objects).unwrap(), line).unwrap()
}

fn sidecar(namespace: &str, labels: &BTreeMap<String, String>) -> Proxy {
    Proxy { namespace: namespace.to_owned(), labels: labels.clone(), ..Proxy::sidecar().unwrap() }
}

fn names(plugins: &Plugins, proxy: &Proxy, class: Class, port: u64, kind: PluginKind, phase: Phase) -> Vec<String> {
    plugins.of(proxy, class, port, kind, phase).into_iter().map(|plugin| plugin.name.clone()).collect()
}

#[test]
fn listeners_that_a_plugin_is_for() {
    let Listeners { from, labels, rows } = facts().listeners;
    let mut table = Rows::default();
    for row in rows {
        let plugins = read(&[plugin("p", "shop", row.spec)], IstioLine::V1_28);
        let found =
            names(&plugins, &sidecar("shop", &labels), class(&row.class), 1234, PluginKind::Http, Phase::Unspecified);
        table.check(format!("{from}: {}", row.rule), !found.is_empty(), row.taken);
    }
}

#[test]
fn what_a_resource_holds() {
    let Facts { failures, variables, codes, .. } = facts();
    let secrets = Secrets::from([("kubernetes://shop/key".to_owned(), "the key".to_owned())]);
    let mut table = Rows::default();
    for (section, pointer) in [
        (failures, "/typed_config/config/failure_policy"),
        (variables, "/typed_config/config/vm_config/environment_variables"),
        (codes, "/typed_config/config/vm_config/code"),
    ] {
        for row in section.rows {
            let plugins = read(&[plugin("p", "shop", row.given.clone())], IstioLine::V1_29);
            let found = resource(&plugins.0[0], &secrets);
            table.check(format!("{}: {}", section.from, row.given), found.pointer(pointer), Some(&row.expected));
        }
    }
}

#[test]
fn a_secret_that_is_not_there_is_empty() {
    let plugins = read(&[plugin("p", "shop", json!({"imagePullSecret": "key"}))], IstioLine::V1_29);
    let found = resource(&plugins.0[0], &Secrets::new());
    let values = &found["typed_config"]["config"]["vm_config"]["environment_variables"]["key_values"];
    assert_eq!(values["ISTIO_META_WASM_IMAGE_PULL_SECRET"], "");
}

/// Go's parser of addresses takes the host for a scheme, and the agent cannot fetch from such an address.
#[test]
fn an_address_without_a_scheme_but_with_a_port_is_not_an_image() {
    let plugins = read(&[plugin("p", "shop", json!({"url": "registry.example.com:5000/weir"}))], IstioLine::V1_31);
    let found = resource(&plugins.0[0], &Secrets::new());
    assert_eq!(
        found.pointer("/typed_config/config/vm_config/code/remote/http_uri/uri"),
        Some(&json!("registry.example.com:5000/weir"))
    );
}

#[test]
fn a_configuration_is_the_text_of_its_json() {
    let mut table = Rows::default();
    let string = |text: &str| json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text});
    for (given, expected) in [
        (json!({"name": "cart", "schema": 1, "share": 0.5}), Some(string(r#"{"name":"cart","schema":1,"share":0.5}"#))),
        (json!({}), None),
    ] {
        let plugins =
            read(&[plugin("p", "shop", json!({"pluginConfig": given, "pluginName": "weir"}))], IstioLine::V1_28);
        let found = resource(&plugins.0[0], &Secrets::new());
        table.check(&given, found.pointer("/typed_config/config/configuration").cloned(), expected);
        table.check(&given, found.pointer("/typed_config/config/root_id"), Some(&json!("weir")));
    }
}

#[test]
fn names_of_filters_and_plugins() {
    let Section { from, rows } = facts().names;
    let mut table = Rows::default();
    for row in rows {
        let url = json!({"url": "oci://registry.example.com/weir:1.0"});
        let spec = if row.kind == "WasmPlugin" { url } else { json!({"wasm": url}) };
        let object = json!({"kind": row.kind, "metadata": {"name": "weir", "namespace": "shop"}, "spec": spec});
        let applied = apply(&[object], &Proxy::sidecar().unwrap(), line(&row.line)).unwrap();
        let title = format!("{from}: {} in {}", row.kind, row.line);
        table.check(&title, applied.http_filters("virtualInbound", Some(8080)).contains(&row.resource), true);
        let served = &applied.extensions[0];
        table.check(&title, &served["name"], &json!(row.resource));
        table.check(&title, &served["typed_config"]["config"]["name"], &json!(row.plugin));
        table.check(&title, applied.report.is_clean(), true);
    }
    let object =
        json!({"kind": "TrafficExtension", "metadata": {"name": "weir"}, "spec": {"wasm": {"url": "oci://a/b"}}});
    for line in [IstioLine::V1_28, IstioLine::V1_29] {
        let error = apply(std::slice::from_ref(&object), &Proxy::sidecar().unwrap(), line).unwrap_err().to_string();
        table.contains(line, &error, "does not have this kind");
    }
}

#[test]
fn references() {
    let Section { from, rows } = facts().references;
    let mut table = Rows::default();
    let labels = [("gateway.networking.k8s.io/gateway-name".to_owned(), "edge".to_owned())];
    let gateway = Proxy { namespace: "shop".to_owned(), labels: labels.into(), ..Proxy::gateway().unwrap() };
    for row in rows {
        for line in IstioLine::ALL {
            let plugins = read(&[plugin("p", "shop", row.spec.clone())], line);
            let found = names(&plugins, &gateway, Class::Client, 8080, PluginKind::Http, Phase::Unspecified);
            table.check(format!("{from}: {} in {line}", row.rule), !found.is_empty(), row.taken);
        }
    }
}

#[test]
fn order() {
    let Orders { from, plugins, rows } = facts().orders;
    let objects: Vec<_> = plugins.into_iter().map(|given| plugin(&given.name, &given.namespace, given.spec)).collect();
    let plugins = read(&objects, IstioLine::V1_29);
    let mut table = Rows::default();
    for row in rows {
        let proxy = sidecar(&row.namespace, &row.labels);
        let kind = if row.kind == "HTTP" { PluginKind::Http } else { PluginKind::Network };
        let found = |phase| names(&plugins, &proxy, class(&row.class), row.port, kind, phase);
        table.check(
            format!("{from}: {}", row.rule),
            (found(Phase::Authn), found(Phase::Authz)),
            (row.authn, row.authz),
        );
    }
}

/// `sortByPriority` of `pilot/pkg/model/push_context.go`: the API says that the default is 0.
#[test]
fn a_plugin_without_a_priority_comes_after_a_negative_one() {
    let objects = [plugin("none", "shop", json!({})), plugin("minus", "shop", json!({"priority": -5}))];
    let plugins = read(&objects, IstioLine::V1_31);
    let found = names(&plugins, &Proxy::sidecar().unwrap(), Class::Server, 8080, PluginKind::Http, Phase::Unspecified);
    assert_eq!(found, ["minus~istio-translated-wasmplugin", "none~istio-translated-wasmplugin"]);
}

/// The order of `buildHTTPConnectionManager` in `pilot/pkg/networking/core/listener_builder.go`, and of
/// `buildWaypointHTTPFilters` in `listener_waypoint.go`.
#[test]
fn places_in_the_chains_of_each_proxy() {
    let of_phase = |phase: &str| plugin(&phase.to_lowercase(), "istio-system", json!({"phase": phase}));
    let class_of_waypoints =
        json!({"group": "gateway.networking.k8s.io", "kind": "GatewayClass", "name": "istio-waypoint"});
    let policy = |spec: Value| json!({"kind": "AuthorizationPolicy", "metadata": {"name": "p", "namespace": "istio-system"}, "spec": spec});
    let mut objects: Vec<_> = ["UNSPECIFIED_PHASE", "STATS", "AUTHZ", "AUTHN"].map(of_phase).into();
    objects.push(policy(json!({})));
    let mut of_waypoints = objects.clone();
    for object in &mut of_waypoints {
        object["spec"]["targetRefs"] = json!([class_of_waypoints]);
    }
    let mut table = Rows::default();
    for (proxy, objects, listener, port, expected) in [
        (
            Proxy::sidecar().unwrap(),
            &objects,
            "virtualInbound",
            Some(8080),
            "istio.metadata_exchange AUTHN AUTHZ rbac STATS UNSPECIFIED_PHASE grpc_stats fault cors istio.stats router",
        ),
        (
            Proxy::sidecar().unwrap(),
            &objects,
            "0.0.0.0_80",
            None,
            "istio.metadata_exchange AUTHN AUTHZ STATS UNSPECIFIED_PHASE grpc_stats istio.alpn fault cors istio.stats router",
        ),
        (
            Proxy::gateway().unwrap(),
            &objects,
            "0.0.0.0_8080",
            None,
            "istio.metadata_exchange AUTHN AUTHZ rbac STATS UNSPECIFIED_PHASE grpc_stats istio.alpn fault cors istio.stats router",
        ),
        (
            Proxy::waypoint().unwrap(),
            &of_waypoints,
            "main_internal",
            None,
            "AUTHN AUTHZ rbac grpc_stats fault cors STATS UNSPECIFIED_PHASE waypoint_upstream_peer_metadata istio.stats router",
        ),
    ] {
        let applied = apply(objects, &proxy, IstioLine::V1_28).unwrap();
        let short = |name: String| match name.strip_prefix("extensions.istio.io/wasmplugin/istio-system.") {
            Some(phase) => phase.to_uppercase(),
            None => name.strip_prefix("envoy.filters.http.").unwrap_or(&name).to_owned(),
        };
        let found: Vec<_> = applied.http_filters(listener, port).into_iter().map(short).collect();
        table.check(listener, found.join(" "), expected);
    }
}

/// A waypoint asks for plugins without a port, so that a match of ports is for none, and as a server.
#[test]
fn a_waypoint_takes_no_ports_and_no_clients() {
    let reference = json!([{"kind": "Service", "name": "cart"}]);
    let mut table = Rows::default();
    for (matches, expected) in [
        (json!([]), true),
        (json!([{"mode": "SERVER"}]), true),
        (json!([{"mode": "CLIENT"}]), false),
        (json!([{"mode": "SERVER", "ports": [{"number": 80}]}]), false),
    ] {
        let object = plugin("p", "shop", json!({"targetRefs": reference, "match": matches}));
        let applied = apply(&[object], &Proxy::waypoint().unwrap(), IstioLine::V1_31).unwrap();
        table.check(&matches, applied.report.idle.is_empty(), expected);
    }
}

/// Istio's issue 60530: the listener of a waypoint names the plugin of a service's namespace, and it is never served.
#[test]
fn a_plugin_of_another_namespace_never_arrives_at_a_waypoint_before_1_30() {
    let waypoint = Proxy { namespace: "infra".to_owned(), ..Proxy::waypoint().unwrap() };
    assert_eq!(waypoint.kind, ProxyKind::Waypoint);
    let object = plugin("p", "shop", json!({"targetRefs": [{"kind": "Service", "name": "cart"}]}));
    let mut table = Rows::default();
    for (line, expected) in IstioLine::ALL.into_iter().zip([1, 1, 0, 0]) {
        let applied = apply(std::slice::from_ref(&object), &waypoint, line).unwrap();
        table.check(line, applied.report.unanswered.len(), expected);
    }
}

#[test]
fn type_urls_name_the_stand_in_too() {
    let objects = [plugin("http", "shop", json!({})), plugin("tcp", "shop", json!({"type": "NETWORK"}))];
    let applied = apply(&objects, &Proxy::sidecar().unwrap(), IstioLine::V1_28).unwrap();
    let inbound = applied.listeners.iter().find(|listener| listener["name"] == "virtualInbound").unwrap().to_string();
    let mut table = Rows::default();
    for family in ["http", "network"] {
        let both = format!(
            r#""type_urls":["type.googleapis.com/envoy.extensions.filters.{family}.wasm.v3.Wasm","type.googleapis.com/envoy.extensions.filters.{family}.rbac.v3.RBAC"]"#
        );
        table.check(family, inbound.contains(&both), true);
    }
}

#[test]
fn what_the_api_does_not_have_is_an_error() {
    let mut table = Rows::default();
    for (spec, expected) in [
        (json!({"phase": "AUTH"}), "a phase, not `AUTH`"),
        (json!({"type": "TCP"}), "HTTP or NETWORK, not `TCP`"),
        (json!({"match": [{"mode": "INBOUND"}]}), "a mode, not `INBOUND`"),
        (json!({"priority": "high"}), "a number of 32 bits"),
        (json!({"url": ""}), "the address of a module"),
        (json!({"sha256": "sha256:abc"}), "64 hexadecimal digits"),
    ] {
        let objects = object::read(&[plugin("p", "shop", spec.clone())]).unwrap();
        let error = Plugins::read(&objects, IstioLine::V1_30).unwrap_err().to_string();
        table.contains(&spec, &error, expected);
    }
}
