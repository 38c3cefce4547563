//! Manifests with one mistake each, and which check notices it first. They show that the checks of this crate, and
//! `weir validate`, can fail.
//!
//! A mistake is put into an intact manifest: an EnvoyFilter that adds an extension config and inserts the filter that asks for
//! it before the router, or a WasmPlugin for one direction of a workload. [`Inspection`] runs the checks.

use serde_json::{Value, json};

mod inspection;

pub use inspection::{Inspection, Intact};

/// What notices a mistake, in the order in which a manifest meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The API server or istiod's admission: an [`ApplyError`](crate::ApplyError).
    Admission,
    /// Applying it: a patch or plugin without effect, a configuration that istiod does not have, or filters in other
    /// listeners, or in another order, than those of the intact manifest.
    Applier,
    /// The agent: a resource that it cannot read, or a module that it cannot fetch.
    Agent,
    /// Envoy: it does not start, or never becomes ready.
    Envoy,
    /// Requests: one is answered as it would not be with the intact manifest.
    Requests,
}

/// Which manifest a mistake is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// An EnvoyFilter.
    EnvoyFilter,
    /// A WasmPlugin.
    WasmPlugin,
}

/// A mistake.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What is wrong.
    pub mistake: &'static str,
    /// Which manifest it is for.
    pub manifest: Manifest,
    /// Whether the registry has the image. Some mistakes show only when it has not.
    pub image: bool,
    /// What notices it first.
    pub caught_by: Check,
    /// Whether `weir validate` reports it, as a problem or a warning.
    pub validated: bool,
    /// Puts the mistake into an intact manifest.
    pub seed: fn(&mut Value),
}

/// A mistake that shows with the image in the registry.
const fn fault(
    manifest: Manifest,
    mistake: &'static str,
    caught_by: Check,
    validated: bool,
    seed: fn(&mut Value),
) -> Fault {
    Fault { mistake, manifest, image: true, caught_by, validated, seed }
}

/// A mistake that shows when the registry does not answer.
const fn without_image(manifest: Manifest, mistake: &'static str, validated: bool, seed: fn(&mut Value)) -> Fault {
    Fault { mistake, manifest, image: false, caught_by: Check::Requests, validated, seed }
}

use Check::{Admission, Agent, Applier, Envoy, Requests};
use Manifest::{EnvoyFilter, WasmPlugin};

/// Every mistake.
pub const FAULTS: [Fault; 29] = [
    fault(EnvoyFilter, "a context that does not exist", Admission, true, |object| {
        each_patch(object, |patch| set(patch, "/match/context", json!("INBOUND")));
    }),
    fault(EnvoyFilter, "the context of gateways", Applier, false, |object| {
        each_patch(object, |patch| set(patch, "/match/context", json!("GATEWAY")));
    }),
    fault(EnvoyFilter, "the context of the other direction", Applier, false, |object| {
        each_patch(object, |patch| set(patch, "/match/context", json!("SIDECAR_OUTBOUND")));
    }),
    fault(EnvoyFilter, "the port of the Service, not of the container", Applier, false, |object| {
        each_filter(object, |patch| set(patch, "/match/listener/portNumber", json!(80)));
    }),
    fault(EnvoyFilter, "an anchor that no chain has", Applier, true, |object| {
        let anchor = "/match/listener/filterChain/filter/subFilter/name";
        each_filter(object, |patch| set(patch, anchor, json!("envoy.router")));
    }),
    fault(EnvoyFilter, "an old name of the connection manager", Applier, true, |object| {
        let manager = "/match/listener/filterChain/filter/name";
        each_filter(object, |patch| set(patch, manager, json!("envoy.http_connection_manager")));
    }),
    fault(EnvoyFilter, "a match without the connection manager's sub-filter", Applier, false, |object| {
        each_filter(object, |patch| remove(patch, "/match/listener/filterChain/filter", "subFilter"));
    }),
    fault(EnvoyFilter, "ADD, which puts the filter behind the router", Applier, true, |object| {
        each_filter(object, |patch| set(patch, "/patch/operation", json!("ADD")));
    }),
    fault(EnvoyFilter, "an operation that does not exist", Admission, true, |object| {
        each_filter(object, |patch| set(patch, "/patch/operation", json!("INSERT")));
    }),
    fault(EnvoyFilter, "another name of the configuration than of the filter", Applier, true, |object| {
        on_extension(object, |patch| set(patch, "/patch/value/name", json!("shop.wier")));
    }),
    fault(EnvoyFilter, "labels that no pod has", Applier, false, |object| {
        set(object, "/spec/workloadSelector", json!({"labels": {"app": "card"}}));
    }),
    fault(EnvoyFilter, "another namespace than the workload's", Applier, false, |object| {
        set(object, "/metadata/namespace", json!("bank"));
    }),
    fault(EnvoyFilter, "the version of Envoy, not of Istio", Applier, false, |object| {
        each_patch(object, |patch| set(patch, "/match/proxy", json!({"proxyVersion": "^1\\.(3[6-9]|40).*"})));
    }),
    fault(EnvoyFilter, "a discovered filter without the types that it may have", Envoy, true, |object| {
        each_filter(object, |patch| {
            remove(patch, "/patch/value/config_discovery", "type_urls");
        });
    }),
    fault(EnvoyFilter, "a root id that the module does not have", Requests, true, |object| {
        on_plugin(object, |config| set(config, "/root_id", json!("wier")));
    }),
    fault(EnvoyFilter, "a digest of the module, not of the image", Agent, false, |object| {
        let sum = "0f4c1f5d3a7f4d8c9f1b2f0f6a1f3f0d5a0e6b7c8d9e0f1a2b3c4d5e6f708192";
        on_plugin(object, |config| set(config, "/vm_config/code/remote/sha256", json!(sum)));
    }),
    fault(EnvoyFilter, "a field that Istio would drop in silence", Agent, true, |object| {
        on_plugin(object, |config| set(config, "/failure_polcy", json!("FAIL_OPEN")));
    }),
    fault(EnvoyFilter, "a configuration that the module refuses", Requests, true, |object| {
        on_plugin(object, |config| set(config, "/configuration/value/mode", json!("enforced")));
    }),
    without_image(EnvoyFilter, "no RBAC among the types of the filter", true, |object| {
        each_filter(object, |patch| {
            let wasm = json!(["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"]);
            if patch.pointer("/patch/value/config_discovery").is_some() {
                set(patch, "/patch/value/config_discovery/type_urls", wasm);
            }
        });
    }),
    without_image(EnvoyFilter, "a failure policy that lets everybody in", true, |object| {
        on_plugin(object, |config| set(config, "/failure_policy", json!("FAIL_OPEN")));
    }),
    fault(WasmPlugin, "no mode, so that it stands in both directions", Applier, false, |object| {
        remove(object, "/spec", "match");
    }),
    fault(WasmPlugin, "the mode of the other direction", Applier, false, |object| {
        set(object, "/spec/match", json!([{"mode": "CLIENT"}]));
    }),
    fault(WasmPlugin, "no priority beside a plugin that has one", Applier, false, |object| {
        remove(object, "/spec", "priority");
    }),
    fault(WasmPlugin, "another namespace than the workload's", Applier, false, |object| {
        set(object, "/metadata/namespace", json!("bank"));
    }),
    fault(WasmPlugin, "a phase that does not exist", Admission, true, |object| {
        set(object, "/spec/phase", json!("AUTHORIZATION"));
    }),
    fault(WasmPlugin, "a digest with its algorithm", Admission, true, |object| {
        let sum = "sha256:0f4c1f5d3a7f4d8c9f1b2f0f6a1f3f0d5a0e6b7c8d9e0f1a2b3c4d5e6f708192";
        set(object, "/spec/sha256", json!(sum));
    }),
    fault(WasmPlugin, "a registry with a port, and no scheme", Agent, true, |object| {
        set(object, "/spec/url", json!("registry.example.com:5000/weir/suite:0.1.0"));
    }),
    fault(WasmPlugin, "a configuration that the module refuses", Requests, true, |object| {
        set(object, "/spec/pluginConfig/mode", json!("enforced"));
    }),
    without_image(WasmPlugin, "a failure strategy that lets everybody in", true, |object| {
        set(object, "/spec/failStrategy", json!("FAIL_OPEN"));
    }),
];

fn patches(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    object.pointer_mut("/spec/configPatches").and_then(Value::as_array_mut).into_iter().flatten()
}

fn each_patch(object: &mut Value, change: impl Fn(&mut Value)) {
    patches(object).for_each(change);
}

/// Changes the patches that insert filters.
fn each_filter(object: &mut Value, change: impl Fn(&mut Value)) {
    let is_filter = |patch: &&mut Value| {
        let text = |pointer: &str| patch.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        text("/applyTo") == "HTTP_FILTER" && text("/patch/operation") != "REMOVE"
    };
    patches(object).filter(is_filter).for_each(change);
}

/// Changes the patch that adds the configuration.
fn on_extension(object: &mut Value, change: impl Fn(&mut Value)) {
    let is_extension = |patch: &&mut Value| patch.get("applyTo").and_then(Value::as_str) == Some("EXTENSION_CONFIG");
    patches(object).filter(is_extension).for_each(change);
}

/// Changes the `PluginConfig`.
fn on_plugin(object: &mut Value, change: impl Fn(&mut Value)) {
    on_extension(object, |patch| patch.pointer_mut("/patch/value/typed_config/config").into_iter().for_each(&change));
}

/// Sets the last field of a pointer; objects on the way to it are made.
fn set(value: &mut Value, pointer: &str, to: Value) {
    let mut here = value;
    for field in pointer.split('/').skip(1) {
        let Some(fields) = here.as_object_mut() else { return };
        here = fields.entry(field).or_insert_with(|| json!({}));
    }
    *here = to;
}

fn remove(value: &mut Value, pointer: &str, field: &str) {
    if let Some(fields) = value.pointer_mut(pointer).and_then(Value::as_object_mut) {
        fields.remove(field);
    }
}
