//! The workload that is rendered for: what its manifests select, and which listeners of its proxies there are.

use crate::names;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(crate) type Labels = BTreeMap<String, String>;

/// Label that Istio gives the pods of a Kubernetes Gateway, and of a waypoint, which is one.
pub(crate) const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// What the proxy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Proxy {
    Sidecar,
    Gateway,
    Waypoint,
}

impl Proxy {
    /// The word of the document and the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Gateway => "gateway",
            Self::Waypoint => "waypoint",
        }
    }
}

/// A direction of traffic, as the proxy's listener has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    /// The word of the document's `listener`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }

    /// `traffic_direction` of Envoy's listener.
    pub(crate) fn of_envoy(self) -> &'static str {
        match self {
            Self::Inbound => "INBOUND",
            Self::Outbound => "OUTBOUND",
        }
    }
}

/// An object that proxies are selected by, in place of labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) group: &'static str,
    pub(crate) kind: String,
    pub(crate) name: String,
}

/// Kinds that can be targets, and their API groups.
const KINDS: [(&str, &str); 5] = [
    ("Gateway", "gateway.networking.k8s.io"),
    ("HTTPRoute", "gateway.networking.k8s.io"),
    ("GRPCRoute", "gateway.networking.k8s.io"),
    ("Service", ""),
    ("ServiceEntry", "networking.istio.io"),
];

impl Target {
    /// `KIND/NAME`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once('/').unwrap_or((text, ""));
        match KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind)) {
            Some((kind, group)) if !name.is_empty() => {
                names::name(name)?;
                Ok(Self { group, kind: (*kind).to_owned(), name: name.to_owned() })
            }
            _ => {
                let kinds = KINDS.map(|(kind, _)| format!("`{kind}/NAME`")).join(", ");
                Err(format!("`{text}` is not one of {kinds}"))
            }
        }
    }

    pub(crate) fn is_gateway(&self) -> bool {
        self.kind == "Gateway"
    }

    fn reference(&self) -> Value {
        json!({"group": self.group, "kind": self.kind, "name": self.name})
    }
}

/// Where the labels of a workload's pods are known from, and so which others they may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// The selector, which says of some.
    Selector,
    /// The pod template, to which Istio and Kubernetes add some.
    Template,
    /// They are given, and Istio and Kubernetes add some.
    Given,
    /// All are given.
    Complete,
    /// The rendered bootstrap names them, so that there are no others.
    Written,
}

impl Known {
    /// Whether the pods may have a label of that key, which is not among those that are known.
    pub(crate) fn may_have(self, key: &str) -> bool {
        match self {
            Self::Selector => true,
            Self::Template | Self::Given => super::pods::is_added(key),
            Self::Complete | Self::Written => false,
        }
    }
}

/// The workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The labels that manifests select its pods by.
    pub(crate) selector: Labels,
    /// The labels of its pods, as far as they are known; those of the selector are among them.
    pub(crate) labels: Labels,
    pub(crate) known: Known,
    pub(crate) proxy: Proxy,
    pub(crate) target: Option<Target>,
}

impl Workload {
    /// `NAMESPACE/NAME`.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Adds to a spec what selects the proxies: `targetRefs`, or labels below `selector` and `labels`.
    pub(crate) fn select(&self, spec: &mut Map<String, Value>, selector: &str, labels: &str) {
        match &self.target {
            Some(target) => spec.insert("targetRefs".to_owned(), json!([target.reference()])),
            None => spec.insert(selector.to_owned(), json!({labels: self.selector})),
        };
    }

    /// The directions of its proxies' listeners.
    pub(crate) fn directions(&self) -> &'static [Direction] {
        match self.proxy {
            Proxy::Sidecar => &[Direction::Inbound, Direction::Outbound],
            // Istio builds a gateway's listeners as outbound ones, and a waypoint's as inbound ones.
            Proxy::Gateway => &[Direction::Outbound],
            Proxy::Waypoint => &[Direction::Inbound],
        }
    }

    /// `context` of an EnvoyFilter's patches for the listeners of that direction.
    ///
    /// A waypoint's listeners are patched as a sidecar's inbound ones (`ListenerBuilder.patchListeners` of istiod 1.28 to
    /// 1.31). The context `WAYPOINT`, which the resource has from 1.29 on, is applied by none of them.
    pub(crate) fn context(&self, direction: Direction) -> &'static str {
        match (self.proxy, direction) {
            (Proxy::Gateway, _) => "GATEWAY",
            (_, Direction::Inbound) => "SIDECAR_INBOUND",
            (_, Direction::Outbound) => "SIDECAR_OUTBOUND",
        }
    }

    /// `match.mode` of a WasmPlugin for the listeners of that direction.
    pub(crate) fn mode(&self, direction: Direction) -> &'static str {
        match direction {
            Direction::Inbound => "SERVER",
            Direction::Outbound => "CLIENT",
        }
    }

    /// What tells the objects of a workload's two directions apart; nothing where there is one.
    pub(crate) fn suffix(&self, direction: Direction) -> String {
        match self.proxy {
            Proxy::Sidecar => format!("-{}", direction.word()),
            Proxy::Gateway | Proxy::Waypoint => String::new(),
        }
    }
}

/// Labels of the form `key=value`.
///
/// # Errors
/// The first that is not.
pub(crate) fn labels(written: &[String]) -> Result<Labels, String> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) => names::label(key, value).map(|()| (key.to_owned(), value.to_owned())),
        None => Err(format!("`{text}` is not a label: write `key=value`")),
    };
    written.iter().map(pair).collect()
}
