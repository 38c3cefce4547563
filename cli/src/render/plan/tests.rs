use super::{Code, Phase, Plan, Wanted};
use crate::compile::Module;
use crate::render::form::Form;
use crate::render::schema::Istio;
use crate::render::tests::{DIGEST, of_module, wanted};
use crate::render::workload::{Direction, Labels, Proxy};
use weir_testing::Rows;

fn sidecar(form: Form, change: impl FnOnce(&mut Wanted)) -> Result<Plan, Vec<String>> {
    let mut wanted = wanted(form, Proxy::Sidecar);
    change(&mut wanted);
    Plan::of(&wanted)
}

#[test]
fn what_does_not_fit_is_refused_with_what_does() {
    let text = |text: &str| Some(text.to_owned());
    let cases: [(Result<Plan, Vec<String>>, &str); 29] = [
        (sidecar(Form::WasmPlugin, |w| w.workload = "cart".to_owned()), "`cart` is not NAMESPACE/NAME"),
        (sidecar(Form::WasmPlugin, |w| w.workload = "shop/Cart".to_owned()), "`shop/Cart` is not NAMESPACE/NAME"),
        (sidecar(Form::WasmPlugin, |w| w.workload = "shop/a..b".to_owned()), "NAMESPACE/NAME: `a..b` is not a name"),
        (sidecar(Form::WasmPlugin, |w| w.workload = "a.b/cart".to_owned()), "`a.b` is not a namespace"),
        (sidecar(Form::WasmPlugin, |w| w.workload = format!("a/{}", "b".repeat(64))), "more than 63 characters"),
        (sidecar(Form::WasmPlugin, |w| w.target = text("Service/a..b")), "--target-ref `a..b` is not a name"),
        (sidecar(Form::WasmPlugin, |w| w.image = None), "where is the module?"),
        (sidecar(Form::WasmPlugin, |w| w.module_file = text("/m.wasm")), "both an image and a file"),
        (sidecar(Form::WasmPlugin, |w| w.image = text("oci://r/suite:1")), "is not pinned"),
        (sidecar(Form::WasmPlugin, |w| w.image = text("https://r/suite.wasm")), "is not an image"),
        (sidecar(Form::WasmPlugin, |w| w.image = text("oci://r/suite@sha256:abc")), "`abc` is not the digest"),
        (sidecar(Form::WasmPlugin, |w| w.sha256 = text(&DIGEST.replace('0', "1"))), "different digests"),
        (sidecar(Form::WasmPlugin, |w| w.module = Module::Policy), "is the module suite, and policy is to be loaded"),
        (
            sidecar(Form::WasmPlugin, |w| w.image = text(&format!("r/weir/rate-limit-lean@sha256:{DIGEST}"))),
            "is the module rate limit, and suite is to be loaded",
        ),
        (
            sidecar(Form::Envoy, |w| w.module_file = text("/opt/telemetry.wasm")),
            "`/opt/telemetry.wasm` is the module telemetry, and suite is to be loaded: give its own",
        ),
        (sidecar(Form::WasmPlugin, |w| w.selector = Labels::new()), "--selector is missing"),
        (sidecar(Form::WasmPlugin, |w| w.target = text("Gateway/edge")), "takes no target of kind Gateway"),
        (sidecar(Form::WasmPlugin, |w| w.target = text("Pod/x")), "`Pod/x` is not one of"),
        (sidecar(Form::WasmPlugin, |w| w.is_snippet = true), "--snippet is not for form wasmplugin"),
        (sidecar(Form::EnvoyFilter, |w| w.phase = Some(Phase::Authz)), "--phase is not for form envoyfilter"),
        (sidecar(Form::EnvoyFilter, |w| w.pull_secret = text("s")), "gives pull secrets to WasmPlugins"),
        (
            sidecar(Form::EnvoyFilter, |w| w.replaces_native = true)
                .and(sidecar(Form::Envoy, |w| w.replaces_native = true)),
            "--replace-native is for",
        ),
        (
            sidecar(Form::TrafficExtension, |w| w.istio = Some(Istio::V1_29)),
            "Istio 1.29 has no form trafficextension: it is in 1.30, 1.31",
        ),
        (sidecar(Form::Envoy, |w| w.istio = Some(Istio::V1_29)), "--istio is not for form envoy"),
        (sidecar(Form::Envoy, |w| w.image = w.module_file.take()), "Envoy itself pulls no images"),
        (sidecar(Form::Envoy, |w| w.module_file = text("suite.wasm")), "is not absolute"),
        (sidecar(Form::EnvoyGateway, |_| {}), "form envoy-gateway is not for a sidecar"),
        (Plan::of(&wanted(Form::Envoy, Proxy::Waypoint)), "form envoy is not for a waypoint"),
        (
            Plan::of(&Wanted {
                directions: Some(vec![Direction::Inbound]),
                ..wanted(Form::WasmPlugin, Proxy::Gateway)
            }),
            "a gateway has outbound listeners only, none inbound",
        ),
    ];
    let mut rows = Rows::default();
    for (found, expected) in cases {
        rows.contains(expected, &found.err().unwrap_or_default().join("\n"), expected);
    }
}

#[test]
fn a_digest_may_stand_in_the_image_or_beside_it() {
    let pinned =
        |reference: &str| Code::Image { reference: reference.to_owned(), sha256: DIGEST.to_owned(), pull_secret: None };
    let mut rows = Rows::default();
    for (image, sha256, reference) in [
        (format!("oci://r/suite@sha256:{DIGEST}"), None, format!("r/suite@sha256:{DIGEST}")),
        (format!("r/suite:1@sha256:{DIGEST}"), Some(DIGEST.to_owned()), format!("r/suite:1@sha256:{DIGEST}")),
        ("oci://r:5000/suite:1".to_owned(), Some(DIGEST.to_owned()), "r:5000/suite:1".to_owned()),
        ("oci://r:5000/suite:1".to_owned(), Some(format!("sha256:{DIGEST}")), "r:5000/suite:1".to_owned()),
    ] {
        let plan = sidecar(Form::WasmPlugin, |w| (w.image, w.sha256) = (Some(image.clone()), sha256)).unwrap();
        rows.check(image, plan.code, pinned(&reference));
    }
}

/// istiod sorts WasmPlugins by priority, the greatest first, and EnvoyFilters the other way round.
#[test]
fn policy_is_before_limits_and_limits_before_telemetry() {
    let priority = |form, module| sidecar(form, |w| *w = of_module(module, w.clone())).unwrap().priority;
    let chain = [Module::Policy, Module::RateLimit, Module::Telemetry];
    let plugins = chain.map(|module| priority(Form::WasmPlugin, module));
    let filters = chain.map(|module| priority(Form::EnvoyFilter, module));
    assert!(plugins.is_sorted_by(|a, b| a > b), "{plugins:?}");
    assert!(filters.is_sorted_by(|a, b| a < b), "{filters:?}");
}

#[test]
fn directions_are_those_of_the_proxy_and_the_module() {
    let both = [Direction::Inbound, Direction::Outbound].as_slice();
    let [inbound, outbound] = [&both[..1], &both[1..]];
    let mut rows = Rows::default();
    for (proxy, module, expected) in [
        (Proxy::Sidecar, Module::Policy, inbound),
        (Proxy::Sidecar, Module::RateLimit, inbound),
        (Proxy::Sidecar, Module::Suite, inbound),
        (Proxy::Sidecar, Module::Telemetry, both),
        (Proxy::Gateway, Module::Suite, outbound),
        (Proxy::Gateway, Module::Telemetry, outbound),
        (Proxy::Waypoint, Module::Suite, inbound),
    ] {
        let plan = Plan::of(&of_module(module, wanted(Form::WasmPlugin, proxy))).unwrap();
        rows.check(format!("{proxy:?} {module:?}"), plan.directions, expected.to_vec());
    }
}
