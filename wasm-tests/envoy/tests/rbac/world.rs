//! The proxies in which both decide: Weir first, in mode observe, and RBAC as istiod would build it behind it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weir_scenario::{FilterStateValue, Node, Proxy as Listener, Tls};
use weir_test_envoy::{Booted, Plugin, Proxy, Setup, module};

use crate::claims;
use crate::istio::{self, Bundle, Options};
use crate::random::Random;

/// The request header whose value becomes the filter state `io.istio.peer_principal`.
pub(crate) const PEER_HEADER: &str = "x-peer";

/// What differs between the proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A sidecar that takes plain text and mutual TLS.
    Sidecar,
    /// A sidecar whose requests come through HBONE: the peer is filter state.
    Hbone,
    /// A waypoint: likewise, and policies have targets.
    Waypoint,
    /// A sidecar whose route configuration ignores path parameters.
    Parameters,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Sidecar, Self::Waypoint, Self::Parameters, Self::Hbone];

    pub(crate) fn waypoint(self) -> bool {
        self == Self::Waypoint
    }

    pub(crate) fn filter_state(self) -> bool {
        matches!(self, Self::Waypoint | Self::Hbone)
    }

    pub(crate) fn identities(self) -> bool {
        self != Self::Parameters
    }

    pub(crate) fn parameters(self) -> bool {
        self == Self::Parameters
    }
}

/// A trust domain and its aliases; none in half of the worlds.
pub(crate) fn bundle(random: &mut Random) -> Vec<String> {
    let bundles: [&[&str]; 8] = [
        &["cluster.local"],
        &["cluster.local"],
        &["cluster.local"],
        &["td"],
        &["td", "td2"],
        &["td", "old-td", "cluster.local"],
        &["td2", "td", "other"],
        &["cluster.local", "td"],
    ];
    bundles[random.below(bundles.len())].iter().map(|&domain| domain.to_owned()).collect()
}

/// Fields of Weir's `workload` for a proxy of this kind.
pub(crate) fn workload(kind: Kind, domains: &[String]) -> Value {
    let mut workload = json!({
        "namespace": "ns",
        "labels": {},
        "trustDomain": domains[0],
        "trustDomainAliases": domains[1..],
        "directAddress": {"filterState": "direct"},
        "peerUriSans": {"filterState": "sans"},
    });
    if domains.len() == 1 {
        workload.as_object_mut().unwrap().remove("trustDomainAliases");
    }
    if kind.waypoint() {
        workload["proxy"] = "waypoint".into();
        workload["labels"] = json!({"gateway.networking.k8s.io/gateway-name": "waypoint"});
    }
    if kind.parameters() {
        workload["ignorePathParameters"] = true.into();
    }
    workload
}

/// Starts a proxy that has the policies twice. The error is what Envoy logged when it refused them.
pub(crate) fn start(
    kind: Kind,
    workload: &Value,
    domains: Vec<String>,
    policies: &[Value],
    place: (u16, &str),
) -> Result<Box<Proxy>, String> {
    match Proxy::start(setup(kind, workload, domains, policies, place)).unwrap() {
        Booted::Ready(proxy) => Ok(proxy),
        Booted::Refused(log) => Err(log),
    }
}

/// The proxy that [`start`] starts.
pub(crate) fn setup(
    kind: Kind,
    workload: &Value,
    domains: Vec<String>,
    policies: &[Value],
    (port, peer_header): (u16, &str),
) -> Setup {
    let configuration =
        json!({"schema": 1, "name": "rbac", "mode": "observe", "workload": workload, "policies": policies});
    let plugin = Plugin {
        name: "policy".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("policy-observe").unwrap(),
        configuration: configuration.to_string(),
    };
    let mut filter_state: BTreeMap<String, FilterStateValue> =
        [("direct".to_owned(), FilterStateValue::DirectAddress), ("sans".to_owned(), FilterStateValue::PeerUriSans)]
            .into();
    if kind.filter_state() {
        filter_state.insert("io.istio.peer_principal".to_owned(), FilterStateValue::Header(peer_header.to_owned()));
    }
    let proxy = Listener {
        node: Node::default(),
        use_remote_address: true,
        xff_trusted_hops: 1,
        tls: Tls::Permissive("spiffe://td/ns/ns/sa/rbac".to_owned()),
        jwt_authn: true,
        ignore_path_parameters: kind.parameters(),
        filter_state,
        ..Listener::default()
    };
    let native =
        istio::filters(policies, &Options { bundle: Bundle(domains), filter_state: kind.filter_state(), tcp: false });
    let native_first = vec![claims::other_filter()];
    Setup { plugins: vec![plugin], native_first, native, proxy, port, ..Setup::default() }
}
