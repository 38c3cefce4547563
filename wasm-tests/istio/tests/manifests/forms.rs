//! Forms of manifests that no sample has, made from the samples.

use serde_json::{Value, json};
use weir_test_envoy::module;
use weir_test_istio::{Client, Proxy};
use weir_testing::Rows;

use crate::mesh::{Outcome, configuration, enforcing, line, request, samples, start, status};

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// The plugin in the filter itself, from a file; in a structure or as the message.
fn local(sample: &Value, structure: bool) -> Result<Value, Box<dyn std::error::Error>> {
    let mut object = sample.clone();
    let mut config = object["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["config"].clone();
    config["vm_config"]["code"] = json!({"local": {"filename": module("suite")?}});
    let typed = if structure {
        json!({"@type": "type.googleapis.com/udpa.type.v1.TypedStruct", "type_url": WASM, "value": {"config": config}})
    } else {
        json!({"@type": WASM, "config": config})
    };
    let patches = object["spec"]["configPatches"].as_array_mut().unwrap();
    patches[2]["patch"]["value"] = json!({"name": "shop.weir", "typed_config": typed});
    patches.remove(0);
    Ok(object)
}

#[test]
fn each_form_decides() -> Outcome {
    let [envoyfilter, wasmplugin] = samples().map(enforcing);
    let mut file = wasmplugin.clone();
    file["spec"]["url"] = json!(format!("file://{}", module("suite")?.display()));
    let mut extension = wasmplugin.clone();
    extension["kind"] = json!("TrafficExtension");
    let spec = extension["spec"].as_object_mut().unwrap();
    let wasm: serde_json::Map<String, Value> =
        ["url", "imagePullPolicy", "pluginName", "failStrategy", "pluginConfig", "type"]
            .into_iter()
            .map(|field| (field.to_owned(), spec.remove(field).unwrap()))
            .collect();
    spec.insert("wasm".to_owned(), Value::Object(wasm));
    let mut forms = vec![
        ("WasmPlugin with a file", file),
        ("EnvoyFilter with a file", local(&envoyfilter, false)?),
        ("EnvoyFilter with a structure", local(&envoyfilter, true)?),
    ];
    if line().has_traffic_extension() {
        forms.push(("TrafficExtension", extension));
    }
    let mut rows = Rows::default();
    let web = Client::PLAIN.of("spiffe://cluster.local/ns/shop/sa/web");
    for (form, object) in forms {
        let running = start(Proxy::sidecar()?, object)?;
        for (client, path, expected) in [(&web, "/cart", 200), (&web, "/admin", 403), (&Client::PLAIN, "/cart", 403)] {
            rows.check(format!("{form}: {path}"), status(&running, client, &request("GET", path))?, expected);
        }
    }
    Ok(())
}

/// Ten thousand rules in one manifest: delivered, and the last one decides.
#[test]
fn ten_thousand_rules_arrive() -> Outcome {
    let mut rows = Rows::default();
    for mut object in samples().map(enforcing) {
        let rule =
            |number: usize| json!({"to": [{"operation": {"methods": ["GET"], "paths": [format!("/items/{number}")]}}]});
        let policy = &mut configuration(&mut object)["policy"]["policies"][0];
        policy["spec"]["rules"] = (0..10_000).map(rule).collect();
        let title = format!("{}, {} bytes", object["kind"], object.to_string().len());
        let running = start(Proxy::sidecar()?, object)?;
        for (path, expected) in [("/items/0", 200), ("/items/9999", 200), ("/items/10000", 403)] {
            rows.check(format!("{title}: {path}"), status(&running, &Client::PLAIN, &request("GET", path))?, expected);
        }
    }
    Ok(())
}
