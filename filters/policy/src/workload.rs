//! Whom the policies are selected for: the workload behind this proxy, from the document or the node's metadata.

use crate::TrustDomains;
use crate::object::{Object, Scope};
use std::collections::BTreeMap;
use weir_config::At;
use weir_model::Node;

/// Label that Istio gives the pods of a Kubernetes Gateway.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// What the proxy stands in front of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Sidecar,
    Gateway,
    Waypoint,
}

/// The workload.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    namespace: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    root: String,
    pub(crate) trust: TrustDomains,
    pub(crate) proxy: Option<Proxy>,
    /// Filter state that holds the address of the direct peer.
    pub(crate) direct_address: Option<Box<str>>,
    /// Filter state that holds all URI SANs of the peer, comma-separated.
    pub(crate) peer_uri_sans: Option<Box<str>>,
}

impl Workload {
    /// What the node's metadata says.
    pub(crate) fn of(node: &Node) -> Self {
        let labels: BTreeMap<String, String> = node.labels().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let proxy = match node.id.split_once('~') {
            Some(("sidecar", _)) => Some(Proxy::Sidecar),
            Some(("router", _)) => Some(Proxy::Gateway),
            Some(("waypoint", _)) => Some(Proxy::Waypoint),
            _ => None,
        };
        Self {
            namespace: node.text("NAMESPACE").map(str::to_owned),
            labels: node.metadata.contains_key("LABELS").then_some(labels),
            root: "istio-system".to_owned(),
            trust: TrustDomains::new("cluster.local", &[]),
            proxy,
            direct_address: None,
            peer_uri_sans: None,
        }
    }

    /// Reads the `workload` section over what the node says.
    pub(crate) fn read(&mut self, at: &At<'_>) {
        let Some(mut fields) = at.object() else { return };
        if let Some(text) = fields.take("namespace").and_then(|at| at.text()) {
            self.namespace = Some(text.to_owned());
        }
        if let Some(labels) = fields.take("labels") {
            self.labels = Some(text_map(&labels));
        }
        if let Some(text) = fields.take("rootNamespace").and_then(|at| at.text()) {
            self.root = text.to_owned();
        }
        let own = fields.take("trustDomain").and_then(|at| at.text()).unwrap_or("cluster.local");
        let aliases = fields.take("trustDomainAliases").map(|at| at.each(|item| item.text())).unwrap_or_default();
        self.trust = TrustDomains::new(own, &aliases);
        if let Some(at) = fields.take("proxy") {
            self.proxy =
                at.word(&[("sidecar", Proxy::Sidecar), ("gateway", Proxy::Gateway), ("waypoint", Proxy::Waypoint)]);
        }
        self.direct_address = fields.take("directAddress").and_then(|at| filter_state(&at));
        self.peer_uri_sans = fields.take("peerUriSans").and_then(|at| filter_state(&at));
        fields.finish();
    }

    /// Whether a policy is for this workload. A problem at `at` if that cannot be told: a policy that is left out in
    /// silence would let requests through.
    pub(crate) fn is_selected(&self, object: &Object, at: &At<'_>) -> Option<bool> {
        let Some(namespace) = &self.namespace else {
            return at.problem(
                "which policies apply is unknown: give `workload.namespace`, or NAMESPACE in the node's metadata",
            );
        };
        if object.namespace != *namespace && object.namespace != self.root {
            return Some(false);
        }
        let labels = |what: &str| match &self.labels {
            Some(labels) => Some(labels),
            None => at
                .problem(format!("{what} cannot be checked: give `workload.labels`, or LABELS in the node's metadata")),
        };
        match &object.scope {
            Scope::Labels(wanted) if wanted.is_empty() => Some(true),
            Scope::Labels(wanted) => {
                let labels = labels("the selector")?;
                Some(wanted.iter().all(|(key, value)| labels.get(key) == Some(value)))
            }
            Scope::Gateways(_) | Scope::Others if self.proxy == Some(Proxy::Sidecar) => Some(false),
            Scope::Gateways(names) => {
                let labels = labels("the target")?;
                Some(labels.get(GATEWAY_NAME).is_some_and(|own| names.contains(own)))
            }
            Scope::Others => at.problem(
                "targets other than a Gateway are not supported; on a sidecar, where they do not apply, say `proxy: sidecar`",
            ),
        }
    }
}

/// A map of strings.
pub(crate) fn text_map(at: &At<'_>) -> BTreeMap<String, String> {
    let entries = at.map().unwrap_or_default().into_iter();
    entries.filter_map(|(key, value)| Some((key.to_owned(), value.string()?.to_owned()))).collect()
}

fn filter_state(at: &At<'_>) -> Option<Box<str>> {
    let mut fields = at.object()?;
    let key = fields.require("filterState").and_then(|at| at.text()).map(Box::from);
    fields.finish();
    key
}
