//! What other filters of the chain leave of the peer's description: Envoy's own filters stand for Istio's metadata exchange,
//! ahead of the telemetry filter and behind it, and strip the header of a response.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_scenario::{
    Answer, Behaviour, Bytes, Client, Cluster, Direction, Fields, Node, Proxy as Listener, Request, Surroundings, Tls,
};
use weir_test_envoy::{Booted, Plugin, Proxy, Setup, module};
use weir_testing::Rows;

const HEADER: &str = "x-envoy-peer-metadata";

/// `{WORKLOAD_NAME: from-header, NAMESPACE: web}`, as peers write it.
const FROM_HEADER: &str = "Ch4KDVdPUktMT0FEX05BTUUSDRoLZnJvbS1oZWFkZXIKEgoJTkFNRVNQQUNFEgUaA3dlYg==";

const STATE: [(&str, &str); 8] = [
    ("type", "deployment"),
    ("workload", "front-v2"),
    ("namespace", "web"),
    ("service", "front"),
    ("revision", "v2"),
    ("app", "front"),
    ("version", "v2"),
    ("cluster", "c9"),
];

/// A struct as a Wasm filter gets it.
fn pairs(fields: &[(&str, &str)]) -> Vec<u8> {
    let word = |size: usize| u32::try_from(size).unwrap().to_le_bytes();
    let mut out = word(fields.len()).to_vec();
    for (key, value) in fields {
        out.extend([word(key.len()), word(value.len())].concat());
    }
    for text in fields.iter().flat_map(|(key, value)| [key, value]) {
        out.extend_from_slice(text.as_bytes());
        out.push(0);
    }
    out
}

/// A filter that keeps a peer under `key`, as the metadata exchange does.
fn keep(key: &str) -> Value {
    json!({
        "name": "envoy.filters.http.set_filter_state",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": [{
                "object_key": key,
                "factory_key": "envoy.string",
                "format_string": {"text_format_source": {"inline_bytes": Bytes(pairs(&STATE)).base64()}},
            }],
        },
    })
}

/// A filter that removes the header of a request or a response.
fn strip(which: &str) -> Value {
    json!({
        "name": "envoy.filters.http.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {which: [{"remove": HEADER}]},
        },
    })
}

/// The labels of the one stream that is sent through `before`, the telemetry filter and `after`, and whether the client got
/// the header.
fn labels(
    (name, peer_metadata): (&str, Value),
    direction: Direction,
    istio: bool,
    before: Vec<Value>,
    after: Vec<Value>,
) -> (BTreeMap<String, String>, bool) {
    let configuration = json!({"schema": 1, "name": "mesh", "peerMetadata": peer_metadata});
    let plugin = Plugin {
        name: name.to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module(name).unwrap(),
        configuration: configuration.to_string(),
    };
    let metadata = if istio { json!({"ISTIO_VERSION": "1.30.0"}) } else { json!({}) };
    let node = Node { metadata: metadata.as_object().cloned().unwrap(), ..Node::default() };
    let header = || Fields(vec![(HEADER.into(), FROM_HEADER.into())]);
    let tls = match direction {
        Direction::Inbound => Tls::Mtls("spiffe://td/ns/shop/sa/cart".to_owned()),
        _ => Tls::None,
    };
    let client = match direction {
        Direction::Inbound => Client::Identity("spiffe://td/ns/web/sa/front".to_owned()),
        _ => Client::Plain,
    };
    let answer = Answer { headers: header(), ..Answer::default() };
    let mut world = Surroundings::default();
    for cluster in world.clusters.values_mut() {
        *cluster = Cluster { behaviour: Behaviour::Answer(answer.clone()), ..Cluster::default() };
    }
    assert!(!world.clusters.is_empty(), "the default world has a cluster");
    let proxy = Listener { node, direction, tls, ..Listener::default() };
    let setup = Setup { native_first: before, plugins: vec![plugin], native: after, proxy, world, ..Setup::default() };
    let mut proxy = match Proxy::start(setup).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}"),
    };
    let response = proxy.send(&Request { client, headers: header(), ..Request::default() }).unwrap();
    assert_eq!(response.status, Some(200));
    let seen = response.headers.values(HEADER).next().is_some();
    proxy.record().unwrap();
    let metrics = proxy.metrics().unwrap();
    let mut series = metrics.0.into_iter().filter(|sample| sample.name == "istio_requests_total");
    let labels = series.next().unwrap().labels;
    proxy.stop().unwrap();
    (labels, seen)
}

#[test]
fn the_order_of_telemetry_and_metadata_exchange_does_not_matter() {
    let mut rows = Rows::default();
    for (direction, end, key) in
        [(Direction::Inbound, "source", "downstream_peer"), (Direction::Outbound, "destination", "upstream_peer")]
    {
        let exchange = || vec![strip("request_mutations"), strip("response_mutations"), keep(key)];
        for (position, before, after) in [("ahead", exchange(), vec![]), ("behind", vec![], exchange())] {
            let (labels, _) = labels(("telemetry", json!({"trust": "mtls"})), direction, true, before, after);
            let names = ["workload", "workload_namespace", "canonical_service", "app", "version", "cluster"];
            let found =
                names.map(|label| labels.get(&format!("{end}_{label}")).map(String::as_str).unwrap_or_default());
            let expected = ["front-v2", "web", "front", "front", "v2", "c9"];
            rows.check(format!("{direction:?}, exchange {position}"), found, expected);
        }
    }
}

/// The one chain in which the header is stripped for the client and known here: its filter is ahead of the telemetry filter,
/// so it comes after it on the response's way, and the telemetry filter reads the header as the response passes.
#[test]
fn a_responses_header_can_be_read_before_it_is_stripped() {
    let strip = || vec![strip("response_mutations")];
    let mut wrong = Vec::new();
    for (module, at, expected) in [
        ("telemetry", "end", [("from-header", true), ("unknown", false), ("unknown", false)]),
        ("telemetry-response", "end", [("from-header", true), ("unknown", false), ("unknown", false)]),
        ("telemetry-response", "response", [("from-header", true), ("from-header", false), ("unknown", false)]),
        ("telemetry", "response", [("unknown", true), ("unknown", false), ("unknown", false)]),
    ] {
        let chains = [
            ("nothing strips it", vec![], vec![]),
            ("a filter ahead of telemetry strips it", strip(), vec![]),
            ("a filter behind telemetry strips it", vec![], strip()),
        ];
        for ((name, before, after), expected) in chains.into_iter().zip(expected) {
            let plugin = (module, json!({"trust": "always", "readAt": at}));
            let (labels, seen) = labels(plugin, Direction::Outbound, false, before, after);
            let workload = labels.get("destination_workload").map(String::as_str).unwrap_or_default();
            if (workload, seen) != expected {
                wrong.push(format!("{module}, read at {at}, {name}: {:?} instead of {expected:?}", (workload, seen)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_responses_header_does_not_describe_the_peer_of_an_inbound_stream() {
    let plugin = ("telemetry-response", json!({"trust": "always", "readAt": "response"}));
    let (labels, _) = labels(plugin, Direction::Inbound, false, vec![strip("request_mutations")], vec![]);
    assert_eq!(labels.get("source_workload").map(String::as_str), Some("unknown"));
}
