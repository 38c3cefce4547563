//! What istiod and the istio-agent do with manifests, on a realistic configuration of an Istio proxy, so that a stock Envoy
//! runs the outcome. No cluster and no part of Istio is needed.
//!
//! 1. [`apply`] does istiod's part: it takes the objects that lie in the cluster and a [`Proxy`], and gives listeners, routes,
//!    clusters and the resources of extension config discovery.
//! 2. [`Agent`] does the agent's: it replaces images and addresses by files, and plugins without their module by RBAC filters.
//! 3. [`stock::Stock`] makes a bootstrap of it that a stock Envoy takes, with the resources in files that Envoy watches.
//! 4. [`Running`] starts Envoy on it and sends requests.
//!
//! [`Mesh`] does all of it for one proxy. [`render`] gives what `weir render` prints, which goes in as it is.
//!
//! [`Report`] says which patches and plugins changed something: a manifest of this project must leave nothing in
//! [`Report::idle`] and [`Report::unanswered`]. [`faults`] has manifests with one mistake each, and which of these steps
//! notices it. Expectations come from Istio's own tests, as data beside the unit tests.

mod agent;
mod envoyfilter;
mod error;
mod extension;
pub mod faults;
mod line;
mod mesh;
mod object;
mod proxy;
mod rendered;
mod report;
mod running;
pub mod stock;
mod target;

pub use agent::{Agent, Fetch, Fetched, Nack, PullPolicy, sha256};
pub use error::ApplyError;
pub use line::IstioLine;
pub use mesh::Mesh;
pub use proxy::{Proxy, ProxyKind};
pub use rendered::{Rendered, render};
pub use report::{Idle, Report};
pub use running::{Client, Load, NotRunning, Options, Running};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use envoyfilter::{Context, Patches, added_clusters, patch_cluster, patch_listeners, patch_routes};
use extension::{Plugins, Secrets, place};
use object::Object;
use proxy::Group;
use target::Target;

/// What istiod sends to a proxy.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// Listeners, in istiod's order.
    pub listeners: Vec<Value>,
    /// Route configurations that listeners name.
    pub routes: Vec<Value>,
    /// Clusters.
    pub clusters: Vec<Value>,
    /// Resources of extension config discovery (`TypedExtensionConfig`), one for each name that a listener asks for and that
    /// istiod has. Their modules are still images and addresses.
    pub extensions: Vec<Value>,
    /// What came of each patch and plugin.
    pub report: Report,
}

/// Applies the objects of a cluster to a proxy, as istiod of that line would: plugins first, then patches. Objects of other
/// kinds than EnvoyFilter, WasmPlugin, TrafficExtension, AuthorizationPolicy and Secret are passed over. Of an
/// AuthorizationPolicy only the place of Istio's filter is emulated, not its rules; of a Secret, that an image pull secret is
/// there.
///
/// ```
/// # use weir_test_istio::{ApplyError, IstioLine, Proxy, apply};
/// let plugin = serde_json::json!({
///     "kind": "WasmPlugin",
///     "metadata": {"name": "weir", "namespace": "shop"},
///     "spec": {
///         "selector": {"matchLabels": {"app": "cart"}},
///         "match": [{"mode": "SERVER", "ports": [{"number": 8080}]}],
///         "phase": "AUTHZ",
///         "url": "oci://registry.example.com/weir/suite:0.1.0",
///     },
/// });
/// let applied = apply(&[plugin], &Proxy::sidecar()?, IstioLine::V1_29)?;
/// let filters = applied.http_filters("virtualInbound", Some(8080));
/// assert_eq!(filters[..3], ["istio.metadata_exchange", "extensions.istio.io/wasmplugin/shop.weir", "envoy.filters.http.grpc_stats"]);
/// assert!(!applied.http_filters("0.0.0.0_80", None).contains(&filters[1]));
/// # Ok::<(), ApplyError>(())
/// ```
///
/// # Errors
/// When an object is not of the form that Istio's API gives it, when it needs something of Istio that is not emulated, and
/// when istiod would panic.
pub fn apply(objects: &[Value], proxy: &Proxy, line: IstioLine) -> Result<Applied, ApplyError> {
    let objects = object::read(objects)?;
    let patches = Patches::select(&objects, proxy, line)?;
    let plugins = Plugins::read(&objects, line)?;
    let authorized = is_authorized(&objects, proxy)?;

    let mut listeners = Vec::new();
    let mut unseen = Vec::new();
    for group in [Group::Outbound, Group::VirtualOutbound, Group::Inbound, Group::Gateway] {
        let placed = || proxy.listeners.iter().filter(move |placed| placed.group == group);
        let mut own: Vec<_> = placed().map(|placed| placed.listener.clone()).collect();
        if own.is_empty() {
            continue;
        }
        for (listener, placed) in own.iter_mut().zip(placed()) {
            place(&plugins, proxy, group, listener, authorized);
            if placed.patches_routes {
                patch_inline_routes(&patches, proxy, group, listener);
            }
        }
        let before = own.clone();
        patch_listeners(&patches, context(group), &mut own, group != Group::VirtualOutbound)?;
        for (listener, _) in before.iter().zip(placed()).filter(|(_, placed)| !placed.stock) {
            if !own.contains(listener) {
                let name = listener.get("name").and_then(Value::as_str).unwrap_or_default();
                unseen.push(name.to_owned());
            }
        }
        listeners.extend(own);
    }

    let mut routes = Vec::new();
    for placed in &proxy.routes {
        let mut route = placed.route.clone();
        patch_routes(&patches, context(placed.group), &proxy.port_map, &mut route);
        routes.push(route);
    }

    let mut clusters = Vec::new();
    for placed in &proxy.clusters {
        let cluster = placed.cluster.clone();
        if placed.patched {
            clusters.extend(patch_cluster(&patches, context(placed.group), cluster, &placed.hosts)?);
        } else {
            clusters.push(cluster);
        }
    }
    // A waypoint gets no clusters of the outbound context.
    let adding: &[Group] = match proxy.kind {
        ProxyKind::Sidecar => &[Group::Outbound, Group::Inbound],
        ProxyKind::Gateway => &[Group::Gateway],
        ProxyKind::Waypoint => &[Group::Inbound],
    };
    clusters.extend(adding.iter().flat_map(|group| added_clusters(&patches, context(*group))));

    let names = discovered(&listeners);
    let mut extensions = patches.extension_configs(&names);
    extensions.iter_mut().for_each(with_type);
    extensions.extend(plugins.resources(proxy, line, &names, &secrets(&objects)));
    let report = Report { unseen, ..Report::new(&patches, &plugins, &names, &extensions) };
    Ok(Applied { listeners, routes, clusters, extensions, report })
}

impl Applied {
    /// The names of the HTTP filters of a listener, in their order: those of its first chain with that destination port, or of
    /// its first chain with HTTP filters. Empty if there is none.
    #[must_use]
    pub fn http_filters(&self, listener: &str, port: Option<u64>) -> Vec<String> {
        let named = |value: &&Value| value.get("name").and_then(Value::as_str) == Some(listener);
        let chains = self.listeners.iter().find(named).and_then(|found| found.get("filter_chains")?.as_array());
        let of_port = |chain: &&Value| {
            port.is_none() || chain.pointer("/filter_chain_match/destination_port").and_then(Value::as_u64) == port
        };
        let filters_of = |chain: &Value| {
            let filters = chain.get("filters")?.as_array()?;
            let manager = filters.iter().find_map(|filter| filter.pointer("/typed_config/http_filters")?.as_array())?;
            let name = |filter: &Value| filter.get("name").and_then(Value::as_str).map(str::to_owned);
            Some(manager.iter().filter_map(name).collect())
        };
        chains.into_iter().flatten().filter(of_port).find_map(filters_of).unwrap_or_default()
    }
}

/// The context in which istiod patches a group.
fn context(group: Group) -> Context {
    match group {
        Group::Outbound | Group::VirtualOutbound => Context::SidecarOutbound,
        Group::Inbound => Context::SidecarInbound,
        Group::Gateway => Context::Gateway,
    }
}

/// Patches the route configurations that stand in connection managers themselves.
fn patch_inline_routes(patches: &Patches, proxy: &Proxy, group: Group, listener: &mut Value) {
    let chains = listener.get_mut("filter_chains").and_then(Value::as_array_mut).into_iter().flatten();
    for chain in chains {
        let filters = chain.get_mut("filters").and_then(Value::as_array_mut).into_iter().flatten();
        for routes in filters.filter_map(|filter| filter.pointer_mut("/typed_config/route_config")) {
            patch_routes(patches, context(group), &proxy.port_map, routes);
        }
    }
}

/// Whether an AuthorizationPolicy is for the proxy, so that Istio's filter stands in it.
fn is_authorized(objects: &[Object], proxy: &Proxy) -> Result<bool, ApplyError> {
    for object in objects.iter().filter(|object| object.kind == "AuthorizationPolicy") {
        let near = [&proxy.namespace, &proxy.root_namespace].contains(&&object.namespace);
        let custom = object.spec("action").as_str() == Some("CUSTOM");
        let target = Target::read(object, "selector", "matchLabels")?;
        if near && !custom && target.attaches(&object.namespace, proxy, &proxy.services) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The filters of the listeners whose configuration is discovered.
fn discovered(listeners: &[Value]) -> Vec<String> {
    fn add(value: &Value, names: &mut Vec<String>) {
        if let (Some(name), true) = (value.get("name").and_then(Value::as_str), value.get("config_discovery").is_some())
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_owned());
        }
        match value {
            Value::Array(items) => items.iter().for_each(|item| add(item, names)),
            Value::Object(fields) => fields.values().for_each(|field| add(field, names)),
            _ => {}
        }
    }
    let mut names = Vec::new();
    listeners.iter().for_each(|listener| add(listener, &mut names));
    names
}

/// A resource says what it is.
fn with_type(resource: &mut Value) {
    if let Some(fields) = resource.as_object_mut() {
        let kind = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
        fields.entry("@type").or_insert_with(|| kind.into());
    }
}

/// Image pull secrets: of the right type, and with their one field.
fn secrets(objects: &[Object]) -> Secrets {
    let of_type = |object: &&Object| {
        object.kind == "Secret"
            && object.body.get("type").and_then(Value::as_str) == Some("kubernetes.io/dockerconfigjson")
    };
    let read = |object: &Object| {
        let plain = object.body.get("stringData").and_then(|data| data.get(".dockerconfigjson")?.as_str());
        let coded = object.body.get("data").and_then(|data| data.get(".dockerconfigjson")?.as_str());
        let decoded = coded.and_then(|text| String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok());
        let name = format!("kubernetes://{}/{}", object.namespace, object.name);
        Some((name, plain.map(str::to_owned).or(decoded)?))
    };
    objects.iter().filter(of_type).filter_map(read).collect()
}

#[cfg(test)]
mod tests;
