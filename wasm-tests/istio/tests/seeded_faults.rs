//! The Istio samples, and what `weir render` prints, with one mistake each: every mistake is noticed, and by the check that is
//! said to. Needs `make build`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends where it fails")]

use std::error::Error;
use std::fs;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};
use weir_scenario::Request;
use weir_test_envoy::{envoy_line, module, workspace};
use weir_test_istio::faults::{FAULTS, Inspection, Intact, Manifest};
use weir_test_istio::{Client, IstioLine, Proxy, render, sha256};
use weir_testing::Rows;

type Outcome = Result<(), Box<dyn Error>>;

/// Where a manifest is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Sample,
    Rendered,
}

const INTACT: [(Origin, Manifest); 4] = [
    (Origin::Sample, Manifest::EnvoyFilter),
    (Origin::Sample, Manifest::WasmPlugin),
    (Origin::Rendered, Manifest::EnvoyFilter),
    (Origin::Rendered, Manifest::WasmPlugin),
];

fn intact(origin: Origin, manifest: Manifest) -> Value {
    match origin {
        Origin::Sample => sample(manifest),
        Origin::Rendered => rendered(manifest),
    }
}

/// What is rendered of files that say the same as the samples.
fn rendered(manifest: Manifest) -> Value {
    let policy = r#"kind: AuthorizationPolicy
apiVersion: security.istio.io/v1
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]
    to: [{operation: {methods: [GET, POST], paths: [/cart, /cart/*]}}]
"#;
    let files =
        [("policy.yaml", policy.to_owned()), ("cart.yaml", "schema: 1\nname: cart\ntelemetry: {}\n".to_owned())];
    let form = if manifest == Manifest::EnvoyFilter { "envoyfilter" } else { "wasmplugin" };
    let image = format!("oci://registry.example.com/weir/suite@sha256:{}", sha256(b"a manifest"));
    let workload = ["--workload", "shop/cart", "--proxy", "sidecar", "--selector", "app=cart"];
    let rest = ["--module", "suite", "--config", "policy.yaml", "cart.yaml", "--image", &image];
    let mut trees = render(&files, &[&[form], &workload[..], &rest].concat()).unwrap().trees;
    assert_eq!(trees.len(), 1);
    trees.remove(0)
}

fn sample(manifest: Manifest) -> Value {
    let file = match manifest {
        Manifest::EnvoyFilter => "envoyfilter.yaml",
        Manifest::WasmPlugin => "wasmplugin.yaml",
    };
    let text = fs::read_to_string(workspace().join("envoy-configs/istio").join(file)).unwrap();
    let mut object = Value::deserialize(serde_yaml_ng::Deserializer::from_str(&text).next().unwrap()).unwrap();
    // As the samples' comments say for enforcing, and with a priority.
    match manifest {
        Manifest::EnvoyFilter => {
            let patches = &mut object["spec"]["configPatches"];
            let config = &mut patches[0]["patch"]["value"]["typed_config"]["config"];
            config["failure_policy"] = json!("FAIL_RELOAD");
            config["configuration"]["value"]["mode"] = json!("enforce");
            let discovery = patches[2]["patch"]["value"]["config_discovery"].as_object_mut().unwrap();
            discovery.remove("default_config").unwrap();
            discovery.remove("apply_default_config_without_warming").unwrap();
        }
        Manifest::WasmPlugin => {
            object["spec"]["failStrategy"] = json!("FAIL_RELOAD");
            object["spec"]["priority"] = json!(0);
            object["spec"]["pluginConfig"]["mode"] = json!("enforce");
        }
    }
    object
}

/// The manifest, and for a plugin a second one, which comes after it by its priority.
fn objects(object: Value) -> Vec<Value> {
    if object["kind"] == "EnvoyFilter" {
        return vec![object];
    }
    let mut second = object.clone();
    second["metadata"]["name"] = json!("weir-second");
    second["metadata"]["namespace"] = json!("shop");
    second["spec"] = sample(Manifest::WasmPlugin)["spec"].clone();
    second["spec"]["priority"] = json!(-10);
    second["spec"]["failStrategy"] = json!("FAIL_OPEN");
    second["spec"]["pluginConfig"] = json!({"schema": 1, "name": "second", "telemetry": {}});
    vec![object, second]
}

fn inspection(object: Value) -> Result<Inspection, Box<dyn Error>> {
    let request =
        |method: &str, path: &str| Request { method: method.to_owned(), path: path.into(), ..Request::default() };
    let web = Client::PLAIN.of("spiffe://cluster.local/ns/shop/sa/web");
    let intact = Intact {
        proxy: Proxy::sidecar()?,
        line: IstioLine::of_envoy(&envoy_line()),
        module: fs::read(module("suite")?)?,
        requests: vec![(web.clone(), request("GET", "/cart"), 200), (web, request("DELETE", "/cart"), 403)],
    };
    Ok(Inspection::new(&objects(object), intact)?)
}

#[test]
fn intact_manifests_pass_every_check() -> Outcome {
    let mut rows = Rows::default();
    let modules = tempfile::tempdir()?;
    for (origin, manifest) in INTACT {
        let object = intact(origin, manifest);
        for image in [true, false] {
            let found = inspection(object.clone())?.check(&objects(object.clone()), image, modules.path())?;
            rows.check(format!("{origin:?} {manifest:?}, image: {image}"), found, None);
        }
    }
    Ok(())
}

fn each_mistake_is_noticed(origin: Origin) -> Outcome {
    let mut rows = Rows::default();
    let modules = tempfile::tempdir()?;
    for manifest in [Manifest::EnvoyFilter, Manifest::WasmPlugin] {
        let intact = intact(origin, manifest);
        let inspection = inspection(intact.clone())?;
        for fault in FAULTS.into_iter().filter(|fault| fault.manifest == manifest) {
            let mut object = intact.clone();
            (fault.seed)(&mut object);
            let title = format!("{origin:?} {manifest:?}: {}", fault.mistake);
            rows.check(format!("{title}: it changes the manifest"), object != intact, true);
            let found = inspection.check(&objects(object), fault.image, modules.path())?;
            let noticed = found.as_ref().map(|(check, _)| *check);
            rows.check(format!("{title}: {found:?}"), noticed, Some(fault.caught_by));
        }
    }
    Ok(())
}

#[test]
fn each_mistake_in_a_sample_is_noticed() -> Outcome {
    each_mistake_is_noticed(Origin::Sample)
}

#[test]
fn each_mistake_in_what_is_rendered_is_noticed() -> Outcome {
    each_mistake_is_noticed(Origin::Rendered)
}

#[test]
fn weir_validate_reports_those_that_it_is_said_to() -> Outcome {
    let mut rows = Rows::default();
    let directory = tempfile::tempdir()?;
    let said = |object: &Value| -> Result<String, Box<dyn Error>> {
        let file = directory.path().join("manifest.json");
        fs::write(&file, object.to_string())?;
        let output = Command::new(module("suite")?.with_file_name("weir")).arg("validate").arg(&file).output()?;
        Ok(format!("{}{}", String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
    };
    for (origin, manifest) in INTACT {
        let intact = intact(origin, manifest);
        let all = said(&intact)?;
        let title = format!("{origin:?} {manifest:?}");
        rows.check(format!("{title}: {all}"), all.contains("warning") || all.contains("error:"), false);
        for fault in FAULTS.into_iter().filter(|fault| fault.validated && fault.manifest == manifest) {
            let mut object = intact.clone();
            (fault.seed)(&mut object);
            let all = said(&object)?;
            let reports = all.contains("warning: ") || all.contains("error: ");
            rows.check(format!("{title}: {}: {all}", fault.mistake), reports, true);
        }
    }
    Ok(())
}
