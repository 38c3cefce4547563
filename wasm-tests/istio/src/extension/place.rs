//! Where the filters of plugins go: istiod's order of filters is written into the proxies' data files, with marks where
//! plugins belong.

use serde_json::Value;

use super::{Class, Phase, Plugin, PluginKind, Plugins, filter};
use crate::proxy::{Group, Proxy, ProxyKind};

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// The plugins of these phases.
    Phases(&'static [Phase]),
    /// Istio's own authorization, if a policy is for this proxy.
    Rbac,
}

/// Replaces the marks in a listener by filters.
pub(crate) fn place(plugins: &Plugins, proxy: &Proxy, group: Group, listener: &mut Value, authorized: bool) {
    let class = match group {
        Group::Inbound => Class::Server,
        Group::Outbound | Group::VirtualOutbound | Group::Gateway => Class::Client,
    };
    let bound = listener.pointer("/address/socket_address/port_value").and_then(Value::as_u64).unwrap_or(0);
    let chains = listener.get_mut("filter_chains").and_then(Value::as_array_mut).into_iter().flatten();
    for chain in chains {
        // Inbound, istiod asks for the plugins of a chain's container port (of TCP for those of the Service's port, which is
        // the same here), elsewhere for those of the listener's port, and at a waypoint for those of no port.
        let own = chain.pointer("/filter_chain_match/destination_port").and_then(Value::as_u64).unwrap_or(0);
        let port = match (group, proxy.kind) {
            (_, ProxyKind::Waypoint) => 0,
            (Group::Inbound, _) => own,
            _ => bound,
        };
        let filters_of = |kind: PluginKind, mark: Mark| -> Vec<Value> {
            match mark {
                Mark::Phases(phases) => {
                    let of = |phase: &Phase| plugins.of(proxy, class, port, kind, *phase);
                    phases.iter().flat_map(of).map(|plugin: &Plugin| filter(plugin)).collect()
                }
                Mark::Rbac if authorized => vec![rbac(kind)],
                Mark::Rbac => Vec::new(),
            }
        };
        let Some(filters) = chain.get_mut("filters").and_then(Value::as_array_mut) else { continue };
        replace(filters, |mark| filters_of(PluginKind::Network, mark));
        for filter in filters {
            if let Some(filters) = filter.pointer_mut("/typed_config/http_filters").and_then(Value::as_array_mut) {
                replace(filters, |mark| filters_of(PluginKind::Http, mark));
            }
        }
    }
}

fn replace(filters: &mut Vec<Value>, filters_of: impl Fn(Mark) -> Vec<Value>) {
    let placed = std::mem::take(filters).into_iter().flat_map(|item| match mark(&item) {
        Some(mark) => filters_of(mark),
        None => vec![item],
    });
    *filters = placed.collect();
}

/// The mark that an item is, if it is one: `phase: AUTHZ`.
fn mark(item: &Value) -> Option<Mark> {
    match item.get("phase")?.as_str()? {
        "AUTHN" => Some(Mark::Phases(&[Phase::Authn])),
        "AUTHZ" => Some(Mark::Phases(&[Phase::Authz])),
        // istiod puts plugins without a phase behind those of the last one.
        "STATS" => Some(Mark::Phases(&[Phase::Stats, Phase::Unspecified])),
        "ALL" => Some(Mark::Phases(&Phase::ALL)),
        "RBAC" => Some(Mark::Rbac),
        _ => None,
    }
}

/// A filter in the place of Istio's authorization. Its rules are not made here: it lets everything pass.
fn rbac(kind: PluginKind) -> Value {
    let (family, prefix) = match kind {
        PluginKind::Http => ("http", None),
        PluginKind::Network => ("network", Some("tcp.")),
    };
    let mut config =
        serde_json::json!({"@type": format!("type.googleapis.com/envoy.extensions.filters.{family}.rbac.v3.RBAC")});
    if let (Some(prefix), Some(fields)) = (prefix, config.as_object_mut()) {
        fields.insert("stat_prefix".to_owned(), prefix.into());
    }
    serde_json::json!({"name": format!("envoy.filters.{family}.rbac"), "typed_config": config})
}
