//! Where a variant runs: a plain Envoy, or an Istio sidecar on the way in or out.

use crate::client::{BODY, Identity};
use crate::native::SERVICES;
use serde_json::{Value, json};

/// The ports of one Envoy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) listener: u16,
    pub(crate) admin: u16,
}

/// The surroundings of a variant. Each has a base of its own: Envoy without any filter in the same surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scene {
    /// An inbound listener on plain text; Envoy answers itself.
    Plain,
    /// An Istio sidecar's inbound listener: mutual TLS, and an upstream with the metadata that Istio gives clusters.
    Inbound,
    /// An Istio sidecar's outbound listener: plain text from the application, the same kind of upstream.
    Outbound,
}

impl Scene {
    /// All of them, the plain one first.
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Inbound, Self::Outbound];

    /// A heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Plain => "plain Envoy",
            Self::Inbound => "Istio sidecar, inbound with mutual TLS",
            Self::Outbound => "Istio sidecar, outbound",
        }
    }

    /// The direction of the listener, as documents have it.
    pub(crate) fn listener(self) -> &'static str {
        match self {
            Self::Plain | Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }

    /// Whether clients speak TLS.
    pub(crate) fn tls(self) -> bool {
        self == Self::Inbound
    }

    /// The node of its Envoy: outside of Istio in the plain scene.
    pub(crate) fn node(self) -> Value {
        let mut metadata = json!({
            "NAMESPACE": "shop",
            "WORKLOAD_NAME": "cart",
            "LABELS": {"app": "cart", "version": "v1"},
        });
        let sidecar = self != Self::Plain;
        if let (true, Some(fields)) = (sidecar, metadata.as_object_mut()) {
            fields.insert("ISTIO_VERSION".to_owned(), json!("1.31.0"));
        }
        let id = if sidecar { "sidecar~10.0.0.1~cart.shop~shop.svc.cluster.local" } else { "bench-1" };
        json!({"id": id, "cluster": "bench", "metadata": metadata})
    }

    fn action(self) -> (&'static str, Value) {
        match self {
            Self::Plain => ("direct_response", json!({"status": 200, "body": {"inline_string": BODY}})),
            Self::Inbound => ("route", json!({"cluster": "inbound|8080||"})),
            Self::Outbound => ("route", json!({"cluster": "outbound|80||stock.shop.svc.cluster.local"})),
        }
    }

    fn clusters(self, upstream: u16) -> Value {
        let (_, action) = self.action();
        let Some(name) = action.get("cluster") else { return json!([]) };
        let host = if self == Self::Inbound { "cart" } else { "stock" };
        let service = json!({"host": format!("{host}.shop.svc.cluster.local"), "name": host, "namespace": "shop"});
        json!([{
            "name": name,
            "type": "STATIC",
            "metadata": {"filter_metadata": {"istio": {"services": [service]}}},
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": address(upstream)},
                "metadata": {"filter_metadata": {"istio": {"workload": "stock-v1;shop;stock;v1;c1"}}},
            }]}]},
        }])
    }
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

/// A bootstrap with `filters` before the router and `access_log` behind it.
pub(crate) fn bootstrap(
    scene: Scene,
    ports: Ports,
    upstream: u16,
    server: &Identity,
    filters: &[Value],
    access_log: &[Value],
    services: Option<u16>,
) -> Value {
    let mut http_filters = filters.to_vec();
    http_filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    let (kind, action) = scene.action();
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, kind: action}],
        }]},
        "http_filters": http_filters,
        "access_log": access_log,
    });
    let mut chain = json!({"filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": manager,
    }]});
    if let (true, Some(fields)) = (scene.tls(), chain.as_object_mut()) {
        fields.insert("transport_socket".to_owned(), transport_socket(server));
    }
    let mut listener = json!({"name": "bench", "address": address(ports.listener), "filter_chains": [chain]});
    let direction = scene.listener().to_uppercase();
    if let Some(fields) = listener.as_object_mut() {
        fields.insert("traffic_direction".to_owned(), json!(direction));
    }
    let mut clusters = scene.clusters(upstream);
    if let (Some(port), Some(clusters)) = (services, clusters.as_array_mut()) {
        clusters.push(service_cluster(port));
    }
    json!({
        "admin": {"address": address(ports.admin)},
        "node": scene.node(),
        "static_resources": {"listeners": [listener], "clusters": clusters},
    })
}

/// The cluster of services that filters ask over gRPC.
fn service_cluster(port: u16) -> Value {
    let options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    });
    json!({
        "name": SERVICES,
        "type": "STATIC",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {"cluster_name": SERVICES, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address(port)}}]},
        ]},
    })
}

fn transport_socket(server: &Identity) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": true,
            "common_tls_context": {
                "alpn_protocols": ["http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": {"inline_string": server.certificate_pem},
                    "private_key": {"inline_string": server.key_pem},
                }],
                "validation_context": {"trusted_ca": {"inline_string": server.authority_pem}},
            },
        },
    })
}
