use crate::compile::Module;
use crate::render::form::Form;
use crate::render::plan::{Sections, Wanted};
use crate::render::tests::{documents, everything, of_module, policy, render, wanted};
use crate::render::workload::{Direction, Proxy, labels};
use serde_json::{Value, json};
use weir_config::Mode;
use weir_testing::Rows;

fn of(module: Module) -> Wanted {
    of_module(module, wanted(Form::WasmPlugin, Proxy::Sidecar))
}

/// The only document that is rendered of those trees.
fn one(wanted: &Wanted, trees: &[Value]) -> Value {
    documents(&render(wanted, trees).unwrap()).remove(0)
}

#[test]
fn each_module_gets_its_own_part_of_the_files() {
    let mut rows = Rows::default();
    for (module, present, absent) in [
        (Module::Policy, ["policies", "workload"], ["local", "metricPrefix"]),
        (Module::RateLimit, ["local", "rate_limits"], ["policies", "metricPrefix"]),
        (Module::Telemetry, ["metricPrefix", "schema"], ["policies", "local"]),
        (Module::Suite, ["policy", "rateLimit"], ["policies", "local"]),
    ] {
        let document = one(&of(module), &everything());
        let has = |name: &str| document.get(name).is_some();
        rows.check(module, (present.map(has), absent.map(has)), ([true; 2], [false; 2]));
        rows.check(module, (&document["schema"], &document["name"]), (&json!(1), &json!("cart")));
    }
}

#[test]
fn the_workload_is_written_into_the_policy() {
    let document = one(&of(Module::Policy), &everything());
    let expected = json!({"namespace": "shop", "proxy": "sidecar", "labels": {"app": "cart"}});
    assert_eq!(document["workload"], expected);
    // Where the pods' own labels have to decide, none are written that would hide them.
    let versions = policy("v", json!({"version": "v1"}), json!({"action": "DENY", "rules": [{}]}));
    let document = one(&of(Module::Policy), std::slice::from_ref(&versions));
    assert_eq!(document["workload"], json!({"namespace": "shop", "proxy": "sidecar"}));
    assert_eq!(document["policies"].as_array().unwrap().len(), 1);
}

#[test]
fn policies_are_inbound_and_the_rest_is_where_it_is_asked_for() {
    let wanted = Wanted { directions: Some(vec![Direction::Inbound, Direction::Outbound]), ..of(Module::Suite) };
    let documents = documents(&render(&wanted, &everything()).unwrap());
    let sections = |document: &Value| ["policy", "rateLimit", "telemetry"].map(|name| document.get(name).is_some());
    assert_eq!(documents.iter().map(sections).collect::<Vec<_>>(), [[true, true, true], [false, true, true]]);
    let outbound = Wanted { directions: Some(vec![Direction::Outbound]), ..of(Module::Policy) };
    let found = render(&outbound, &everything()).unwrap_err().join("\n");
    assert!(found.contains("do nothing on a sidecar's outbound listeners"), "{found}");
}

#[test]
fn modes_are_kept_unless_one_is_asked_for() {
    let policy = policy("a", json!({"app": "cart"}), json!({"action": "DENY", "rules": [{}]}));
    let suite = json!({"schema": 1, "name": "s", "mode": "shadow", "policy": {"mode": false}, "telemetry": {}});
    let alone = json!({"schema": 1, "name": "s", "mode": "shadow", "policies": [policy]});
    let limits =
        json!({"schema": 1, "name": "s", "mode": "off", "local": {"config": {"domain": "d", "descriptors": []}}});
    let modes = |document: Value| ["/mode", "/policy/mode", "/rateLimit/mode"].map(|at| document.pointer(at).cloned());
    let word = |text: &str| Some(json!(text));
    let asked = |mode| Wanted { mode: Some(mode), ..of(Module::Suite) };
    let mut rows = Rows::default();
    for (name, wanted, trees, expected) in [
        ("as written", of(Module::Suite), vec![suite.clone()], [word("shadow"), word("off"), None]),
        ("asked for", asked(Mode::Off), vec![suite.clone()], [word("off"), None, None]),
        ("a module's document in a suite", of(Module::Suite), vec![alone, limits], [None, word("shadow"), word("off")]),
        ("a suite's section alone", of(Module::Policy), vec![suite], [word("off"), None, None]),
    ] {
        rows.check(name, modes(one(&wanted, &trees)), expected);
    }
}

#[test]
fn metrics_stand_beside_istios_unless_they_replace_them() {
    let named = |prefix: &str| json!({"schema": 1, "name": "t", "telemetry": {"metricPrefix": prefix}});
    let plain = json!({"schema": 1, "name": "t", "telemetry": {}});
    let native = Wanted { replaces_native: true, ..of(Module::Suite) };
    let envoy = wanted(Form::Envoy, Proxy::Sidecar);
    let prefix = |wanted: &Wanted, tree: &Value| {
        let documents = render(wanted, std::slice::from_ref(tree)).map(|rendered| documents(&rendered));
        documents
            .map(|documents| documents[0]["telemetry"].get("metricPrefix").cloned())
            .map_err(|found| found.join("\n"))
    };
    let mut rows = Rows::default();
    for (name, wanted, tree, expected) in [
        ("beside", &of(Module::Suite), plain.clone(), Some(json!("weir_istio_"))),
        ("named", &of(Module::Suite), named("x_"), Some(json!("x_"))),
        ("replaced", &native, plain.clone(), None),
        ("replaced, named", &native, named("istio_"), Some(json!("istio_"))),
        ("without Istio", &envoy, plain, None),
    ] {
        rows.check(name, prefix(wanted, &tree), Ok(expected));
    }
    rows.contains("other", &prefix(&native, &named("x_")).unwrap_err(), "needs Istio's names");
    let limits =
        json!({"schema": 1, "name": "t", "rateLimit": {"local": {"config": {"domain": "d", "descriptors": []}}}});
    rows.contains("none", &prefix(&native, &limits).unwrap_err(), "nothing would count");
}

#[test]
fn what_two_files_say_differently_is_a_problem() {
    let limits = || json!({"domain": "d", "descriptors": []});
    let document = |name: &str| json!({"schema": 1, "name": name, "telemetry": {}});
    let elsewhere = json!({"schema": 1, "policy": {"workload": {"namespace": "stock"}}});
    let mut rows = Rows::default();
    for (trees, expected) in [
        (vec![limits(), limits()], "1.yaml: error: $: limits are in another file too"),
        (vec![json!({"apply": []}), json!({"apply": []})], "1.yaml: error: $.apply: `apply` is in another file too"),
        (vec![document("a"), document("b")], "1.yaml: error: $.telemetry: `telemetry` is in another document too"),
        (vec![document("a"), document("b")], "1.yaml: error: $.name: `name` differs from that of another document"),
        (vec![elsewhere], "`workload.namespace` is \"stock\" in a document, and \"shop\" is rendered for"),
        (vec![json!({"schema": 1, "polcy": {}})], "polcy: unknown field; did you mean `policy`?"),
        (vec![json!({"schema": 2, "telemetry": {}})], ".schema: expected `1`"),
        (vec![json!({"kind": "Service"})], "the files have nothing for the module to do"),
    ] {
        rows.contains(expected, &render(&of(Module::Suite), &trees).unwrap_err().join("\n"), expected);
    }
}

/// A file can have everything but what the workload needs: a mistyped name must not look like a protected workload.
#[test]
fn policies_that_are_all_for_others_are_an_error_unless_that_is_asked_for() {
    let cart = || of(Module::Suite);
    let at = |workload: &str| Wanted { workload: workload.to_owned(), ..cart() };
    let labelled = |wanted: Wanted, label: &str| Wanted { selector: labels(&[label.to_owned()]).unwrap(), ..wanted };
    let without_policy = Sections { inbound: Some(vec![Module::RateLimit, Module::Telemetry]), ..Sections::default() };
    let everywhere = policy("all", json!({}), json!({"action": "DENY", "rules": [{}]}));
    let others = "none of 3 AuthorizationPolicies is for shp/cart: they are of the namespaces `shop` (3), so every request \
                  would pass: mend the workload";
    let mut rows = Rows::default();
    for (name, wanted, trees, expected) in [
        ("its own", cart(), everything(), None),
        ("another namespace", at("shp/cart"), everything(), Some(others)),
        ("another label", labelled(cart(), "app=crat"), everything(), Some("`shop/cart` (asks for `app=cart`)")),
        (
            "policies alone",
            at("shp/cart"),
            everything().split_off(2)[..1].to_vec(),
            Some("none of 1 AuthorizationPolicy is"),
        ),
        (
            "the policy module",
            Wanted { workload: "shp/cart".to_owned(), ..of(Module::Policy) },
            everything(),
            Some(others),
        ),
        ("another module", Wanted { workload: "shp/cart".to_owned(), ..of(Module::RateLimit) }, everything(), None),
        ("sections without policy", Wanted { sections: without_policy, ..at("shp/cart") }, everything(), None),
        ("allowed", Wanted { allows_no_policies: true, ..at("shp/cart") }, everything(), None),
        ("no policies at all", at("shp/cart"), everything().split_off(3), None),
        ("of the whole namespace", labelled(cart(), "app=crat"), vec![everywhere], None),
    ] {
        let found = render(&wanted, &trees);
        rows.check(name, found.is_err(), expected.is_some());
        rows.contains(name, &found.err().unwrap_or_default().join("\n"), expected.unwrap_or_default());
    }
    // Nothing is written that does nothing, and nothing is warned of that was asked for.
    let found = render(&Wanted { allows_no_policies: true, ..at("shp/cart") }, &everything()).unwrap();
    rows.check("no section", documents(&found)[0].get("policy"), None);
    rows.check("no warning", found.warnings, Vec::<String>::new());
    rows.contains("a note", &found.notes.join("\n"), "none of 3 AuthorizationPolicies is for shp/cart");
}

#[test]
fn a_section_that_is_asked_for_by_name_is_there_or_missed() {
    let [policy, limits, telemetry] = [Module::Policy, Module::RateLimit, Module::Telemetry];
    let all = || vec![policy, limits, telemetry];
    let inbound = |list| Sections { inbound: Some(list), ..Sections::default() };
    let outbound = |list| Sections { outbound: Some(list), ..Sections::default() };
    let only = |range: std::ops::Range<usize>| everything()[range].to_vec();
    let missed = "asks for `telemetry`, and no document has it: write `telemetry: {}`";
    let mut rows = Rows::default();
    for (sections, trees, expected) in [
        (inbound(all()), everything(), ""),
        (inbound(all()), only(0..5), missed),
        (outbound(vec![telemetry]), only(0..5), missed),
        (inbound(all()), only(3..6), "asks for `policy`, and the files have no AuthorizationPolicy"),
        (
            inbound(all()),
            [only(0..3), only(5..6)].concat(),
            "`sections` asks for `rateLimit`, and the files have no limits",
        ),
        (inbound(vec![policy]), only(0..3), ""),
    ] {
        let name = format!("{sections:?}: {expected}");
        let directions = Some(vec![Direction::Inbound, Direction::Outbound]);
        let found = render(&Wanted { sections, directions, ..of(Module::Suite) }, &trees);
        rows.check(&name, found.is_err(), !expected.is_empty());
        rows.contains(&name, &found.err().unwrap_or_default().join("\n"), expected);
    }
    let modes = Sections { modes: vec![(telemetry, Mode::Off)], ..Sections::default() };
    for (trees, said) in [(only(0..5), true), (everything(), false)] {
        let notes = render(&Wanted { sections: modes.clone(), ..of(Module::Suite) }, &trees).unwrap().notes;
        rows.check(
            "a mode",
            notes.iter().any(|note| note.contains("`modes` has `telemetry`, and no document has it")),
            said,
        );
    }
}
