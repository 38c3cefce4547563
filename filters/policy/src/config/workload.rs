//! The workload that policies are selected for: the one behind this proxy, from the document or the node's metadata.

use super::labels;
use super::scope::{Scope, Target};
use super::trust_domain::TrustDomains;
use weir_config::Cursor;
use weir_matching::PathParameters;
use weir_model::{EnvoyVersion, Node, ProxyKind, SortedMap};

/// Label that Istio gives the pods of a Kubernetes Gateway.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// The GatewayClass of Istio's waypoints.
const WAYPOINT_CLASS: &str = "istio-waypoint";

/// Why it is not known whether a policy applies.
const NO_NAMESPACE: &str =
    "which policies apply is unknown: give `workload.namespace`, or NAMESPACE in the node's metadata";
const NO_LABELS: &str = "whom it is for cannot be checked: give `workload.labels`, or LABELS in the node's metadata";
const NO_PROXY: &str = "whom it is for cannot be checked: say `proxy: gateway` or `proxy: waypoint` in `workload`";
const NO_TARGET: &str = "whether this proxy serves the target is unknown: leave the policy out where it does not, or say `proxy` in `workload`";

/// The workload.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    namespace: Option<String>,
    labels: Option<SortedMap<String, String>>,
    root: String,
    pub(crate) trust: TrustDomains,
    pub(crate) proxy: Option<ProxyKind>,
    /// Filter state that holds the address of the direct peer.
    pub(crate) direct_address: Option<Box<str>>,
    /// Filter state that holds all URI SANs of the peer, comma-separated.
    pub(crate) peer_uri_sans: Option<Box<str>>,
    /// What happens to path parameters: whether the route configuration has the option
    /// `ignore_path_parameters_in_path_matching`.
    pub(crate) path_parameters: PathParameters,
    envoy: Option<EnvoyVersion>,
}

impl Workload {
    /// What the node's metadata says.
    pub(crate) fn of(node: &Node) -> Self {
        let labels: SortedMap<String, String> = node.labels().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        Self {
            namespace: node.text("NAMESPACE").map(str::to_owned),
            labels: node.metadata.get("LABELS").map(|_| labels),
            root: "istio-system".to_owned(),
            trust: TrustDomains::new("cluster.local", &[]),
            proxy: node.proxy(),
            direct_address: None,
            peer_uri_sans: None,
            path_parameters: PathParameters::Compared,
            envoy: node.envoy,
        }
    }

    /// The namespace, if it is known.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Reads the `workload` section over what the node says.
    #[inline(never)]
    pub(crate) fn read(&mut self, at: &Cursor<'_>) {
        let Some(mut fields) = at.object() else { return };
        if let Some(text) = fields.take("namespace").and_then(|at| at.text()) {
            self.namespace = Some(text.to_owned());
        }
        if let Some(labels) = fields.take("labels") {
            self.labels = Some(labels::read(&labels));
        }
        if let Some(text) = fields.take("rootNamespace").and_then(|at| at.text()) {
            self.root = text.to_owned();
        }
        let own = fields.take("trustDomain").and_then(|at| at.text()).unwrap_or("cluster.local");
        let aliases = fields.take("trustDomainAliases").map(|at| at.each(|item| item.text())).unwrap_or_default();
        self.trust = TrustDomains::new(own, &aliases);
        if let Some(at) = fields.take("proxy") {
            self.proxy = at.word(&[
                ("sidecar", ProxyKind::Sidecar),
                ("gateway", ProxyKind::Gateway),
                ("waypoint", ProxyKind::Waypoint),
            ]);
        }
        self.direct_address = fields.take("directAddress").and_then(|at| filter_state(&at));
        self.peer_uri_sans = fields.take("peerUriSans").and_then(|at| filter_state(&at));
        let is_set = fields.take("ignorePathParameters").and_then(|at| at.bool()).unwrap_or_default();
        self.path_parameters = PathParameters::of(is_set, self.envoy);
        fields.finish();
    }

    /// Whether a policy of `namespace` is for this workload (Istio's `pilot/pkg/model/policyattachment.go`). A problem
    /// at `at` if that is not known: a policy that is left out in silence would let requests through.
    /// Where an unknown target can be set aside, it is.
    pub(crate) fn is_selected(
        &self,
        namespace: &str,
        scope: &Scope,
        quarantines: bool,
        at: &Cursor<'_>,
    ) -> Option<bool> {
        let Some(own) = &self.namespace else { return at.problem(NO_NAMESPACE) };
        match self.selection(own, namespace, scope) {
            Ok(selected) => Some(selected),
            Err(unknown) => {
                // What the document says of the workload itself stays a problem.
                at.set_aside(quarantines && unknown == NO_TARGET);
                at.problem::<()>(unknown);
                at.set_aside(false);
                None
            }
        }
    }

    /// The same without a problem: `None` where it is not known.
    pub(crate) fn selects(&self, namespace: &str, scope: &Scope) -> Option<bool> {
        self.selection(self.namespace.as_deref()?, namespace, scope).ok()
    }

    fn selection(&self, own: &str, namespace: &str, scope: &Scope) -> Result<bool, &'static str> {
        let (is_own, is_root) = (namespace == own, namespace == self.root);
        match scope {
            Scope::Labels(_) if !is_own && !is_root => Ok(false),
            Scope::Labels(wanted) => self.is_labelled(wanted),
            Scope::Targets(targets) => {
                let mut selected = Ok(false);
                for (target, name) in targets {
                    // If one target is this proxy, the others do not matter.
                    match self.is_target(*target, name, is_own, is_root) {
                        Ok(false) => {}
                        Ok(true) => return Ok(true),
                        unknown => selected = unknown,
                    }
                }
                selected
            }
        }
    }

    /// Whether policies of `namespace` that name no target would be for this workload, if it were not a waypoint.
    pub(crate) fn needs_targets(&self, namespace: &str) -> bool {
        let is_near = namespace == self.root || self.namespace.as_deref() == Some(namespace);
        is_near && self.is_waypoint() == Ok(true)
    }

    /// Istio's waypoints take policies by target alone. A pod that no Gateway stands for is none of them.
    fn is_waypoint(&self) -> Result<bool, &'static str> {
        Ok(self.proxy == Some(ProxyKind::Waypoint) && self.gateway()?.is_some())
    }

    fn is_labelled(&self, wanted: &SortedMap<String, String>) -> Result<bool, &'static str> {
        if self.is_waypoint()? {
            return Ok(false);
        }
        if wanted.is_empty() && self.proxy.is_some() {
            return Ok(true);
        }
        let labels = match &self.labels {
            Some(labels) => labels,
            None if wanted.is_empty() => return Ok(true),
            None => return Err(NO_LABELS),
        };
        if wanted.iter().any(|(key, value)| labels.get(key) != Some(value)) {
            return Ok(false);
        }
        // The pod of a Gateway may be a waypoint.
        if self.proxy.is_none() && labels.contains_key(GATEWAY_NAME) { Err(NO_PROXY) } else { Ok(true) }
    }

    /// Whether this proxy is what a target names. `Err` says why that is not known.
    #[inline(never)]
    fn is_target(&self, target: Target, name: &str, is_own: bool, is_root: bool) -> Result<bool, &'static str> {
        match (target, self.proxy) {
            (Target::Gateway, _) => Ok(is_own && self.gateway()? == Some(name)),
            (Target::GatewayClass, Some(ProxyKind::Sidecar | ProxyKind::Gateway)) => Ok(false),
            (Target::GatewayClass, _) if !is_root || name != WAYPOINT_CLASS || self.gateway()?.is_none() => Ok(false),
            (Target::GatewayClass, proxy) => proxy.map(|_| true).ok_or(NO_PROXY),
            // The Gateways that select this proxy, in its own namespace or that of the mesh.
            (Target::IstioGateway, _) if !is_own && !is_root => Ok(false),
            (Target::IstioGateway | Target::HttpRoute, Some(ProxyKind::Sidecar | ProxyKind::Waypoint)) => Ok(false),
            (Target::IstioGateway | Target::HttpRoute, _) => Err(NO_TARGET),
            // A waypoint may serve services of any namespace.
            (Target::Service, Some(ProxyKind::Sidecar | ProxyKind::Gateway)) => Ok(false),
            (Target::Service, _) => {
                if self.gateway()?.is_none() {
                    Ok(false)
                } else {
                    Err(NO_TARGET)
                }
            }
        }
    }

    /// The Gateway whose pod this is, if it is one.
    fn gateway(&self) -> Result<Option<&str>, &'static str> {
        match (&self.labels, self.proxy) {
            (Some(labels), _) => Ok(labels.get(GATEWAY_NAME).map(String::as_str)),
            (None, Some(ProxyKind::Sidecar)) => Ok(None),
            (None, _) => Err(NO_LABELS),
        }
    }
}

fn filter_state(at: &Cursor<'_>) -> Option<Box<str>> {
    let mut fields = at.object()?;
    let key = fields.require("filterState").and_then(|at| at.text()).map(Box::from);
    fields.finish();
    key
}

#[cfg(test)]
mod tests;
