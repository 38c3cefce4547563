//! What each phase fetches: exactly what this configuration reads.

use crate::algorithm::Algorithm;
use crate::compiled::action::{Item, Source};
use crate::config::Config;
use weir_config::{Common, Mode};
use weir_model::{Attribute, Demand, Node, Phase, ProxyKind};

/// The demand of each phase.
#[derive(Debug)]
pub(crate) struct Demands {
    request: Demand,
    response: Demand,
    end: Demand,
}

impl Demands {
    /// The demand of a configuration in the proxy `node`.
    #[inline(never)]
    pub(crate) fn new(config: &Config, node: &Node) -> Self {
        let Config { common: Common { mode, listener, .. }, items, apply, local, reply } = config;
        let mut demands = Self { request: Demand::idle(), response: Demand::idle(), end: Demand::idle() };
        if *mode == Mode::Off {
            return demands;
        }
        let mut request = Demand::default();
        for algorithm in local.tree.limits.iter().filter_map(|limit| limit.algorithm) {
            match algorithm {
                // Windows are numbered by the monotonic clock; the other one is needed once, to begin where it says.
                Algorithm::FixedWindow(_) => request.steady_wall_clock = true,
                Algorithm::Gcra(_) => request.monotonic_clock = true,
            }
        }
        // The sidecar's two listeners may share this configuration, and each has limits of its own.
        let limits = !(items.is_empty() && apply.list.is_empty());
        if limits && listener.is_none() && node.proxy() == Some(ProxyKind::Sidecar) {
            request.attributes.insert(Attribute::ListenerDirection);
        }
        for item in items {
            demand_of(item, &mut request);
        }
        for apply in &apply.list {
            request.request_headers |= !apply.to.is_empty();
            for item in &apply.items {
                demand_of(item, &mut request);
            }
        }
        demands.request = request;
        demands.response.idle = !(reply.quota_headers && *mode == Mode::Enforce);
        demands
    }

    /// The demand of one phase.
    pub(crate) fn of(&self, phase: Phase) -> &Demand {
        match phase {
            Phase::Request => &self.request,
            Phase::Response => &self.response,
            Phase::End | Phase::EndUnseen => &self.end,
        }
    }
}

/// Adds what an item reads to the demand of the request phase.
pub(crate) fn demand_of(item: &Item, demand: &mut Demand) {
    for action in &item.actions {
        match &action.source {
            Source::Constant(_) => {}
            Source::DestinationCluster => {
                demand.attributes.insert(Attribute::ClusterName);
            }
            Source::Header { .. } | Source::Query { .. } | Source::HeadersMatch { .. } | Source::QueryMatch { .. } => {
                demand.request_headers = true;
            }
            Source::RemoteAddress | Source::MaskedRemoteAddress { .. } | Source::RemoteAddressMatch { .. } => {
                demand.attributes.insert(Attribute::SourceAddress);
            }
        }
    }
}
