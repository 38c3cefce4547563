//! The forms in which a proxy gets a module and its document.

pub(crate) mod envoy;
pub(crate) mod envoy_gateway;
pub(crate) mod envoyfilter;
pub(crate) mod trafficextension;
mod wasm;
pub(crate) mod wasmplugin;

use super::schema::Istio;
use super::workload::{Proxy, Target};
use crate::compile::Module;
use clap::ValueEnum;
use std::fmt;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A bootstrap of Envoy, or its HTTP filters alone
    Envoy,
    /// Istio's EnvoyFilter
    #[value(name = "envoyfilter")]
    EnvoyFilter,
    /// Istio's WasmPlugin
    #[value(name = "wasmplugin")]
    WasmPlugin,
    /// Istio's TrafficExtension, from 1.30 on
    #[value(name = "trafficextension")]
    TrafficExtension,
    /// Envoy Gateway's EnvoyExtensionPolicy
    #[value(name = "envoy-gateway")]
    EnvoyGateway,
}

impl Form {
    /// The word of the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::EnvoyFilter => "envoyfilter",
            Self::WasmPlugin => "wasmplugin",
            Self::TrafficExtension => "trafficextension",
            Self::EnvoyGateway => "envoy-gateway",
        }
    }

    /// Whether Istio reads it.
    pub(crate) fn is_istios(self) -> bool {
        matches!(self, Self::EnvoyFilter | Self::WasmPlugin | Self::TrafficExtension)
    }

    /// The Istio lines that have it.
    pub(crate) fn lines(self) -> &'static [Istio] {
        match self {
            Self::EnvoyFilter | Self::WasmPlugin => &Istio::ALL,
            Self::TrafficExtension => &[Istio::V1_30, Istio::V1_31],
            Self::Envoy | Self::EnvoyGateway => &[],
        }
    }

    /// Whether it is kept as an object of a Kubernetes API server, which bounds its size.
    pub(crate) fn is_object(self) -> bool {
        self != Self::Envoy
    }

    /// Whether each listener of the proxy gets a document of its own.
    pub(crate) fn tells_direction(self) -> bool {
        // Envoy Gateway's listeners have no direction.
        self != Self::EnvoyGateway
    }

    /// Whether the form is for such a proxy.
    pub(crate) fn serves(self, proxy: Proxy) -> bool {
        match self {
            Self::EnvoyFilter | Self::WasmPlugin | Self::TrafficExtension => true,
            // Waypoints are Istio's.
            Self::Envoy => proxy != Proxy::Waypoint,
            Self::EnvoyGateway => proxy == Proxy::Gateway,
        }
    }

    /// Whether proxies of that kind can be selected by that target in this form.
    pub(crate) fn takes(self, target: &Target, proxy: Proxy) -> bool {
        match self {
            Self::Envoy => false,
            // Istio compares the targets of an EnvoyFilter with the proxy's Gateway alone.
            Self::EnvoyFilter => proxy != Proxy::Sidecar && target.is_gateway(),
            // Which services a waypoint serves is not known here, and so not which policies are for it.
            Self::WasmPlugin | Self::TrafficExtension => proxy != Proxy::Sidecar && target.is_gateway(),
            Self::EnvoyGateway => ["Gateway", "HTTPRoute", "GRPCRoute"].contains(&target.kind.as_str()),
        }
    }

    /// Whether another filter can be put in front, which writes filter state.
    pub(crate) fn writes_filter_state(self) -> bool {
        self != Self::EnvoyGateway
    }

    /// Whether it says among which of Istio's filters the module stands.
    pub(crate) fn has_phase(self) -> bool {
        matches!(self, Self::WasmPlugin | Self::TrafficExtension)
    }

    /// Whether objects of the form are ordered by a number.
    pub(crate) fn has_priority(self) -> bool {
        self.is_istios()
    }

    /// The number that puts policy before limits and limits before telemetry, where these are modules of their own. Of
    /// WasmPlugins a greater one is earlier, of EnvoyFilters a smaller one. Istio takes none for the least there is.
    pub(crate) fn default_priority(self, module: Module) -> i32 {
        let place = match module {
            Module::Policy | Module::Suite => 0,
            Module::RateLimit => 1,
            Module::Telemetry => 2,
        };
        if self == Self::EnvoyFilter { 10 * (place + 1) } else { 100 - 10 * place }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
