//! The samples, for several proxies, and the registry that has their image.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};
use weir_scenario::Request;
use weir_test_envoy::{envoy_line, module, workspace};
use weir_test_istio::{Client, Fetch, Fetched, IstioLine, Mesh, Options, Proxy, Running, sha256};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// The objects of a sample.
pub(crate) fn sample(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(workspace().join("envoy-configs/istio").join(file)).unwrap();
    serde_yaml_ng::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// The line of Istio whose proxies have the Envoy under test.
pub(crate) fn line() -> IstioLine {
    IstioLine::of_envoy(&envoy_line())
}

/// The registry of the samples.
pub(crate) struct Registry {
    /// What it has at their address; `None` if it does not answer.
    pub(crate) image: Option<PathBuf>,
}

impl Registry {
    /// With that module.
    pub(crate) fn with(stem: &str) -> Result<Self, Box<dyn Error>> {
        Ok(Self { image: Some(module(stem)?) })
    }
}

impl Fetch for Registry {
    fn fetch(&mut self, url: &str, _: Option<&str>) -> Result<Fetched, String> {
        assert_eq!(url, "oci://registry.example.com/weir/suite:0.1.0");
        let file = self.image.as_ref().ok_or("no route to host")?;
        let module = fs::read(file).map_err(|error| error.to_string())?;
        let manifest = Some(sha256(&[b"manifest of ".as_slice(), &module].concat()));
        Ok(Fetched { module, manifest })
    }
}

/// An Envoy that runs the object, with the suite in the registry.
pub(crate) fn start(proxy: Proxy, object: Value) -> Result<Running, Box<dyn Error>> {
    Ok(Mesh::new(proxy, line())?.start(&[object], &mut Registry::with("suite")?, Options::default())?)
}

/// A request for the shop.
pub(crate) fn request(method: &str, path: &str) -> Request {
    Request { method: method.to_owned(), path: path.into(), authority: "shop.example.com".into(), ..Request::default() }
}

/// The status of a request; 0 if there was none.
pub(crate) fn status(running: &Running, client: &Client, request: &Request) -> Result<u16, Box<dyn Error>> {
    Ok(running.send(client, request)?.status.unwrap_or(0))
}

/// Where an object keeps the configuration of its plugin.
pub(crate) fn configuration(object: &mut Value) -> &mut Value {
    let patch = "/spec/configPatches/0/patch/value/typed_config/config/configuration/value";
    let pointer = if object["kind"] == "EnvoyFilter" { patch } else { "/spec/pluginConfig" };
    object.pointer_mut(pointer).unwrap()
}

/// The sample with what its comments say for enforcing.
pub(crate) fn enforcing(mut object: Value) -> Value {
    configuration(&mut object)["mode"] = json!("enforce");
    if object["kind"] == "EnvoyFilter" {
        object["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["config"]["failure_policy"] =
            json!("FAIL_RELOAD");
        for patch in object["spec"]["configPatches"].as_array_mut().unwrap() {
            if let Some(discovery) = patch.pointer_mut("/patch/value/config_discovery").and_then(Value::as_object_mut) {
                discovery.remove("default_config").unwrap();
                discovery.remove("apply_default_config_without_warming").unwrap();
            }
        }
    } else {
        object["spec"]["failStrategy"] = json!("FAIL_RELOAD");
    }
    object
}

/// The two samples, which hold one object each.
pub(crate) fn samples() -> [Value; 2] {
    ["envoyfilter.yaml", "wasmplugin.yaml"].map(|file| {
        let mut objects = sample(file);
        assert_eq!(objects.len(), 1, "{file}");
        objects.remove(0)
    })
}

/// A policy of methods and paths, in a namespace, for what `spec` selects: where identities are not known.
pub(crate) fn by_method(object: &mut Value, namespace: &str, spec: &Value) {
    let policy = &mut configuration(object)["policy"]["policies"][0];
    policy["metadata"]["namespace"] = json!(namespace);
    policy["spec"] = json!({
        "action": "ALLOW",
        "rules": [{"to": [{"operation": {"methods": ["GET"], "paths": ["/cart", "/cart/*"]}}]}],
    });
    for (field, value) in spec.as_object().unwrap() {
        policy["spec"][field] = value.clone();
    }
}

/// The sample for the gateway: other namespace, context, mode and labels.
pub(crate) fn for_gateway(mut object: Value) -> Value {
    let labels = json!({"istio": "ingressgateway"});
    object["metadata"]["namespace"] = json!("istio-system");
    let spec = &mut object["spec"];
    if let Some(patches) = spec.get_mut("configPatches").and_then(Value::as_array_mut) {
        for patch in patches {
            patch["match"]["context"] = json!("GATEWAY");
        }
        spec["workloadSelector"] = json!({"labels": labels});
    } else {
        spec["match"] = json!([{"mode": "CLIENT"}]);
        spec["selector"] = json!({"matchLabels": labels});
    }
    by_method(&mut object, "istio-system", &json!({"selector": {"matchLabels": labels}}));
    object
}

/// The sample for the waypoint: `targetRefs` in the place of labels.
pub(crate) fn for_waypoint(mut object: Value) -> Value {
    let references = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "waypoint"}]);
    let spec = object["spec"].as_object_mut().unwrap();
    spec.retain(|field, _| field != "workloadSelector" && field != "selector");
    spec.insert("targetRefs".to_owned(), references.clone());
    by_method(&mut object, "shop", &json!({"targetRefs": references}));
    object
}
