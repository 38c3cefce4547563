//! Mistakes in rendered objects that their resource's schema notices, on every line that has the form, and the path that it
//! names. What no schema can notice, such as a match that is left out, `wasm-tests/istio/src/faults.rs` has.

use super::*;
use crate::render::schema::{gateway_problems, problems};
use weir_testing::Rows;

#[test]
fn a_mistake_that_the_schema_can_know_is_named_with_its_path() {
    let mut rows = Rows::default();
    let digest = json!(format!("sha256:{DIGEST}"));
    for (form, proxy, path, mistake) in [
        (Form::EnvoyFilter, Proxy::Sidecar, "/spec/configPatches/0/match/context", json!("INBOUND")),
        (Form::EnvoyFilter, Proxy::Sidecar, "/spec/configPatches/0/applyTo", json!("ECDS")),
        (Form::EnvoyFilter, Proxy::Sidecar, "/spec/configPatches/0/patch/operation", json!("INSERT")),
        (Form::EnvoyFilter, Proxy::Sidecar, "/spec/priority", json!("10")),
        (Form::WasmPlugin, Proxy::Sidecar, "/spec/match/0/mode", json!("INBOUND")),
        (Form::WasmPlugin, Proxy::Sidecar, "/spec/phase", json!("AUTHORIZATION")),
        (Form::WasmPlugin, Proxy::Sidecar, "/spec/priority", json!("100")),
        (Form::WasmPlugin, Proxy::Sidecar, "/spec/sha256", digest),
        (Form::WasmPlugin, Proxy::Sidecar, "/spec/failStrategy", json!("FAIL_CLOSED")),
        (Form::WasmPlugin, Proxy::Waypoint, "/spec/targetRefs/0/kind", json!("")),
        (Form::TrafficExtension, Proxy::Gateway, "/spec/match/0/mode", json!("OUTBOUND")),
        (Form::TrafficExtension, Proxy::Gateway, "/spec/wasm/failStrategy", json!("FAIL_CLOSED")),
        (Form::EnvoyGateway, Proxy::Gateway, "/spec/wasm/0/failOpen", json!("FAIL_OPEN")),
        (Form::EnvoyGateway, Proxy::Gateway, "/spec/wasm/0/code/type", json!("OCI")),
        (Form::EnvoyGateway, Proxy::Gateway, "/spec/targetRefs/0/kind", json!("Service")),
    ] {
        let intact = render(&wanted(form, proxy), &everything()).unwrap().trees.remove(0);
        let mut faulty = intact.clone();
        let place = faulty.pointer_mut(path);
        rows.check(format!("{form} {path}: is rendered"), place.is_some(), true);
        place.into_iter().for_each(|place| *place = mistake.clone());
        let found = |tree: &Value| match form {
            Form::EnvoyGateway => vec![gateway_problems(tree)],
            _ => form.lines().iter().map(|line| problems(tree, *line)).collect::<Vec<_>>(),
        };
        rows.check(format!("{form} {path}: intact"), found(&intact).concat(), Vec::<String>::new());
        for problems in found(&faulty) {
            let named = dotted(path);
            let says = problems.iter().any(|problem| problem.contains(&named));
            rows.check(format!("{form} {named}: {mistake}: {problems:?}"), says, true);
        }
    }
}

/// `$.spec.match[0].mode` for a JSON pointer.
fn dotted(pointer: &str) -> String {
    let step = |name: &str| if name.parse::<u32>().is_ok() { format!("[{name}]") } else { format!(".{name}") };
    pointer.split('/').skip(1).fold("$".to_owned(), |path, name| path + &step(name))
}
