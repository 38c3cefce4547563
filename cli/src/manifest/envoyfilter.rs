//! Patches of an EnvoyFilter: where istiod puts a filter, and whether its configuration is found.
//!
//! After `listener_patch.go`, `extension_configuration_patch.go` and `deprecated.go` of Istio 1.28 to 1.31.

use crate::diagnostic::Diagnostics;
use crate::documents::Found;
use crate::field::{field, spelling};
use serde_json::Value;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const ROUTER: &str = "envoy.filters.http.router";
/// The modules' type and the type of what the agent sends instead, of HTTP filters and of network filters.
const HTTP_TYPES: [&str; 2] =
    ["envoy.extensions.filters.http.wasm.v3.Wasm", "envoy.extensions.filters.http.rbac.v3.RBAC"];
const NETWORK_TYPES: [&str; 2] =
    ["envoy.extensions.filters.network.wasm.v3.Wasm", "envoy.extensions.filters.network.rbac.v3.RBAC"];

/// Names that filters had once; istiod compares the new ones alone.
const OLD_NAMES: [&str; 16] = [
    "envoy.buffer",
    "envoy.cors",
    "envoy.csrf",
    "envoy.ext_authz",
    "envoy.fault",
    "envoy.grpc_http1_bridge",
    "envoy.grpc_json_transcoder",
    "envoy.grpc_web",
    "envoy.gzip",
    "envoy.health_check",
    "envoy.http_dynamo_filter",
    "envoy.ip_tagging",
    "envoy.lua",
    "envoy.rate_limit",
    "envoy.router",
    "envoy.squash",
];

/// HTTP filters of Istio's own listeners.
const ISTIOS: [&str; 13] = [
    ROUTER,
    "envoy.filters.http.cors",
    "envoy.filters.http.ext_authz",
    "envoy.filters.http.fault",
    "envoy.filters.http.grpc_stats",
    "envoy.filters.http.grpc_web",
    "envoy.filters.http.jwt_authn",
    "envoy.filters.http.rbac",
    "istio.alpn",
    "istio.metadata_exchange",
    "istio.stats",
    "istio_authn",
    "connect_authority",
];

/// A patch that puts an HTTP filter into listeners, or an extension config among those that filters ask for.
struct Patch<'a> {
    path: String,
    value: &'a Value,
    operation: &'a str,
    applies_to: &'a str,
}

impl<'a> Patch<'a> {
    fn of(value: &'a Value, path: String) -> Self {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        Self { path, value, operation: text("/patch/operation"), applies_to: text("/applyTo") }
    }

    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.value.pointer(pointer)?.as_str()
    }

    fn name(&self) -> Option<&'a str> {
        self.text("/patch/value/name")
    }

    fn adds_filter(&self) -> bool {
        self.applies_to == "HTTP_FILTER" && self.adds()
    }

    fn adds_network_filter(&self) -> bool {
        self.applies_to == "NETWORK_FILTER" && self.adds()
    }

    fn adds(&self) -> bool {
        !["REMOVE", "MERGE", ""].contains(&self.operation)
    }

    /// The discovery of the filter that it adds, and the path of it.
    fn discovery(&self) -> Option<(&'a Value, String)> {
        let adds = self.adds_filter() || self.adds_network_filter();
        let filter = self.value.pointer("/patch/value").filter(|_| adds)?;
        let name = spelling(filter, "config_discovery")?;
        Some((filter.get(&name)?, format!("{}.patch.value.{name}", self.path)))
    }
}

/// What is wrong with the patches of an object at `root`, or doubtful.
pub(super) fn check(object: &Value, root: &str, plugins: &[&Found], diagnostics: &mut Diagnostics) {
    let items = object.pointer("/spec/configPatches").and_then(Value::as_array).into_iter().flatten().enumerate();
    let patches: Vec<Patch<'_>> =
        items.map(|(index, value)| Patch::of(value, format!("{root}.spec.configPatches[{index}]"))).collect();
    let adds = |patch: &&Patch<'_>| patch.adds_filter() || patch.adds_network_filter();
    let added: Vec<&str> = patches.iter().filter(adds).filter_map(Patch::name).collect();
    for patch in patches.iter().filter(|patch| patch.adds_filter()) {
        position(patch, diagnostics);
        anchor(patch, &added, diagnostics);
    }
    let configs: Vec<&Patch<'_>> = patches.iter().filter(|patch| patch.applies_to == "EXTENSION_CONFIG").collect();
    let is_ours =
        |config: &&&Patch<'_>| plugins.iter().any(|found| found.path.starts_with(&format!("{}.", config.path)));
    let ours: Vec<&Patch<'_>> = configs.iter().filter(is_ours).copied().collect();
    for config in ours.iter().filter(|config| config.operation != "ADD") {
        let path = format!("{}.patch.operation", config.path);
        diagnostics.error(path, "istiod takes an extension config by `ADD` alone, so no proxy gets this one");
    }
    for patch in &patches {
        if let Some((discovery, path)) = patch.discovery() {
            let own = ours.iter().find(|config| config.name().is_some() && config.name() == patch.name());
            let known = if patch.adds_filter() { HTTP_TYPES } else { NETWORK_TYPES };
            types(discovery, &path, known, own.copied(), diagnostics);
            let has_config = configs.iter().any(|config| config.name() == patch.name());
            let unused = ours.iter().find(|config| config.name().is_some_and(|name| !added.contains(&name)));
            if let Some(unused) = unused.filter(|_| !has_config) {
                let message = format!(
                    "the filter asks for an extension config of this name, and that of the module is `{}` at {}: proxies that \
                     start wait for one that does not come, or answer 500, and no request is decided",
                    unused.name().unwrap_or_default(),
                    unused.path
                );
                diagnostics.error(format!("{}.patch.value.name", patch.path), message);
            }
        }
    }
}

/// Whether the filter stands in a listener, and before its router.
fn position(patch: &Patch<'_>, diagnostics: &mut Diagnostics) {
    let anchor = patch.text("/match/listener/filterChain/filter/subFilter/name");
    let operation = format!("{}.patch.operation", patch.path);
    let before = "write `INSERT_BEFORE` with `subFilter: {name: envoy.filters.http.router}`";
    // A router that replaces the router is one.
    let is_router = patch.name() == Some(ROUTER);
    match (patch.operation, anchor) {
        ("ADD", _) | ("INSERT_AFTER", None | Some(ROUTER)) => diagnostics.error(
            operation,
            format!(
                "this puts the filter behind the router, which has to be the last: Envoy refuses the listener; {before}"
            ),
        ),
        ("REPLACE", Some(ROUTER)) if !is_router => diagnostics
            .error(operation, format!("this leaves the listener without a router, so Envoy refuses it; {before}")),
        ("REPLACE", None) => {
            diagnostics.error(operation, format!("without a `subFilter` istiod replaces nothing; {before}"));
        }
        _ => {}
    }
    if patch.text("/match/context") == Some("WAYPOINT") {
        let message = "istiod applies no patch of this context up to Istio 1.31: write `SIDECAR_INBOUND` with `targetRefs` for a \
                       waypoint";
        diagnostics.error(format!("{}.match.context", patch.path), message);
    }
}

/// Whether there is a filter of the name that the patch looks for.
fn anchor(patch: &Patch<'_>, added: &[&str], diagnostics: &mut Diagnostics) {
    let filter = "/match/listener/filterChain/filter";
    let path = format!("{}.match.listener.filterChain.filter", patch.path);
    if let Some(manager) = patch.text(&format!("{filter}/name")).filter(|name| *name != MANAGER) {
        let message = format!("HTTP filters are in `{MANAGER}`, so istiod inserts nothing beside `{manager}`");
        diagnostics.error(format!("{path}.name"), message);
    }
    let Some(anchor) = patch.text(&format!("{filter}/subFilter/name")) else { return };
    let path = format!("{path}.subFilter.name");
    if OLD_NAMES.contains(&anchor) {
        let message = format!("istiod has no filter of this old name, so it inserts nothing: write `{ROUTER}`");
        diagnostics.error(path, message);
    } else if !ISTIOS.contains(&anchor) && !added.contains(&anchor) {
        let message = "this is not a filter of Istio's own: the plugin is loaded only where another EnvoyFilter, with a smaller \
                       priority, has added one of this name";
        diagnostics.warning("unknown-anchor", path, message);
    }
}

/// Whether the filter takes what it is sent: the module, and the RBAC filter that the agent sends if it cannot pull that.
fn types(
    discovery: &Value,
    path: &str,
    [wasm, rbac]: [&str; 2],
    own: Option<&Patch<'_>>,
    diagnostics: &mut Diagnostics,
) {
    let name = spelling(discovery, "type_urls");
    let path = name.as_ref().map_or_else(|| path.to_owned(), |name| format!("{path}.{name}"));
    let urls = name.and_then(|name| discovery.get(&name)?.as_array());
    let takes = |wanted: &str| {
        urls.into_iter().flatten().filter_map(Value::as_str).any(|url| url.rsplit('/').next() == Some(wanted))
    };
    if urls.is_none_or(Vec::is_empty) {
        diagnostics.error(path, "Envoy refuses a discovered filter without `type_urls`, and so its whole listener");
    } else if let Some(own) = own {
        if !takes(wasm) {
            let message =
                format!("Envoy refuses the module, whose type is not among these: add `type.googleapis.com/{wasm}`");
            diagnostics.error(path, message);
        } else if is_pulled(own) && !takes(rbac) {
            let message = format!(
                "when Istio's agent cannot pull the module it sends an RBAC filter, which Envoy refuses here, so that new pods do \
                 not become ready: add `type.googleapis.com/{rbac}`"
            );
            diagnostics.warning("stand-in-refused", path, message);
        }
    }
}

/// Whether the agent has to pull the module of an extension config.
fn is_pulled(config: &Patch<'_>) -> bool {
    let typed = config.value.pointer("/patch/value").and_then(|value| field(value, "typed_config"));
    // In a TypedStruct it is one level deeper.
    let typed = typed.map(|typed| typed.get("value").unwrap_or(typed));
    let vm = typed.and_then(|typed| field(typed.get("config")?, "vm_config"));
    vm.is_some_and(|vm| vm.pointer("/code/remote").is_some())
}
