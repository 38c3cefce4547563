//! WasmPlugins and TrafficExtensions: which of them a proxy gets, where istiod puts their filters, and the resource that it
//! serves for each through extension config discovery.
//!
//! The rules are those of istiod's `pilot/pkg/model/extensions.go`, `pilot/pkg/model/push_context.go`,
//! `pilot/pkg/networking/core/extension` and, since 1.30, `pilot/pkg/config/kube/extensions/translate.go`.

use serde_json::{Value, json};

use crate::error::ApplyError;
use crate::line::IstioLine;
use crate::object::Object;
use crate::proxy::{Proxy, ProxyKind};

mod place;
mod plugin;
mod resource;

pub(crate) use place::place;
pub(crate) use plugin::{Class, Phase, Plugin, PluginKind};

/// The configurations of the agent's stand-ins are allowed in the place of a plugin.
const TYPES: [(PluginKind, [&str; 2]); 2] = [
    (
        PluginKind::Http,
        [
            "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        ],
    ),
    (
        PluginKind::Network,
        [
            "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
            "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
        ],
    ),
];

/// The plugins of all namespaces, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plugins(Vec<Plugin>);

impl Plugins {
    /// Reads every plugin among the objects.
    pub(crate) fn read(objects: &[Object], line: IstioLine) -> Result<Self, ApplyError> {
        let mut plugins = Vec::new();
        for object in objects {
            if let Some(plugin) = Plugin::read(object, line)? {
                plugins.push(plugin);
            }
        }
        plugins.sort_by_key(|plugin| (plugin.created.clone(), format!("{}.{}", plugin.name, plugin.namespace)));
        Ok(Self(plugins))
    }

    /// The plugins for a listener of a proxy, in the order in which a request meets those of a phase: the namespace of the
    /// proxy before the root namespace before those of its services, then by descending priority. A plugin without a
    /// priority comes after all that have one.
    pub(crate) fn of(&self, proxy: &Proxy, class: Class, port: u64, kind: PluginKind, phase: Phase) -> Vec<&Plugin> {
        let services: &[_] = if proxy.kind == ProxyKind::Waypoint { &proxy.services } else { &[] };
        let mut namespaces = vec![&proxy.namespace, &proxy.root_namespace];
        namespaces.extend(services.iter().map(|(namespace, _)| namespace));
        let mut seen = Vec::new();
        let mut found = Vec::new();
        for namespace in namespaces {
            if seen.contains(&namespace) {
                continue;
            }
            seen.push(namespace);
            let own = self.0.iter().filter(|plugin| plugin.namespace == *namespace);
            found.extend(own.filter(|plugin| {
                plugin.kind == kind
                    && plugin.phase == phase
                    && plugin.target.attaches(namespace, proxy, services)
                    && plugin.takes(class, port)
            }));
        }
        found.sort_by_key(|plugin| std::cmp::Reverse(plugin.priority.unwrap_or(i32::MIN)));
        found
    }

    /// The resources that istiod serves for those names. Plugins of other namespaces than the proxy's and the root's are
    /// served to waypoints only, and not by every line.
    pub(crate) fn resources(&self, proxy: &Proxy, line: IstioLine, names: &[String], secrets: &Secrets) -> Vec<Value> {
        let across = proxy.kind == ProxyKind::Waypoint && line.serves_waypoints_across_namespaces();
        let served = |plugin: &&Plugin| {
            let near = [&proxy.namespace, &proxy.root_namespace].contains(&&plugin.namespace);
            let of_service = || across && proxy.services.iter().any(|(namespace, _)| *namespace == plugin.namespace);
            names.contains(&plugin.resource_name) && (near || of_service())
        };
        self.0.iter().filter(served).map(|plugin| resource::resource(plugin, secrets)).collect()
    }
}

impl Plugins {
    /// Kind, namespace and name of each plugin's object, and the name of its resource.
    pub(crate) fn titles(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|plugin| (plugin.title.clone(), plugin.resource_name.clone()))
    }
}

/// Docker credentials by `kubernetes://NAMESPACE/NAME`.
pub(crate) type Secrets = std::collections::BTreeMap<String, String>;

/// The filter of a plugin in a listener: its configuration is discovered, and the proxy waits for it without end.
pub(crate) fn filter(plugin: &Plugin) -> Value {
    let types = TYPES.iter().find(|(kind, _)| *kind == plugin.kind).map(|(_, types)| types);
    json!({
        "name": plugin.resource_name,
        "config_discovery": {
            "config_source": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
            "type_urls": types,
        },
    })
}

#[cfg(test)]
mod tests;
