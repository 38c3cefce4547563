//! The service a request was for: what the control plane wrote on the cluster, else the `Host` header.

use weir_model::StructValue;
use weir_proto::decode_metadata;

/// A destination service. A field that is not given is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Full host, such as `cart.shop.svc.cluster.local`.
    pub host: Vec<u8>,
    /// Short name.
    pub name: Vec<u8>,
    /// Namespace.
    pub namespace: Vec<u8>,
}

impl Service {
    /// Reads the first of `istio.services` in `xds.cluster_metadata`, a serialised `envoy.config.core.v3.Metadata`; `None`
    /// where there is none or it has no host. A service without `name` is named by the first label of its host.
    #[inline(never)]
    pub fn from_cluster_metadata(bytes: &[u8]) -> Option<Self> {
        let metadata = decode_metadata(bytes)?;
        let StructValue::List(services) = metadata.get("istio")?.get("services")? else { return None };
        let first = services.first()?.as_map()?;
        let field = |key: &str| first.get(key).and_then(StructValue::as_text).unwrap_or_default();
        let host = field("host");
        if host.is_empty() {
            return None;
        }
        let name = match field("name") {
            "" => host.split('.').next().unwrap_or_default(),
            name => name,
        };
        Some(Self { host: host.into(), name: name.into(), namespace: field("namespace").into() })
    }

    /// A service known by its `Host` header only.
    #[inline(never)]
    pub fn from_host(host: &[u8]) -> Self {
        Self { host: host.to_vec(), name: host.to_vec(), namespace: Vec::new() }
    }
}

/// The names that Istio gives to traffic that has no service; they come from its routes and clusters.
pub(crate) fn well_known(route: Option<&[u8]>, cluster: Option<&[u8]>) -> Option<&'static [u8]> {
    match route {
        Some(b"block_all") => return Some(b"BlackHoleCluster"),
        Some(b"allow_any") => return Some(b"PassthroughCluster"),
        _ => {}
    }
    let names: [&[u8]; 5] = [
        b"BlackHoleCluster",
        b"PassthroughCluster",
        b"InboundPassthroughCluster",
        b"InboundPassthroughClusterIpv4",
        b"InboundPassthroughClusterIpv6",
    ];
    names.into_iter().find(|name| Some(*name) == cluster)
}

#[cfg(test)]
mod tests;
