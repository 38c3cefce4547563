//! From what istiod sends to what a stock Envoy runs without a control plane, without iptables and without Istio's filters.
//!
//! | istiod | here |
//! | --- | --- |
//! | iptables lead connections to a listener, which asks the kernel where they were going | the PROXY protocol says it: [`Client`](crate::Client) sends the header, and the listener filter `proxy_protocol` stands where `original_dst` stood. So chains match by `destination_port`, as in a pod |
//! | `virtualOutbound` hands a connection over to the listener of its port, which binds none | the client connects to that listener. (`use_original_dst`, which hands over, also asks the kernel, and where that tracks connections it has an answer) |
//! | ports 80, 15001, 15006, 8080 | ports of the loopback interface that the system chooses |
//! | the internal listener of a waypoint, behind a tunnel | a listener of its own; identities that come through a tunnel are lost |
//! | routes over ADS | in the connection manager |
//! | extension configs over ADS | files that Envoy watches |
//! | certificates over SDS | secrets of the bootstrap, under the same names |
//! | endpoints of clusters | one upstream for all |
//! | `istio.metadata_exchange`, `istio.stats`, `istio.alpn`, `peer_metadata` | left out |

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::{Applied, IstioLine, Proxy, ProxyKind};

/// Filters that only Istio's proxy has, by the type of their configuration.
const ISTIO_ONLY: [&str; 4] = [
    "type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange",
    "type.googleapis.com/io.istio.http.peer_metadata.Config",
    "type.googleapis.com/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
    "type.googleapis.com/stats.PluginConfig",
];

/// What stands around the proxy.
#[derive(Clone, Debug)]
pub struct Site {
    /// A directory for the files of discovery.
    pub directory: PathBuf,
    /// Where every cluster of a service leads.
    pub upstream: SocketAddr,
    /// Certificate and key of the proxy, and the authority that signs its peers, as PEM.
    pub certificate: String,
    /// The key.
    pub key: String,
    /// The authority.
    pub authority: String,
}

/// What a stock Envoy is started on.
#[derive(Clone, Debug, PartialEq)]
pub struct Stock {
    /// The bootstrap.
    pub bootstrap: Value,
    /// The file of each filter whose configuration is discovered, by the filter's name.
    pub files: BTreeMap<String, PathBuf>,
}

impl Stock {
    /// Makes the bootstrap. The files of discovery are not written yet.
    #[must_use]
    pub fn new(applied: &Applied, proxy: &Proxy, line: IstioLine, site: &Site) -> Self {
        let mut stock = Self { bootstrap: Value::Null, files: BTreeMap::new() };
        let left_out: Vec<_> = proxy.listeners.iter().filter(|placed| !placed.stock).collect();
        let is_out = |name: Option<&Value>| left_out.iter().any(|placed| placed.listener.get("name") == name);
        let kept = |listener: &&Value| !is_out(listener.get("name"));
        let listeners: Vec<_> = applied.listeners.iter().filter(kept).map(|listener| bind(listener.clone())).collect();
        let listeners = stock.convert(&json!(listeners), &applied.routes, &site.directory);
        let clusters: Vec<_> = applied.clusters.iter().map(|cluster| lead(cluster.clone(), site.upstream)).collect();
        let clusters = stock.convert(&json!(clusters), &[], &site.directory);
        let mut metadata: Map<String, Value> = proxy.metadata.clone().into_iter().collect();
        metadata.insert("LABELS".to_owned(), json!(proxy.labels));
        metadata.insert("ISTIO_VERSION".to_owned(), json!(line.release()));
        let role = match proxy.kind {
            ProxyKind::Sidecar => "sidecar",
            ProxyKind::Gateway => "router",
            ProxyKind::Waypoint => "waypoint",
        };
        let text = |field: &str| proxy.metadata.get(field).and_then(Value::as_str).unwrap_or_default();
        let (space, workload) = (&proxy.namespace, text("WORKLOAD_NAME"));
        let id = format!("{role}~10.1.1.1~{}.{space}~{space}.svc.cluster.local", text("NAME"));
        stock.bootstrap = json!({
            "node": {"id": id, "cluster": format!("{workload}.{space}"), "metadata": metadata},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "static_resources": {"listeners": listeners, "clusters": clusters, "secrets": secrets(site)},
        });
        stock
    }

    /// Writes the files of discovery; a filter without a resource gets an answer without one.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, resources: &[Value]) -> io::Result<()> {
        for (name, file) in &self.files {
            let named = |resource: &&Value| resource.get("name").and_then(Value::as_str) == Some(name);
            let found: Vec<_> = resources.iter().filter(named).collect();
            let watched = file.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(watched)?;
            // Envoy reads a file when it is moved to its place, so it never reads half of one.
            let next = watched.with_extension("next");
            fs::write(&next, json!({"resources": found}).to_string())?;
            fs::rename(&next, file)?;
        }
        Ok(())
    }

    /// Replaces what only a control plane can answer, at every depth.
    fn convert(&mut self, value: &Value, routes: &[Value], directory: &Path) -> Value {
        match value {
            Value::Array(items) => {
                let kept = items.iter().filter(|item| !is_istio_only(item));
                kept.map(|item| self.convert(item, routes, directory)).collect()
            }
            Value::Object(fields) => {
                let mut converted = Map::new();
                for (field, value) in fields.iter().filter(|(field, _)| *field != "sds_config") {
                    let named = |route: &&Value| route.get("name") == value.get("route_config_name");
                    match (field.as_str(), routes.iter().find(named)) {
                        ("rds", Some(route)) => {
                            converted.insert("route_config".to_owned(), self.convert(route, routes, directory));
                        }
                        ("config_discovery", _) => {
                            let name = fields.get("name").and_then(Value::as_str).unwrap_or_default();
                            converted.insert(field.clone(), self.discover(name, value, directory));
                        }
                        _ => {
                            converted.insert(field.clone(), self.convert(value, routes, directory));
                        }
                    }
                }
                Value::Object(converted)
            }
            scalar => scalar.clone(),
        }
    }

    /// The discovery of a filter's configuration, from a file in the place of ADS.
    fn discover(&mut self, name: &str, discovery: &Value, directory: &Path) -> Value {
        let plain: String =
            name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        let file = directory.join(plain).join("resource.json");
        let mut discovery = discovery.clone();
        if let Some(source) = discovery.get_mut("config_source").and_then(Value::as_object_mut)
            && source.remove("ads").is_some()
        {
            source.insert("path_config_source".to_owned(), json!({"path": file}));
            self.files.insert(name.to_owned(), file);
        }
        discovery
    }
}

/// Whether a filter is one that a stock Envoy does not have.
fn is_istio_only(filter: &Value) -> bool {
    let text = |pointer: &str| filter.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    ISTIO_ONLY.contains(&text("/typed_config/@type")) || ISTIO_ONLY.contains(&text("/typed_config/type_url"))
}

/// Binds a listener to the loopback interface, and lets the PROXY protocol say where a connection was going, if iptables or
/// a tunnel would.
fn bind(mut listener: Value) -> Value {
    let Some(fields) = listener.as_object_mut() else { return listener };
    fields.remove("internal_listener");
    let handed_over = fields.remove("bind_to_port").is_some();
    let hands_over = fields.remove("use_original_dst").is_some();
    fields.insert("address".to_owned(), json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}}));
    let header = json!({
        "name": "envoy.filters.listener.proxy_protocol",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"},
    });
    let original =
        |filter: &Value| filter.get("name").and_then(Value::as_str) == Some("envoy.filters.listener.original_dst");
    if let Value::Array(filters) = fields.entry("listener_filters").or_insert_with(|| json!([])) {
        match filters.iter_mut().find(|filter| original(filter)) {
            Some(filter) => *filter = header,
            None if handed_over || hands_over => filters.insert(0, header),
            None => {}
        }
    }
    listener
}

/// Leads a cluster to the upstream, if its endpoints are discovered or are those that a connection was going to.
fn lead(mut cluster: Value, upstream: SocketAddr) -> Value {
    let found = matches!(cluster.get("type").and_then(Value::as_str), Some("EDS" | "ORIGINAL_DST"));
    let name = cluster.get("name").cloned().unwrap_or(Value::Null);
    let Some(fields) = cluster.as_object_mut() else { return cluster };
    if found {
        for gone in ["eds_cluster_config", "upstream_bind_config"] {
            fields.remove(gone);
        }
        if fields.get("lb_policy").and_then(Value::as_str) == Some("CLUSTER_PROVIDED") {
            fields.remove("lb_policy");
        }
        let address = json!({"address": upstream.ip(), "port_value": upstream.port()});
        let endpoint = json!({"endpoint": {"address": {"socket_address": address}}});
        fields.insert("type".to_owned(), json!("STATIC"));
        let assignment = json!({"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]});
        fields.insert("load_assignment".to_owned(), assignment);
    }
    cluster
}

/// The secrets that Istio's agent serves.
fn secrets(site: &Site) -> Value {
    let inline = |text: &str| json!({"inline_string": text});
    json!([
        {
            "name": "default",
            "tls_certificate": {"certificate_chain": inline(&site.certificate), "private_key": inline(&site.key)},
        },
        {"name": "ROOTCA", "validation_context": {"trusted_ca": inline(&site.authority)}},
    ])
}
