//! What is deployed, compared with what a weir.yaml describes.

use super::*;

#[test]
fn what_is_deployed_as_described_is_no_drift() {
    let folder = rendered();
    let list = json!({"kind": "List", "apiVersion": "v1", "items": live(folder.path())}).to_string();
    let files = ["out/shop/cart.yaml", "out/stock/stock.yaml", "out/edge/public.yaml"];
    let mut rows = Rows::default();
    for (name, input, deployed) in [("kubectl", list.as_str(), &["-"][..]), ("files", "", &files)] {
        let arguments = [&["diff", "--config", "weir.yaml", "--deployed"][..], deployed].concat();
        let output = weir(folder.path(), input, &arguments);
        rows.check(
            name,
            (output.status.code(), text(&output)),
            (Some(0), "3 objects are deployed as described\n".to_owned()),
        );
    }
    let one = COMPOSITION.lines().filter(|line| !["name: stock", "edge"].iter().any(|word| line.contains(word)));
    fs::write(folder.path().join("weir.yaml"), one.collect::<Vec<_>>().join("\n")).unwrap();
    for (name, deployed, expected) in [
        ("one", &files[..1], "1 object is deployed as described\n"),
        ("one more", &files[..2], "weir: 1 object differs, 1 is deployed as described\n"),
    ] {
        let output =
            weir(folder.path(), "", &[&["diff", "--config", "weir.yaml", "--deployed"][..], deployed].concat());
        rows.contains(name, &text(&output), expected);
    }
}

#[test]
fn every_kind_of_drift_is_named_by_object_and_path() {
    let folder = rendered();
    let own = |name: &str| json!({"kind": "WasmPlugin", "metadata": {"namespace": "edge", "name": name, "labels": {"app.kubernetes.io/managed-by": "weir"}}});
    let mut rows = Rows::default();
    let mut drift = |name: &str, change: &dyn Fn(&mut Vec<Value>), expected: &str| {
        let mut objects = live(folder.path());
        change(&mut objects);
        let input = json!({"kind": "List", "items": objects}).to_string();
        let output = weir(folder.path(), &input, &["diff", "--config", "weir.yaml", "--deployed", "-"]);
        rows.check(name, output.status.code(), Some(i32::from(!expected.is_empty())));
        rows.contains(name, &text(&output), expected);
    };
    drift(
        "a changed field",
        &|objects| objects[2]["spec"]["failStrategy"] = json!("FAIL_OPEN"),
        "WasmPlugin edge/weir-suite-public: $.spec.failStrategy: deployed is `\"FAIL_OPEN\"`, described is `\"FAIL_RELOAD\"`",
    );
    drift(
        "a policy of somebody's own",
        &|objects| objects[2]["spec"]["pluginConfig"]["policy"]["policies"][0]["spec"]["rules"] = json!([{}]),
        "$.spec.pluginConfig.policy.policies[\"edge/public\"].spec.rules[0].to: is described, and not deployed",
    );
    drift("one is missing", &|objects| drop(objects.remove(0)), "EnvoyFilter shop/weir-suite-cart: is not deployed");
    drift(
        "one of ours besides",
        &|objects| objects.push(own("old")),
        "WasmPlugin edge/old: is deployed, and not described",
    );
    let again = |objects: &mut Vec<Value>, strategy: &str| {
        let mut drifted = objects[2].clone();
        drifted["spec"]["failStrategy"] = json!(strategy);
        objects.insert(0, drifted);
    };
    let twice = "WasmPlugin edge/weir-suite-public: is there twice, and not the same";
    drift("a drifted one before the right one", &|objects| again(objects, "FAIL_OPEN"), twice);
    drift("the right one before a drifted one", &|objects| (again(objects, "FAIL_OPEN"), objects.reverse()).1, twice);
    drift("the same one twice", &|objects| again(objects, "FAIL_RELOAD"), "");
    drift(
        "a name that makes a line",
        &|objects| objects.push(own("old\n3 objects are deployed as described")),
        "WasmPlugin edge/old\\u{a}3 objects are deployed as described: is deployed, and not described\n",
    );
    drift("one of others besides", &|objects| objects.push(json!({"kind": "Service", "metadata": {"name": "x"}})), "");
}
