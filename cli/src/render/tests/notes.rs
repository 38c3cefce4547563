//! What is said beside the manifests of what they reach.

use super::*;
use weir_testing::Rows;

#[test]
fn what_a_manifest_does_not_do_is_said() {
    let native = |proxy| Wanted { replaces_native: true, ..wanted(Form::WasmPlugin, proxy) };
    let root = |proxy| {
        let target = (proxy == Proxy::Gateway).then(|| "Gateway/edge".to_owned());
        let workload = "istio-system/edge".to_owned();
        Wanted { target, workload, ..wanted(Form::EnvoyFilter, proxy) }
    };
    let selected = Wanted { target: None, ..root(Proxy::Gateway) };
    let mesh = json!({"rootNamespace": "shop"}).as_object().unwrap().clone();
    let document = [json!({"schema": 1, "name": "cart", "telemetry": {}})];
    let counts = "the Telemetry object is for services of shop alone";
    let everywhere = "is for the proxies of every namespace that have the labels app=cart";
    let one = "Envoy Gateway attaches one EnvoyExtensionPolicy to a target";
    let mut rows = Rows::default();
    for (name, wanted, words, is_said) in [
        ("a waypoint's Telemetry", native(Proxy::Waypoint), counts, true),
        ("a gateway's Telemetry", native(Proxy::Gateway), counts, false),
        ("a waypoint without it", wanted(Form::WasmPlugin, Proxy::Waypoint), counts, false),
        ("the root namespace, by labels", selected.clone(), everywhere, true),
        ("the root namespace, by a target", root(Proxy::Gateway), everywhere, false),
        ("a sidecar of the root namespace", root(Proxy::Sidecar), everywhere, true),
        (
            "the mesh's root namespace",
            Wanted { mesh: mesh.clone(), ..wanted(Form::WasmPlugin, Proxy::Sidecar) },
            everywhere,
            true,
        ),
        ("another root namespace", Wanted { mesh, ..selected }, everywhere, false),
        ("Envoy Gateway", wanted(Form::EnvoyGateway, Proxy::Gateway), one, true),
        ("Istio", wanted(Form::WasmPlugin, Proxy::Gateway), one, false),
    ] {
        let Rendered { notes, warnings, .. } = render(&wanted, &document).unwrap();
        let said = notes.into_iter().chain(warnings).collect::<Vec<_>>().join("\n");
        rows.check(format!("{name}: {said}"), said.contains(words), is_said);
    }
}
