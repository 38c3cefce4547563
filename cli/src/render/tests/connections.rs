//! Filters of connections: where each form puts them, and what each cannot do.

use super::*;
use crate::documents::Contents;
use crate::plugin::Root;
use weir_policy::Protocol;
use weir_testing::Rows;

fn connections(form: Form, module: Module) -> Wanted {
    let ports = match form {
        Form::WasmPlugin | Form::TrafficExtension => vec![6379],
        _ => Vec::new(),
    };
    let wanted = of_module(module, wanted(form, Proxy::Sidecar));
    Wanted { protocol: Protocol::Tcp, ports, ..wanted }
}

/// A policy for connections of the workload with this source.
fn from(source: Value) -> Value {
    policy("redis", json!({"app": "cart"}), json!({"rules": [{"from": [{"source": source}]}]}))
}

/// Every value of a field anywhere below a tree.
fn values<'v>(tree: &'v Value, field: &str, found: &mut Vec<&'v Value>) {
    match tree {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == field {
                    found.push(value);
                }
                values(value, field, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| values(item, field, found)),
        _ => {}
    }
}

#[test]
fn every_form_loads_a_network_filter() {
    let mut rows = Rows::default();
    for form in [Form::Envoy, Form::EnvoyFilter, Form::WasmPlugin, Form::TrafficExtension] {
        for module in [Module::Policy, Module::Suite] {
            let name = format!("{form} {module}");
            let trees = [from(json!({"namespaces": ["shop"]}))];
            let rendered =
                render(&connections(form, module), &trees).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            let contents = Contents::of_all(&rendered.trees);
            let plugins: Vec<_> = contents.found.iter().filter_map(|found| found.plugin.as_ref()).collect();
            rows.check(&name, plugins.len(), 1);
            let fits = plugins.iter().all(|plugin| plugin.root == Root::Tcp && plugin.is_network);
            rows.check(&name, fits, true);
            let named = documents(&rendered).iter().all(|document| document["name"] == "cart-tcp");
            rows.check(&name, named, true);
        }
    }
}

#[test]
fn an_envoyfilter_is_for_chains_of_the_tcp_proxy() {
    let trees = [from(json!({"ipBlocks": ["10.0.0.0/8"]}))];
    let rendered = render(&connections(Form::EnvoyFilter, Module::Policy), &trees).unwrap();
    let patches = rendered.trees[0]["spec"]["configPatches"].as_array().unwrap();
    let shown: Vec<(String, String)> = patches
        .iter()
        .map(|patch| {
            let text = |pointer: &str| patch.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let anchor = text("/match/listener/filterChain/filter/name");
            (format!("{} {}", text("/applyTo"), text("/patch/operation")), anchor)
        })
        .collect();
    let before = ("NETWORK_FILTER INSERT_BEFORE".to_owned(), "envoy.filters.network.tcp_proxy".to_owned());
    // What writes the direct address stands before what reads it.
    assert_eq!(shown, [("EXTENSION_CONFIG ADD".to_owned(), String::new()), before.clone(), before]);
    let first = &patches[1]["patch"]["value"];
    assert_eq!(first["typed_config"]["on_new_connection"][0]["object_key"], "weir.direct_address");
    let mut urls = Vec::new();
    values(&rendered.trees[0], "type_urls", &mut urls);
    assert!(urls[0].to_string().contains("filters.network.wasm.v3.Wasm"), "{urls:?}");
}

#[test]
fn istios_plugins_are_for_the_ports_that_are_named() {
    let mut rows = Rows::default();
    for form in [Form::WasmPlugin, Form::TrafficExtension] {
        let wanted = Wanted { ports: vec![6379, 6380], ..connections(form, Module::Policy) };
        let rendered = render(&wanted, &[from(json!({"namespaces": ["shop"]}))]).unwrap();
        let spec = &rendered.trees[0]["spec"];
        let expected = json!([{"mode": "SERVER", "ports": [{"number": 6379}, {"number": 6380}]}]);
        rows.check(form, spec["match"].clone(), expected);
        let holder = if form == Form::WasmPlugin { spec } else { &spec["wasm"] };
        rows.check(form, (holder["type"].clone(), holder["pluginName"].clone()), (json!("NETWORK"), json!("weir.tcp")));
    }
}

#[test]
fn what_a_form_cannot_do_is_refused() {
    let mut rows = Rows::default();
    let policy = |form| connections(form, Module::Policy);
    for (name, wanted, expected) in [
        ("limits", connections(Form::EnvoyFilter, Module::RateLimit), "rate-limit.wasm has no filter of connections"),
        (
            "Envoy Gateway",
            Wanted { proxy: Proxy::Gateway, target: Some("Gateway/edge".to_owned()), ..policy(Form::EnvoyGateway) },
            "form envoy-gateway loads HTTP filters alone",
        ),
        (
            "a waypoint",
            Wanted {
                protocol: Protocol::Tcp,
                ..of_module(Module::Policy, super::wanted(Form::EnvoyFilter, Proxy::Waypoint))
            },
            "--protocol tcp is not for a waypoint",
        ),
        ("no port", Wanted { ports: Vec::new(), ..policy(Form::WasmPlugin) }, "--port is missing"),
        ("a port", Wanted { ports: vec![1], ..policy(Form::EnvoyFilter) }, "--port is not for form envoyfilter"),
        (
            "a port of requests",
            Wanted { ports: vec![1], ..super::wanted(Form::WasmPlugin, Proxy::Sidecar) },
            "--port is for --protocol tcp",
        ),
    ] {
        let problems = Plan::of(&wanted).err().unwrap_or_default().join("\n");
        rows.contains(name, &problems, expected);
    }
    for (form, source, more, expected) in [
        (Form::WasmPlugin, json!({"ipBlocks": ["10.0.0.0/8"]}), json!({}), "form wasmplugin has no place"),
        (
            Form::EnvoyFilter,
            json!({"namespaces": ["a"]}),
            json!({"peerUriSans": {"filterState": "sans"}}),
            "`workload.peerUriSans` of connections is written once",
        ),
    ] {
        let document = json!({"schema": 1, "name": "c", "workload": more, "policies": []});
        let problems = render(&policy(form), &[from(source), document]).err().unwrap_or_default().join("\n");
        rows.contains(form, &problems, expected);
    }
    let none = render(&policy(Form::EnvoyFilter), &[json!({"schema": 1, "name": "c", "telemetry": {}})]);
    rows.contains("nothing to decide", &none.err().unwrap_or_default().join("\n"), "no AuthorizationPolicy");
}

#[test]
fn other_sections_are_left_out_with_a_note() {
    let trees = [from(json!({"namespaces": ["shop"]})), json!({"schema": 1, "telemetry": {}})];
    let rendered = render(&connections(Form::EnvoyFilter, Module::Suite), &trees).unwrap();
    assert!(rendered.notes.iter().any(|note| note.contains("`telemetry` is left out")), "{:?}", rendered.notes);
    assert_eq!(documents(&rendered)[0].get("telemetry"), None);
}
