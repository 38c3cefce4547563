//! What is done about objects that are too large for the API server.

use super::*;
use crate::render::size;
use weir_testing::Rows;

/// Policies of about that many bytes, which do not compress away.
fn policies(bytes: usize) -> Vec<Value> {
    let mut seed = 1_u64;
    let mut path = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("/{seed:016x}")
    };
    let mut rule = || json!({"to": [{"operation": {"paths": (0..40).map(|_| path()).collect::<Vec<_>>()}}]});
    let count = bytes / 900;
    (0..count)
        .map(|number| {
            policy(&format!("p{number}"), json!({"app": "cart"}), json!({"action": "ALLOW", "rules": [rule()]}))
        })
        .collect()
}

#[test]
fn an_object_that_is_too_large_is_refused_and_the_form_that_is_a_file_named() {
    let trees = policies(2_500_000);
    let module = |form| of_module(Module::Policy, wanted(form, Proxy::Sidecar));
    let mut rows = Rows::default();
    for form in [Form::EnvoyFilter, Form::WasmPlugin, Form::TrafficExtension] {
        let found = render(&module(form), &trees).unwrap_err().join("\n");
        rows.contains(form, &found, "form envoy is a file without that bound");
    }
    let rendered = render(&module(Form::Envoy), &trees).unwrap();
    assert!(size::bytes(&rendered.trees[0]) > size::MOST);
}
