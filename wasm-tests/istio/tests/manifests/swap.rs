//! Module and configuration are swapped through extension config discovery while requests go on: none is lost, none ends
//! with a failure of the proxy.

use serde_json::{Value, json};
use weir_scenario::Failure;
use weir_test_envoy::module;
use weir_test_istio::{Client, Mesh, Options, Proxy, Running};
use weir_testing::Rows;

use crate::mesh::{Outcome, Registry, configuration, enforcing, line, request, samples, status};

/// The sample with a policy that refuses one path, as that version of the object. Under the sample's pull policy a tag that
/// moved is not seen: an edit of the object has to ask for it.
fn closing(object: &Value, path: &str, mode: &str, version: usize) -> Value {
    let mut object = enforcing(object.clone());
    let version = json!(version.to_string());
    if object["kind"] == "WasmPlugin" {
        object["metadata"]["resourceVersion"] = version;
        object["spec"]["imagePullPolicy"] = json!("Always");
    } else {
        let config = "/spec/configPatches/0/patch/value/typed_config/config/vm_config";
        object.pointer_mut(config).unwrap()["environment_variables"] = json!({"key_values": {
            "ISTIO_META_WASM_IMAGE_PULL_POLICY": "Always",
            "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION": version,
        }});
    }
    let configuration = configuration(&mut object).as_object_mut().unwrap();
    configuration.remove("rateLimit").unwrap();
    configuration["mode"] = json!(mode);
    configuration["policy"]["policies"][0]["spec"] =
        json!({"action": "DENY", "rules": [{"to": [{"operation": {"paths": [path]}}]}]});
    object
}

/// Whether the two paths are open.
fn open(running: &Running) -> Result<[u16; 2], Box<dyn std::error::Error>> {
    let status = |path| status(running, &Client::PLAIN, &request("GET", path));
    Ok([status("/one")?, status("/two")?])
}

/// The files of the modules.
fn files(resources: &[Value]) -> Vec<Value> {
    resources
        .iter()
        .map(|resource| resource["typed_config"]["config"]["vm_config"]["code"]["local"]["filename"].clone())
        .collect()
}

/// One edit of the object, and what comes of it.
struct Edit {
    what: &'static str,
    /// The path that the policy refuses.
    path: &'static str,
    mode: &'static str,
    /// What the registry has.
    image: Option<&'static str>,
    /// Whether Envoy reads another file than before.
    another_file: bool,
    taken: bool,
    /// The statuses of the two paths afterwards.
    open: [u16; 2],
    /// The statuses that requests for a third path have meanwhile.
    meanwhile: &'static [u16],
}

const EDITS: [Edit; 5] = [
    Edit {
        what: "another configuration",
        path: "/two",
        mode: "enforce",
        image: Some("suite"),
        another_file: false,
        taken: true,
        open: [200, 403],
        meanwhile: &[200],
    },
    Edit {
        what: "another module and configuration",
        path: "/one",
        mode: "enforce",
        image: Some("suite-lean"),
        another_file: true,
        taken: true,
        open: [403, 200],
        meanwhile: &[200],
    },
    Edit {
        what: "another module",
        path: "/one",
        mode: "enforce",
        image: Some("suite"),
        another_file: true,
        taken: true,
        open: [403, 200],
        meanwhile: &[200],
    },
    Edit {
        what: "a configuration that the module refuses, so that the one before it stays",
        path: "/two",
        mode: "enforced",
        image: Some("suite"),
        another_file: false,
        taken: false,
        open: [403, 200],
        meanwhile: &[200],
    },
    Edit {
        what: "a module that is gone, for which the agent puts a filter that refuses everything",
        path: "/two",
        mode: "enforce",
        image: None,
        another_file: true,
        taken: true,
        open: [403, 403],
        meanwhile: &[200, 403],
    },
];

#[test]
fn configuration_and_module_are_swapped_under_load() -> Outcome {
    let mut rows = Rows::default();
    let clients = [Client::PLAIN, Client::PLAIN.of("spiffe://cluster.local/ns/shop/sa/web"), Client::PLAIN];
    for object in samples() {
        let title = object["kind"].to_string();
        let mut mesh = Mesh::new(Proxy::sidecar()?, line())?;
        let mut registry = Registry::with("suite")?;
        let options = Options { workers: 2, ..Options::default() };
        let mut running = mesh.start(&[closing(&object, "/one", "enforce", 1)], &mut registry, options)?;
        rows.check(format!("{title}: before"), open(&running)?, [403, 200]);
        for (number, edit) in EDITS.iter().enumerate() {
            let name = format!("{title}: {}", edit.what);
            registry.image = edit.image.map(module).transpose()?;
            let (_, resources) = mesh.apply(&[closing(&object, edit.path, edit.mode, number + 2)], &mut registry)?;
            let another = files(&resources) != files(running.resources());
            rows.check(format!("{name}: another file"), another, edit.another_file);
            let push = |running: &mut Running| -> Result<bool, Failure> { running.push(&resources) };
            let (taken, load) = running.under_load(&clients, &request("GET", "/elsewhere"), push)?;
            rows.check(format!("{name}: taken"), taken, edit.taken);
            rows.check(format!("{name}: {load:?}"), load.is_unharmed(), true);
            rows.check(&name, load.statuses.keys().copied().collect::<Vec<_>>(), edit.meanwhile);
            rows.check(format!("{name}: afterwards"), open(&running)?, edit.open);
        }
    }
    Ok(())
}
