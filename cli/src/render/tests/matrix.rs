//! Every form in every context: what its manifests must have, by Istio's and Envoy's sources.

use super::*;
use crate::render::plan::EnvoyLine;
use crate::render::schema::{Istio, gateway_problems, problems};
use crate::render::workload::Direction;
use weir_testing::Rows;

const BOTH: [Direction; 2] = [Direction::Inbound, Direction::Outbound];

/// The contexts that a form has, each with its directions.
fn contexts(form: Form) -> Vec<(Proxy, Vec<Direction>)> {
    let all = [
        (Proxy::Sidecar, vec![BOTH[0]]),
        (Proxy::Sidecar, vec![BOTH[1]]),
        (Proxy::Sidecar, BOTH.to_vec()),
        (Proxy::Gateway, vec![BOTH[1]]),
        (Proxy::Waypoint, vec![BOTH[0]]),
    ];
    all.into_iter().filter(|(proxy, _)| form.serves(*proxy)).collect()
}

/// Every form, context and module, with its name.
fn cases() -> Vec<(String, Wanted)> {
    let mut cases = Vec::new();
    for form in [Form::Envoy, Form::EnvoyFilter, Form::WasmPlugin, Form::TrafficExtension, Form::EnvoyGateway] {
        for (proxy, directions) in contexts(form) {
            for module in [Module::Policy, Module::RateLimit, Module::Telemetry, Module::Suite] {
                if module == Module::Policy && proxy == Proxy::Sidecar && directions.contains(&BOTH[1]) {
                    continue;
                }
                let name = format!("{form} {module} {proxy:?} {directions:?}");
                let wanted = of_module(module, wanted(form, proxy));
                cases.push((name, Wanted { directions: Some(directions.clone()), ..wanted }));
            }
        }
    }
    cases
}

#[test]
fn every_object_fits_the_schema_of_every_line_that_has_the_form() {
    let mut rows = Rows::default();
    for (name, wanted) in cases() {
        let rendered = render(&wanted, &everything()).map_err(|problems| problems.join("\n"));
        let Ok(rendered) = rendered else {
            rows.check(&name, rendered.err(), None);
            continue;
        };
        rows.check(&name, rendered.trees.is_empty(), false);
        if wanted.form == Form::EnvoyGateway {
            let found: Vec<String> = rendered.trees.iter().flat_map(gateway_problems).collect();
            rows.check(&name, found, Vec::<String>::new());
        }
        for line in wanted.form.lines() {
            let found: Vec<String> = rendered.trees.iter().flat_map(|tree| problems(tree, *line)).collect();
            rows.check(format!("{name}, Istio {}", line.name()), found, Vec::<String>::new());
        }
        rows.check(&name, rendered.warnings, Vec::<String>::new());
    }
}

#[test]
fn a_document_says_its_listener_and_has_nothing_of_others() {
    let mut rows = Rows::default();
    for (name, wanted) in cases().into_iter().filter(|(_, wanted)| wanted.form.tells_direction()) {
        let documents = documents(&render(&wanted, &everything()).unwrap());
        let words: Vec<&str> = wanted.directions.iter().flatten().map(|direction| direction.word()).collect();
        let written: Vec<&str> = documents.iter().filter_map(|document| document["listener"].as_str()).collect();
        rows.check(&name, written, words);
        for document in &documents {
            rows.check(format!("{name}: others"), document.to_string().contains("stock"), false);
        }
    }
}

/// A trap or a limit's count is one for both directions only if the VM is.
#[test]
fn both_directions_share_a_vm_and_have_names_of_their_own() {
    let both = |form| Wanted { directions: Some(BOTH.to_vec()), ..wanted(form, Proxy::Sidecar) };
    let mut rows = Rows::default();
    for (form, prefix) in [(Form::Envoy, ""), (Form::EnvoyFilter, "shop.")] {
        let mut found = Vec::new();
        plugins(&json!(render(&both(form), &everything()).unwrap().trees), &mut found);
        let expected = ["inbound", "outbound"]
            .map(|word| (json!(format!("{prefix}weir-suite-cart-{word}")), json!("weir.shop.cart")));
        rows.check(form, found, expected.to_vec());
    }
    let trees = render(&both(Form::WasmPlugin), &everything()).unwrap().trees;
    let names: Vec<&str> = trees.iter().filter_map(|tree| tree["metadata"]["name"].as_str()).collect();
    rows.check("wasmplugin", names, vec!["weir-suite-cart-inbound", "weir-suite-cart-outbound"]);
}

/// Name and VM of every plugin in a tree.
fn plugins(tree: &Value, found: &mut Vec<(Value, Value)>) {
    if let Some(vm) = tree.get("vm_config") {
        found.push((tree["name"].clone(), vm["vm_id"].clone()));
    }
    let inner: Vec<&Value> = match tree {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    inner.into_iter().for_each(|tree| plugins(tree, found));
}

/// `ListenerBuilder.patchListeners` of istiod applies GATEWAY to routers, and the sidecar's two to all others.
#[test]
fn patches_and_matches_are_for_the_listeners_that_istio_builds() {
    let mut rows = Rows::default();
    for (proxy, direction, context, mode) in [
        (Proxy::Sidecar, BOTH[0], "SIDECAR_INBOUND", "SERVER"),
        (Proxy::Sidecar, BOTH[1], "SIDECAR_OUTBOUND", "CLIENT"),
        (Proxy::Gateway, BOTH[1], "GATEWAY", "CLIENT"),
        (Proxy::Waypoint, BOTH[0], "SIDECAR_INBOUND", "SERVER"),
    ] {
        let of = |form| Wanted { directions: Some(vec![direction]), ..wanted(form, proxy) };
        let name = format!("{proxy:?} {direction:?}");
        let filter = render(&of(Form::EnvoyFilter), &everything()).unwrap().trees.remove(0);
        let patches = filter["spec"]["configPatches"].as_array().unwrap().clone();
        let contexts: Vec<&str> = patches.iter().filter_map(|patch| patch["match"]["context"].as_str()).collect();
        rows.check(&name, contexts, vec![context; patches.len()]);
        let removed = patches.iter().filter(|patch| patch["patch"]["operation"] == "REMOVE");
        let removed: Vec<&str> = removed.filter_map(|patch| patch["match"]["listener"]["name"].as_str()).collect();
        // HBONE's CONNECT requests are not those that policies are for.
        let hbone: &[&str] = if context == "SIDECAR_INBOUND" { &["connect_terminate"] } else { &[] };
        rows.check(format!("{name}: removed"), removed, hbone.to_vec());
        for (form, path) in [(Form::WasmPlugin, ""), (Form::TrafficExtension, "/wasm")] {
            let plugin = render(&of(form), &everything()).unwrap().trees.remove(0);
            let spec = &plugin["spec"];
            rows.check(format!("{name}: {form}"), &spec["match"], &json!([{"mode": mode}]));
            rows.check(format!("{name}: {form}"), (&spec["phase"], &spec["priority"]), (&json!("AUTHZ"), &json!(100)));
            rows.check(format!("{name}: {form}"), spec.pointer(&format!("{path}/pluginName")), Some(&json!("weir")));
        }
    }
}

#[test]
fn proxies_are_selected_by_labels_or_by_their_gateway() {
    let edge = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}]);
    let mut rows = Rows::default();
    for (form, selector, labels) in [
        (Form::EnvoyFilter, "workloadSelector", "labels"),
        (Form::WasmPlugin, "selector", "matchLabels"),
        (Form::TrafficExtension, "selector", "matchLabels"),
    ] {
        for (proxy, target) in [
            (Proxy::Sidecar, None),
            (Proxy::Gateway, None),
            (Proxy::Gateway, Some("Gateway/edge")),
            (Proxy::Waypoint, Some("Gateway/edge")),
        ] {
            let wanted = Wanted { target: target.map(str::to_owned), replaces_native: true, ..wanted(form, proxy) };
            for tree in render(&wanted, &everything()).unwrap().trees {
                let name = format!("{} of {form} {proxy:?} {target:?}", tree["kind"]);
                let (selector, labels) =
                    if tree["kind"] == "Telemetry" { ("selector", "matchLabels") } else { (selector, labels) };
                let by_labels = target.is_none().then(|| json!({labels: {"app": "cart"}}));
                rows.check(&name, tree["spec"].get(selector), by_labels.as_ref());
                rows.check(&name, tree["spec"].get("targetRefs"), target.map(|_| &edge));
            }
        }
    }
}

/// Envoy 1.40 has the list of capabilities in `VmConfig`; before that it is in `PluginConfig`.
#[test]
fn capabilities_are_where_the_line_has_them() {
    let mut rows = Rows::default();
    for (line, pointer, other) in [
        (EnvoyLine::V1_36, "/config", "/config/vm_config"),
        (EnvoyLine::V1_39, "/config", "/config/vm_config"),
        (EnvoyLine::V1_40, "/config/vm_config", "/config"),
    ] {
        let wanted = Wanted { envoy: Some(line), is_snippet: true, ..wanted(Form::Envoy, Proxy::Sidecar) };
        let tree = render(&wanted, &everything()).unwrap().trees.remove(0);
        let at =
            |path: &str| tree[0]["typed_config"].pointer(&format!("{path}/capability_restriction_config")).is_some();
        rows.check(format!("{line:?}"), (at(pointer), at(other)), (true, false));
    }
}

/// The table in `failure.rs`, and in the page on deploying.
#[test]
fn what_happens_without_the_module_follows_from_document_and_form() {
    let local = |wanted: Wanted| Wanted { image: None, module_file: Some("/opt/m.wasm".to_owned()), ..wanted };
    let shadow = |wanted: Wanted| Wanted { mode: Some(weir_config::Mode::Shadow), ..wanted };
    let of = |module| of_module(module, wanted(Form::WasmPlugin, Proxy::Sidecar));
    let mut rows = Rows::default();
    for (name, wanted, expected) in [
        ("policy, registry", of(Module::Policy), "FAIL_RELOAD"),
        ("policy, file", local(of(Module::Policy)), "FAIL_RELOAD"),
        ("suite, registry", of(Module::Suite), "FAIL_RELOAD"),
        ("suite in shadow, registry", shadow(of(Module::Suite)), "FAIL_OPEN"),
        ("suite in shadow, file", local(shadow(of(Module::Suite))), "FAIL_RELOAD"),
        ("limits, registry", of(Module::RateLimit), "FAIL_OPEN"),
        ("limits, file", local(of(Module::RateLimit)), "FAIL_RELOAD"),
        ("telemetry, registry", of(Module::Telemetry), "FAIL_OPEN"),
        ("telemetry, file", local(of(Module::Telemetry)), "FAIL_RELOAD"),
        (
            "suite outbound, without policy",
            Wanted { directions: Some(vec![BOTH[1]]), ..of(Module::Suite) },
            "FAIL_OPEN",
        ),
    ] {
        for form in [Form::WasmPlugin, Form::EnvoyFilter] {
            let trees = render(&Wanted { form, ..wanted.clone() }, &everything()).unwrap().trees;
            let text = json!(trees).to_string();
            let written = |word: &str| text.matches(&format!("\"{word}\"")).count();
            let both = if expected == "FAIL_OPEN" { (0, 1) } else { (1, 0) };
            let one = if wanted.module == Module::Telemetry { (both.0 * 2, both.1 * 2) } else { both };
            rows.check(format!("{name}, {form}"), (written("FAIL_RELOAD"), written("FAIL_OPEN")), one);
            // A filter that lets requests pass until the module is there, where they would pass without it too.
            let passes = text.contains("default_config");
            let enforces = ["policy, registry", "policy, file", "suite, registry"].contains(&name);
            rows.check(format!("{name}, {form}: until then"), passes, !enforces && form == Form::EnvoyFilter);
        }
    }
}

/// A listener that changes drains, and what is in flight on its connections is lost when the time for that is over.
#[test]
fn turning_all_off_changes_the_document_and_not_the_listener() {
    let off = |wanted: &Wanted| Wanted { mode: Some(weir_config::Mode::Off), ..wanted.clone() };
    let blocks = json!({"action": "DENY", "rules": [{"from": [{"source": {"ipBlocks": ["192.0.2.0/24"]}}]}]});
    let with = |more: Value| everything().into_iter().chain([more]).collect::<Vec<_>>();
    let by_address = with(policy("blocks", json!({"app": "cart"}), blocks));
    let shadow: Vec<Value> = everything()
        .into_iter()
        .map(|mut tree| {
            if tree.get("schema").is_some() {
                tree["mode"] = json!("shadow");
            }
            tree
        })
        .collect();
    let mut rows = Rows::default();
    for (name, files, has_default) in
        [("enforced", everything(), false), ("by address", by_address, false), ("in shadow", shadow, true)]
    {
        for proxy in [Proxy::Sidecar, Proxy::Gateway, Proxy::Waypoint] {
            let wanted = wanted(Form::EnvoyFilter, proxy);
            if name == "by address" && proxy != Proxy::Sidecar {
                continue;
            }
            let patches = |wanted: &Wanted| {
                let tree = render(wanted, &files).unwrap().trees.remove(0);
                let patches = tree["spec"]["configPatches"].as_array().unwrap().clone();
                let (resources, listener): (Vec<_>, Vec<_>) =
                    patches.into_iter().partition(|patch| patch["applyTo"] == "EXTENSION_CONFIG");
                (json!(resources).to_string(), listener)
            };
            let ((before, listener), (after, same)) = (patches(&wanted), patches(&off(&wanted)));
            let name = format!("{name}, {proxy:?}");
            rows.check(format!("{name}: listener"), &same, &listener);
            rows.check(format!("{name}: default"), json!(same).to_string().contains("default_config"), has_default);
            rows.check(format!("{name}: document"), before == after, false);
            // Where the image cannot be pulled, this lets requests pass.
            rows.check(format!("{name}: open"), after.contains("FAIL_OPEN") && !after.contains("FAIL_RELOAD"), true);
        }
    }
}

/// The sentence says what the form does: Envoy itself does not start, and a default of discovery lets requests pass.
#[test]
fn what_is_said_of_a_failure_is_what_the_form_does() {
    let shadow = |wanted: Wanted| Wanted { mode: Some(weir_config::Mode::Shadow), ..wanted };
    let file = |wanted: Wanted| Wanted { image: None, module_file: Some("/opt/m.wasm".to_owned()), ..wanted };
    let of = |form| wanted(form, if form == Form::EnvoyGateway { Proxy::Gateway } else { Proxy::Sidecar });
    let refused = "if the module cannot be had, every request is refused";
    let mut rows = Rows::default();
    for (name, wanted, expected) in [
        ("envoy", of(Form::Envoy), "without the module's file Envoy does not start"),
        ("envoy in shadow", shadow(of(Form::Envoy)), "without the module's file Envoy does not start"),
        ("image", of(Form::EnvoyFilter), refused),
        ("file", file(of(Form::EnvoyFilter)), refused),
        ("file in shadow", file(shadow(of(Form::EnvoyFilter))), "if the module cannot be had, every request passes"),
        ("plugin from a file in shadow", file(shadow(of(Form::WasmPlugin))), refused),
        ("image in shadow", shadow(of(Form::EnvoyFilter)), "requests pass if the image cannot be pulled"),
        ("gateway", of(Form::EnvoyGateway), "after a trap requests are refused until the next change"),
    ] {
        rows.contains(name, &render(&wanted, &everything()).unwrap().notes.join("\n"), expected);
    }
}

/// Envoy takes no certificate on a listener without TLS, so what compares one does not do what its author means.
#[test]
fn identities_without_tls_are_spoken_of() {
    let from = |source: Value| json!({"from": [{"source": source}]});
    let when = |key: &str| json!({"when": [{"key": key, "values": ["a"]}]});
    let snippet = |wanted: Wanted| Wanted { is_snippet: true, ..wanted };
    let of = |form| wanted(form, Proxy::Sidecar);
    let mut rows = Rows::default();
    for (name, wanted, rule, expected) in [
        ("a principal", of(Form::Envoy), from(json!({"principals": ["cluster.local/ns/a/sa/b"]})), true),
        ("other namespaces", of(Form::Envoy), from(json!({"notNamespaces": ["a"]})), true),
        ("a condition", of(Form::Envoy), when("source.namespace"), true),
        ("a service account", of(Form::Envoy), from(json!({"serviceAccounts": ["a/b"]})), true),
        ("an address", of(Form::Envoy), from(json!({"remoteIpBlocks": ["192.0.2.1"]})), false),
        ("a path", of(Form::Envoy), json!({"to": [{"operation": {"paths": ["/a"]}}]}), false),
        ("a listener of the operator's", snippet(of(Form::Envoy)), from(json!({"namespaces": ["a"]})), false),
        ("Istio's listener", of(Form::EnvoyFilter), from(json!({"namespaces": ["a"]})), false),
    ] {
        let policy = policy("p", json!({"app": "cart"}), json!({"rules": [rule]}));
        let notes = render(&wanted, &[policy]).unwrap().notes;
        rows.check(name, notes.iter().any(|note| note.starts_with("policies name identities")), expected);
    }
}

/// `internal/xds/translator/wasm.go` of Envoy Gateway: a VM for each entry, `rootID` as root id, `config` as JSON text.
#[test]
fn an_extension_policy_of_envoy_gateway_has_what_its_listeners_take() {
    let of = |module| of_module(module, wanted(Form::EnvoyGateway, Proxy::Gateway));
    let mut rows = Rows::default();
    for (module, fails_open) in [(Module::Policy, false), (Module::Suite, false), (Module::RateLimit, true)] {
        let tree = render(&of(module), &everything()).unwrap().trees.remove(0);
        let entry = &tree["spec"]["wasm"][0];
        let name = format!("registry.example.com/weir/{}@sha256:{DIGEST}", module.word());
        let image = json!({"url": name, "sha256": DIGEST});
        rows.check(module, (&entry["failOpen"], &entry["rootID"]), (&json!(fails_open), &json!("weir")));
        rows.check(module, &entry["code"]["image"], &image);
        rows.check(module, entry["config"].get("listener"), None);
        rows.check(module, &tree["spec"]["targetRefs"][0]["name"], &json!("edge"));
    }
    // No filter of another kind can be put in front.
    let blocks = json!({"action": "DENY", "rules": [{"from": [{"source": {"ipBlocks": ["192.0.2.0/24"]}}]}]});
    let mut policy = policy("p", json!({}), blocks);
    policy["spec"].as_object_mut().unwrap().remove("selector");
    let found = render(&of(Module::Policy), &[policy]).unwrap_err().join("\n");
    rows.contains("addresses", &found, "form envoy-gateway has no place for such a filter");
}

#[test]
fn the_lines_of_a_form_are_those_that_have_its_resource() {
    let mut rows = Rows::default();
    for (form, lines) in [(Form::WasmPlugin, 4), (Form::EnvoyFilter, 4), (Form::TrafficExtension, 2)] {
        let tree = render(&wanted(form, Proxy::Sidecar), &everything()).unwrap().trees.remove(0);
        let fitting = Istio::ALL.iter().filter(|line| problems(&tree, **line).is_empty()).count();
        rows.check(form, fitting, lines);
    }
}
