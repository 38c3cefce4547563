//! A bootstrap file with this run's ports, paths and configuration in place of its own. Everything else stays as it
//! was written, so that what runs is the file the operator reads.

use crate::field::field;
use crate::input;
use crate::plugin::{Around, Plugin, Root};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Where a bootstrap listens and sends to, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    /// The first listener.
    pub(crate) listener: u16,
    /// The admin interface.
    pub(crate) admin: u16,
}

/// A bootstrap as a tree.
#[derive(Clone, Debug)]
pub(crate) struct Bootstrap(Value);

impl Bootstrap {
    /// Parses YAML or JSON, in which no key is given twice.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::of(input::one(text)?)
    }

    /// A tree that is a bootstrap.
    ///
    /// # Errors
    /// One without the ports that a run needs.
    pub(crate) fn of(tree: Value) -> Result<Self, String> {
        let bootstrap = Self(tree);
        bootstrap.ports().ok_or("it needs an admin address and a first listener, both with `port_value`")?;
        Ok(bootstrap)
    }

    /// Has Envoy discover the configuration of Weir's HTTP filters from files below `dir`, and watch them. Returns the
    /// configurations that were here, by the names of the filters.
    pub(crate) fn discover(&mut self, dir: &Path) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        walk(&mut self.0, &mut |key, value| {
            let filters = value.as_array_mut().filter(|_| ["http_filters", "httpFilters"].contains(&key));
            for filter in filters.into_iter().flatten() {
                let Some(name) = filter.get("name").and_then(Value::as_str).map(str::to_owned) else { continue };
                let typed = ["typed_config", "typedConfig"]
                    .into_iter()
                    .find(|field| filter.get(*field).and_then(|typed| typed.get("config")).is_some_and(is_ours));
                let config = typed.and_then(|field| filter.as_object_mut()?.remove(field));
                let (Some(config), Some(fields)) = (config, filter.as_object_mut()) else { continue };
                let file = Self::discovery_file(dir, &name);
                let kind = config.get("@type").cloned().unwrap_or_default();
                let source = json!({
                    "path_config_source": {"path": file, "watched_directory": {"path": file.parent()}},
                    "resource_api_version": "V3",
                });
                fields.insert("config_discovery".to_owned(), json!({"config_source": source, "type_urls": [kind]}));
                found.insert(name, config);
            }
        });
        found
    }

    /// The file that the configuration of a filter is discovered from.
    pub(crate) fn discovery_file(dir: &Path, name: &str) -> PathBuf {
        dir.join("discovered").join(name).join("filter.json")
    }

    /// The ports it names.
    pub(crate) fn ports(&self) -> Option<Ports> {
        let port = |pointer: &str| self.0.pointer(pointer)?.as_u64().and_then(|port| u16::try_from(port).ok());
        Some(Ports { listener: port(LISTENER)?, admin: port(ADMIN)? })
    }

    /// Changes the ports.
    pub(crate) fn set_ports(&mut self, ports: Ports) {
        self.set(LISTENER, json!(ports.listener));
        self.set(ADMIN, json!(ports.admin));
    }

    /// The name of the first listener, if it has one.
    pub(crate) fn first_listener(&self) -> Option<&str> {
        self.0.pointer(FIRST_LISTENER)?.get("name")?.as_str()
    }

    /// Puts `host:port` in the place of every cluster that a route of the first listener names and whose endpoints are all on
    /// loopback. Returns the names of those clusters. What a filter calls, and what is elsewhere, stays as it is.
    pub(crate) fn set_upstream(&mut self, host: &str, port: u16) -> Vec<String> {
        let mut routed = BTreeSet::new();
        if let Some(listener) = self.0.pointer(FIRST_LISTENER) {
            routed_clusters(listener, &mut routed);
        }
        let is_name = host.parse::<IpAddr>().is_err();
        let mut replaced = Vec::new();
        let clusters = self.0.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut);
        for cluster in clusters.into_iter().flatten() {
            let name = cluster.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            if !routed.contains(&name) || !is_local(cluster) {
                continue;
            }
            walk(cluster, &mut |key, value| {
                if key == "load_assignment" || key == "loadAssignment" {
                    walk(value, &mut |key, value| {
                        if key == "socket_address" || key == "socketAddress" {
                            *value = json!({"address": host, "port_value": port});
                        }
                    });
                }
            });
            if let (true, Some(cluster)) = (is_name, cluster.as_object_mut()) {
                cluster.insert("type".to_owned(), json!("STRICT_DNS"));
            }
            replaced.push(name);
        }
        replaced
    }

    /// Replaces the file name of every module by what `resolve` gives for it.
    ///
    /// # Errors
    /// The first error of `resolve`.
    pub(crate) fn set_modules(
        &mut self,
        mut resolve: impl FnMut(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        let mut failure = None;
        walk(&mut self.0, &mut |key, value| {
            let Some(file) = (key == "code").then(|| value.pointer_mut("/local/filename")).flatten() else { return };
            match resolve(file.as_str().unwrap_or_default()) {
                Ok(path) => *file = json!(path),
                Err(error) => failure = Some(error),
            }
        });
        failure.map_or(Ok(()), Err)
    }

    /// Replaces the configuration of every plugin of Weir by `document`. Returns how many there are.
    pub(crate) fn set_configuration(&mut self, document: &Value) -> usize {
        let mut replaced = 0;
        walk(&mut self.0, &mut |key, value| {
            if key != "config" || field(value, "vm_config").is_none() {
                return;
            }
            // Whose it is, its own configuration tells; one that has none gets ours and is asked then.
            let configured = value.get("configuration").cloned();
            let before = configured.is_some().then(|| is_ours(value));
            let any =
                json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": document.to_string()});
            if let Some(fields) = value.as_object_mut() {
                fields.insert("configuration".to_owned(), any);
            }
            if before.unwrap_or_else(|| is_ours(value)) {
                replaced += 1;
            } else if let Some(fields) = value.as_object_mut() {
                match configured {
                    Some(own) => drop(fields.insert("configuration".to_owned(), own)),
                    None => drop(fields.remove("configuration")),
                }
            }
        });
        replaced
    }

    /// Has the first listener take TLS with client certificates of an authority, beside what it takes without. Policies and
    /// limits are the same for both.
    ///
    /// # Errors
    /// A listener that has several filter chains, or TLS already.
    #[cfg(feature = "identities")]
    pub(crate) fn take_tls(&mut self, certificate: &str, key: &str, authority: &str) -> Result<(), String> {
        let socket = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": true,
                "common_tls_context": {
                    "alpn_protocols": ["http/1.1"],
                    "tls_certificates": [
                        {"certificate_chain": {"inline_string": certificate}, "private_key": {"inline_string": key}},
                    ],
                    "validation_context": {"trusted_ca": {"inline_string": authority}},
                },
            },
        });
        let inspector = json!({
            "name": "envoy.filters.listener.tls_inspector",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"},
        });
        let listener = self.0.pointer_mut(FIRST_LISTENER).and_then(Value::as_object_mut);
        let take = || {
            let fields = listener?;
            let name = ["filter_chains", "filterChains"].into_iter().find(|name| fields.contains_key(*name))?;
            let chains = fields.get_mut(name)?.as_array_mut().filter(|chains| chains.len() == 1)?;
            let mut secure = chains.first()?.clone();
            let matched = ["filter_chain_match", "filterChainMatch", "transport_socket", "transportSocket"];
            if matched.iter().any(|name| secure.get(name).is_some()) {
                return None;
            }
            let chain = secure.as_object_mut()?;
            chain.remove("name");
            chain.insert("filter_chain_match".to_owned(), json!({"transport_protocol": "tls"}));
            chain.insert("transport_socket".to_owned(), socket);
            chains.insert(0, secure);
            let filters = if fields.contains_key("listenerFilters") { "listenerFilters" } else { "listener_filters" };
            fields.entry(filters).or_insert_with(|| json!([])).as_array_mut()?.push(inspector);
            Some(())
        };
        take().ok_or_else(|| {
            "requests with a `principal` come in over TLS of this run's own: the first listener needs one filter chain, without a \
             match and without TLS"
                .to_owned()
        })
    }

    /// The tree.
    pub(crate) fn tree(&self) -> &Value {
        &self.0
    }

    /// The bootstrap as JSON, which Envoy reads as well as YAML.
    pub(crate) fn to_json(&self) -> String {
        self.0.to_string()
    }

    fn set(&mut self, pointer: &str, value: Value) {
        if let Some(found) = self.0.pointer_mut(pointer) {
            *found = value;
        }
    }
}

const FIRST_LISTENER: &str = "/static_resources/listeners/0";
const LISTENER: &str = "/static_resources/listeners/0/address/socket_address/port_value";
const ADMIN: &str = "/admin/address/socket_address/port_value";

/// Adds the names of the clusters that routes in `tree` send to. Clusters that are mirrored to are not among them.
fn routed_clusters(tree: &Value, names: &mut BTreeSet<String>) {
    match tree {
        Value::Object(fields) => {
            let hosts = field(tree, "route_config").and_then(|routes| field(routes, "virtual_hosts"));
            for route in list(hosts).iter().flat_map(|host| list(host.get("routes"))) {
                let Some(action) = route.get("route") else { continue };
                let weighted = field(action, "weighted_clusters").and_then(|weighted| weighted.get("clusters"));
                let weighted = list(weighted).iter().filter_map(|cluster| cluster.get("name"));
                let named = action.get("cluster").into_iter().chain(weighted);
                names.extend(named.filter_map(Value::as_str).map(str::to_owned));
            }
            fields.values().for_each(|value| routed_clusters(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| routed_clusters(item, names)),
        _ => {}
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a cluster has endpoints, and all of them on loopback.
fn is_local(cluster: &Value) -> bool {
    let endpoints = field(cluster, "load_assignment").and_then(|assignment| assignment.get("endpoints"));
    let endpoints = list(endpoints).iter().flat_map(|group| list(field(group, "lb_endpoints")));
    let mut addresses = endpoints.map(|endpoint| {
        let address = endpoint.pointer("/endpoint/address").and_then(|address| field(address, "socket_address"));
        address.and_then(|address| address.get("address")?.as_str()).unwrap_or_default()
    });
    let is_loopback = |address: &str| {
        address == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    };
    addresses.next().is_some_and(is_loopback) && addresses.all(is_loopback)
}

/// Whether a plugin is of Weir.
fn is_ours(plugin: &Value) -> bool {
    Plugin::of(plugin, "$", &Around::default()).is_some_and(|(found, _)| found.root != Root::Foreign)
}

/// Calls `visit` for every field of every object below `tree`, parents first.
fn walk(tree: &mut Value, visit: &mut impl FnMut(&str, &mut Value)) {
    match tree {
        Value::Object(fields) => {
            for (key, value) in fields {
                visit(key, value);
                walk(value, visit);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
