//! Inside Istio: peers and principals that its filters keep in filter state, and what vouches for them.

use super::*;
use std::collections::BTreeMap;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{PairsBuilder, StructValue};
use weir_testing::Rows;

const FRONT: &str = "spiffe://td/ns/web/sa/front";
const CART: &str = "spiffe://td/ns/shop/sa/cart";

fn istio() -> Node {
    let mut node = node();
    node.metadata.0.push(("ISTIO_VERSION".to_owned(), StructValue::Text("1.30".to_owned())));
    node
}

/// A struct as Envoy hands it over.
fn pairs(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut pairs = PairsBuilder::default();
    for (key, value) in fields {
        pairs.push(key.as_bytes(), value.as_bytes());
    }
    pairs.finish()
}

/// What Istio's filter writes of a workload.
fn state(workload: &str, namespace: &str) -> Vec<u8> {
    let labels = pairs(&[("role", "x")]);
    let mut out = PairsBuilder::default();
    for (key, value) in [
        ("type", "deployment"),
        ("workload", workload),
        ("name", "front-7d9"),
        ("cluster", "us"),
        ("namespace", namespace),
        ("service", "front"),
        ("revision", "r2"),
        ("app", "front-app"),
        ("version", "v2"),
    ] {
        out.push(key.as_bytes(), value.as_bytes());
    }
    out.push(b"labels", &labels);
    out.finish()
}

fn header(workload: &str, namespace: &str) -> Vec<u8> {
    let json = format!(r#"{{"WORKLOAD_NAME": "{workload}", "NAMESPACE": "{namespace}"}}"#);
    base64(&struct_bytes(&json_struct(&json)))
}

const PEER_LABELS: [&str; 7] =
    ["workload", "workload_namespace", "canonical_service", "canonical_revision", "app", "version", "cluster"];

fn peer_labels(labels: &BTreeMap<String, String>, end: &str) -> [String; 7] {
    PEER_LABELS.map(|label| labels[&format!("{end}_{label}")].clone())
}

#[test]
fn the_peer_comes_from_the_metadata_exchange() {
    let unknown = ["unknown", "unknown", "unknown", "latest", "unknown", "unknown", "unknown"];
    let front = ["front-v2", "web", "front", "r2", "front-app", "v2", "us"];
    let headed = ["from-header", "web", "unknown", "latest", "unknown", "unknown", "unknown"];
    let endpoint = ["w", "n", "s", "r", "unknown", "unknown", "c"];
    let number = 7i64.to_le_bytes().to_vec();
    let shuffled = pairs(&[("version", "v2"), ("x", "y"), ("workload", "front-v2"), ("namespace", "web")]);
    let few = ["front-v2", "web", "unknown", "latest", "unknown", "v2", "unknown"];
    type Case<'a> = (&'a str, &'a str, Node, bool, Option<Vec<u8>>, [&'a str; 7]);
    let inbound: [Case<'_>; 11] = [
        ("the state is the peer", "mtls", istio(), false, Some(state("front-v2", "web")), front),
        ("it is so without TLS", "mtls", istio(), false, Some(state("front-v2", "web")), front),
        ("the state goes before the header", "always", istio(), true, Some(state("front-v2", "web")), front),
        ("any order, few fields", "mtls", istio(), false, Some(shuffled), few),
        ("no state: the header", "always", istio(), true, None, headed),
        ("a text is not a state", "always", istio(), true, Some(b"front-v2".to_vec()), headed),
        ("a number is not a state", "always", istio(), true, Some(number), headed),
        ("an empty map is not a state", "always", istio(), true, Some(pairs(&[])), headed),
        ("too long a state is none", "always", istio(), true, Some(state(&"w".repeat(20_000), "web")), headed),
        ("never: neither", "never", istio(), true, Some(state("front-v2", "web")), unknown),
        ("without Istio it is not read", "mtls", node(), false, Some(state("front-v2", "web")), unknown),
    ];
    let mut rows = Rows::default();
    for (name, trust, node, with_header, state, expected) in inbound {
        let mut streamed = Streamed::default().int(Attribute::ListenerDirection, 1);
        if with_header {
            streamed = streamed.header("x-envoy-peer-metadata", header("from-header", "web"));
        }
        if let Some(state) = state {
            streamed = streamed.bytes(Attribute::DownstreamPeer, state);
        }
        let settings = format!(r#", "peerMetadata": {{"trust": "{trust}"}}"#);
        rows.check(
            format!("inbound: {name}"),
            peer_labels(&labels_of(&settings, &node, &streamed), "source"),
            expected,
        );
    }
    let outbound: [Case<'_>; 4] = [
        ("the state is the peer", "mtls", istio(), false, Some(state("front-v2", "web")), front),
        ("the state goes before the header", "always", istio(), true, Some(state("front-v2", "web")), front),
        ("no state: the header", "always", istio(), true, None, headed),
        ("neither: the endpoint", "mtls", istio(), true, None, endpoint),
    ];
    for (name, trust, node, with_header, state, expected) in outbound {
        let mut streamed = Streamed::default()
            .int(Attribute::ListenerDirection, 2)
            .bytes(Attribute::UpstreamHostMetadata, metadata(r#"{"workload": "w;n;s;r;c"}"#));
        if with_header {
            streamed = streamed.bytes(Attribute::UpstreamPeerMetadata, header("from-header", "web"));
        }
        if let Some(state) = state {
            streamed = streamed.bytes(Attribute::UpstreamPeer, state);
        }
        let settings = format!(r#", "peerMetadata": {{"trust": "{trust}"}}"#);
        rows.check(
            format!("outbound: {name}"),
            peer_labels(&labels_of(&settings, &node, &streamed), "destination"),
            expected,
        );
    }
}

#[test]
fn a_server_without_a_certificate_has_the_identity_of_the_exchange() {
    let state = pairs(&[("workload", "cart-v1"), ("namespace", "claimed"), ("identity", CART)]);
    let mut rows = Rows::default();
    for (san, principal, namespace) in [("", CART, "shop"), (FRONT, FRONT, "web")] {
        let streamed = Streamed::default()
            .int(Attribute::ListenerDirection, 2)
            .bytes(Attribute::UpstreamPeerUriSan, san)
            .bytes(Attribute::UpstreamPeer, &state);
        let labels = labels_of("", &istio(), &streamed);
        let found = ["destination_principal", "destination_workload_namespace", "destination_service_namespace"];
        rows.check(san, found.map(|label| labels[label].as_str()), [principal, namespace, namespace]);
    }
    let claimed = Streamed::default().int(Attribute::ListenerDirection, 1).bytes(Attribute::DownstreamPeer, &state);
    let labels = labels_of("", &istio(), &claimed);
    assert_eq!(labels["source_principal"], "unknown", "a client's word is not enough");
}

#[test]
fn principals_come_from_istios_filter_state_and_then_only_from_there() {
    let (own, other) = ("spiffe://td/ns/shop/sa/cart", "spiffe://td/ns/edge/sa/ztunnel");
    let cert = [other, "spiffe://td/ns/edge/sa/own"];
    let mut rows = Rows::default();
    for (name, node, state, certificate, expected) in [
        ("both in state", istio(), [FRONT, own], ["", ""], [FRONT, own, "mutual_tls", "web"]),
        ("the state goes before the certificate", istio(), [FRONT, own], cert, [FRONT, own, "mutual_tls", "web"]),
        ("the peer alone", istio(), [FRONT, ""], cert, [FRONT, "unknown", "none", "web"]),
        ("this side alone", istio(), ["", own], cert, ["unknown", own, "none", "unknown"]),
        ("neither: the certificate", istio(), ["", ""], cert, [cert[0], cert[1], "mutual_tls", "edge"]),
        ("nothing", istio(), ["", ""], ["", ""], ["unknown", "unknown", "none", "unknown"]),
        ("without Istio it is not read", node(), [FRONT, own], ["", ""], ["unknown", "unknown", "none", "unknown"]),
    ] {
        let streamed = Streamed::default()
            .int(Attribute::ListenerDirection, 1)
            .bytes(Attribute::PeerPrincipal, state[0])
            .bytes(Attribute::LocalPrincipal, state[1])
            .bytes(Attribute::PeerUriSan, certificate[0])
            .bytes(Attribute::LocalUriSan, certificate[1]);
        let labels = labels_of("", &node, &streamed);
        let found =
            ["source_principal", "destination_principal", "connection_security_policy", "source_workload_namespace"];
        rows.check(name, found.map(|label| labels[label].as_str()), expected);
    }
    // An identity in filter state vouches for a header as a certificate does.
    let streamed = Streamed::default()
        .int(Attribute::ListenerDirection, 1)
        .bytes(Attribute::PeerPrincipal, FRONT)
        .header("x-envoy-peer-metadata", header("front-v2", "web"));
    assert_eq!(labels_of("", &istio(), &streamed)["source_workload"], "front-v2");
}

#[test]
fn host_is_believed_on_outbound_listeners_only() {
    let mut gateway = node();
    gateway.id = "router~10.0.0.1~gw.shop~shop.svc".to_owned();
    let mut rows = Rows::default();
    for (settings, node, direction, expected) in [
        ("", node(), Some(2), "x.example"),
        ("", node(), Some(0), "unknown"),
        ("", node(), None, "unknown"),
        ("", node(), Some(1), "cart"),
        ("", gateway, Some(2), "unknown"),
        (r#", "hostFallback": "auto""#, node(), Some(2), "x.example"),
        (r#", "hostFallback": "off""#, node(), Some(2), "unknown"),
        (r#", "hostFallback": "off", "reporter": "source""#, node(), Some(2), "unknown"),
        (r#", "reporter": "source""#, node(), Some(2), "x.example"),
        (r#", "reporter": "source""#, node(), Some(0), "unknown"),
        (r#", "reporter": "source""#, node(), Some(1), "unknown"),
        (r#", "reporter": "destination""#, node(), Some(2), "cart"),
    ] {
        let mut streamed = Streamed::default().bytes(Attribute::RequestHost, "x.example");
        if let Some(direction) = direction {
            streamed = streamed.int(Attribute::ListenerDirection, direction);
        }
        let labels = labels_of(settings, &node, &streamed);
        let found = ["destination_service", "destination_service_name"].map(|label| labels[label].as_str());
        rows.check(format!("{settings} {} {direction:?}", node.id), found, [expected; 2]);
    }
}

/// A flood of peers that describe themselves in ever new ways, then `honest` ones of another principal. Returns how many
/// rows name an invented peer, and how many an honest one.
fn flood(state: bool, san: &str, namespace: &str, honest: usize) -> [usize; 2] {
    let mut filter = telemetry(r#", "cardinality": {"series": 400}"#, &istio());
    let mut held = Held::default();
    let mut send = |san: &str, workload: &str, namespace: &str| {
        let streamed = Streamed::default()
            .int(Attribute::ListenerDirection, 1)
            .bool(Attribute::ConnectionMtls, !san.is_empty())
            .bytes(Attribute::PeerUriSan, san)
            .bytes(Attribute::LocalUriSan, if san.is_empty() { "" } else { CART });
        let streamed = match state {
            true => {
                streamed.bytes(Attribute::DownstreamPeer, pairs(&[("workload", workload), ("namespace", namespace)]))
            }
            false => streamed.header("x-envoy-peer-metadata", header(workload, namespace)),
        };
        streamed.run(&mut filter, &mut held);
    };
    for number in 0..2000 {
        send(san, &format!("invented-{number}"), namespace);
    }
    for number in 0..honest {
        send(&format!("spiffe://td/ns/web/sa/s{number}"), &format!("honest-{number}"), "web");
    }
    assert_eq!(held.total(TOTAL), 2000 + honest as u64, "totals stay exact");
    ["invented-", "honest-"]
        .map(|name| held.series(TOTAL).iter().filter(|(labels, _)| labels["source_workload"].starts_with(name)).count())
}

#[test]
fn an_identity_vouches_for_its_own_namespace_within_bounds() {
    let mut rows = Rows::default();
    for state in [false, true] {
        // One principal describes itself in a quarter of the rows at most.
        for (name, san, namespace, invented) in [
            ("another namespace than the certificate's", FRONT, "bank", 100),
            ("a certificate without a namespace", "spiffe://td/front", "web", 100),
            ("its own namespace", FRONT, "web", 100),
        ] {
            rows.check(format!("state: {state}, {name}"), flood(state, san, namespace, 150), [invented, 150]);
        }
    }
    assert_eq!(flood(true, "", "web", 150), [200, 150], "a client without a certificate, as Istio believes it");
    assert_eq!(flood(false, "", "web", 150), [0, 150], "a client without a certificate is not believed");
}
