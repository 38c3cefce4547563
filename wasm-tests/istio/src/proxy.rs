//! Proxies as istiod knows them, with the configuration that it makes for each before any plugin or patch.
//!
//! The configurations are data files, reduced from what istiod sends to such a proxy. They keep names, order, matches and
//! filters, also those filters that only Istio's own proxy has: a patch may name them. [`crate::stock`] takes out what a
//! stock Envoy does not have. Places where istiod puts plugins are marked with an item `phase: AUTHN` and so on.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::error::ApplyError;

/// What a proxy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyKind {
    /// Beside one workload.
    Sidecar,
    /// At the edge.
    Gateway,
    /// In front of services of ambient mode.
    Waypoint,
}

/// A proxy: who it is, and what istiod sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Proxy {
    /// What it is for.
    pub kind: ProxyKind,
    /// The namespace that it runs in.
    pub namespace: String,
    /// The labels of its pod.
    pub labels: BTreeMap<String, String>,
    /// The root namespace of the mesh.
    pub root_namespace: String,
    /// Other fields of `node.metadata`, as the proxy's bootstrap has them.
    pub metadata: BTreeMap<String, Value>,
    /// The services that a waypoint serves: namespace and name.
    pub services: Vec<(String, String)>,
    pub(crate) listeners: Vec<PlacedListener>,
    pub(crate) routes: Vec<Placed>,
    pub(crate) clusters: Vec<PlacedCluster>,
    /// Ports of a gateway's pods by the ports of its Service that lead there.
    pub(crate) port_map: BTreeMap<u64, Vec<u64>>,
}

/// The groups in which istiod patches listeners; each has the context of its patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Group {
    /// Outbound listeners of a sidecar.
    Outbound,
    /// The listener that iptables leads outbound connections to. Nothing can be added beside it.
    VirtualOutbound,
    /// Inbound listeners of a sidecar, and all listeners of a waypoint.
    Inbound,
    /// Listeners of a gateway.
    Gateway,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlacedListener {
    pub(crate) group: Group,
    /// Whether a stock Envoy gets it.
    #[serde(default = "yes")]
    pub(crate) stock: bool,
    /// Whether istiod patches the route configurations in it.
    #[serde(default = "yes")]
    pub(crate) patches_routes: bool,
    /// Whether only a sidecar that takes HBONE has it.
    #[serde(default)]
    hbone: bool,
    pub(crate) listener: Value,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Placed {
    pub(crate) group: Group,
    pub(crate) route: Value,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlacedCluster {
    pub(crate) group: Group,
    /// Whether istiod patches it at all: the inbound clusters of a waypoint it does not.
    #[serde(default = "yes")]
    pub(crate) patched: bool,
    /// The services of an inbound cluster, whose name does not have them.
    #[serde(default)]
    pub(crate) hosts: Vec<String>,
    pub(crate) cluster: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    kind: ProxyKind,
    namespace: String,
    labels: BTreeMap<String, String>,
    root_namespace: String,
    metadata: BTreeMap<String, Value>,
    services: Vec<(String, String)>,
    #[serde(default)]
    port_map: BTreeMap<u64, Vec<u64>>,
    /// Fragments that others refer to with YAML anchors.
    #[serde(default, rename = "shared")]
    _shared: Value,
    listeners: Vec<PlacedListener>,
    routes: Vec<Placed>,
    clusters: Vec<PlacedCluster>,
}

fn yes() -> bool {
    true
}

impl Proxy {
    /// The sidecar of a pod `app: cart` in namespace `shop`: container port 8080 speaks HTTP behind a permissive mTLS
    /// chain, 9000 speaks TCP; outbound port 80 leads to the services `cart` and `stock`.
    ///
    /// # Errors
    /// When the data file is damaged.
    pub fn sidecar() -> Result<Self, ApplyError> {
        Self::read(include_str!("../data/sidecar.yaml"), false)
    }

    /// The same sidecar in a mesh with ambient mode, where it takes HBONE too: two more listeners, one that ends tunnels and
    /// one for what comes out of them. Both are patched in the context of inbound listeners.
    ///
    /// # Errors
    /// When the data file is damaged.
    pub fn hbone_sidecar() -> Result<Self, ApplyError> {
        Self::read(include_str!("../data/sidecar.yaml"), true)
    }

    /// A classic ingress gateway, `istio: ingressgateway` in the root namespace: port 80 of its Service is port 8080 of
    /// its pods and leads the host `shop.example.com` to the service `cart`.
    ///
    /// # Errors
    /// When the data file is damaged.
    pub fn gateway() -> Result<Self, ApplyError> {
        Self::read(include_str!("../data/gateway.yaml"), false)
    }

    /// A waypoint named `waypoint` in namespace `shop`, in front of port 80 of the service `cart`.
    ///
    /// # Errors
    /// When the data file is damaged.
    pub fn waypoint() -> Result<Self, ApplyError> {
        Self::read(include_str!("../data/waypoint.yaml"), false)
    }

    /// All of them.
    ///
    /// # Errors
    /// When a data file is damaged.
    pub fn all() -> Result<[Self; 4], ApplyError> {
        Ok([Self::sidecar()?, Self::hbone_sidecar()?, Self::gateway()?, Self::waypoint()?])
    }

    fn read(text: &str, hbone: bool) -> Result<Self, ApplyError> {
        let mut tree: serde_yaml_ng::Value = damaged(serde_yaml_ng::from_str(text))?;
        damaged(tree.apply_merge())?;
        let File {
            kind,
            namespace,
            labels,
            root_namespace,
            metadata,
            services,
            port_map,
            _shared: _,
            mut listeners,
            routes,
            clusters,
        } = damaged(serde_yaml_ng::from_value(tree))?;
        listeners.retain(|placed| hbone || !placed.hbone);
        Ok(Self { kind, namespace, labels, root_namespace, metadata, services, listeners, routes, clusters, port_map })
    }
}

fn damaged<T>(result: Result<T, serde_yaml_ng::Error>) -> Result<T, ApplyError> {
    result.map_err(|error| ApplyError::Data(error.to_string()))
}
