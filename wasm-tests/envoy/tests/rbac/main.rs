//! The policy filter decides as Envoy's own RBAC does with what Istio makes of the same policies: random policies and
//! requests, some of which no well-behaved client sends. Weir decides in mode shadow, and RBAC behind it enforces, so
//! that every request shows both decisions.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../../../../filters/policy/tests/generator/mod.rs"]
mod generator;
mod translate;

use std::collections::BTreeMap;
use std::sync::Mutex;

use generator::Random;
use serde_json::{Value, json};
use weir_scenario::{Client, Fields, Node, Protocol, Proxy as Listener, Request, Tls, Told};
use weir_test_envoy::{Booted, Plugin, Proxy, Setup, module};

const POLICY_SETS: u64 = 16;
const REQUESTS: usize = 60;

#[test]
fn weir_and_rbac_decide_alike() {
    let met = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let met = &met;
            scope.spawn(move || (worker..POLICY_SETS).step_by(2).for_each(|seed| compare(seed, met)));
        }
    });
    let met = met.into_inner().unwrap();
    // Each kind of decision was met often enough to mean something.
    for kind in ["allow", "deny", "deny -"] {
        assert!(met.get(kind).copied().unwrap_or(0) >= 30, "{met:?}");
    }
}

/// Random policies, and many requests to a proxy that has them twice.
fn compare(seed: u64, met: &Mutex<BTreeMap<&'static str, usize>>) {
    let mut random = Random::new(seed + 1);
    let policies = generator::policies(&mut random);
    let mut proxy = start(&policies);
    for number in 0..REQUESTS {
        let request = request(&mut random);
        let response = proxy.send(&request).unwrap();
        let record = proxy.record().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (details, weir) = (text(&record.details.0), text(&record.policy.0));
        let at = || format!("set {seed}, request {number}: {}\n{}", request.line(), json!(policies));
        if details.starts_with("http1.") || details == "path_normalization_failed" || details.is_empty() {
            assert_eq!(weir, "-", "no filter has seen it: {details}, {}", at());
            continue;
        }
        let rbac = details.strip_prefix("rbac_access_denied_matched_policy[").and_then(|rest| rest.strip_suffix(']'));
        assert_eq!(response.status == Some(403), rbac.is_some(), "{details}, {}", at());
        let (kind, expected) = match rbac {
            None => ("allow", None),
            Some("none") => ("deny -", Some("shadow deny -".to_owned())),
            Some(id) => ("deny", Some(format!("shadow deny {}", translate::name(id)))),
        };
        match expected {
            Some(expected) => assert_eq!(weir, expected, "{details}, {}", at()),
            None => assert!(!weir.contains("deny"), "{weir}, {details}, {}", at()),
        }
        *met.lock().unwrap().entry(kind).or_insert(0) += 1;
    }
    assert_eq!(proxy.vm_failures().unwrap(), 0);
    proxy.stop().unwrap();
}

fn start(policies: &[Value]) -> Box<Proxy> {
    let configuration = json!({
        "schema": 1,
        "name": "rbac",
        "mode": "shadow",
        "workload": {
            "namespace": "ns",
            "labels": {},
            "directAddress": {"filterState": "direct"},
            "peerUriSans": {"filterState": "sans"},
        },
        "policies": policies,
    });
    let plugin = Plugin {
        name: "policy".to_owned(),
        root_id: String::new(),
        module: module("policy").unwrap(),
        configuration: configuration.to_string(),
    };
    let proxy = Listener {
        node: Node::default(),
        use_remote_address: true,
        xff_trusted_hops: 1,
        tls: Tls::Permissive("spiffe://td/ns/ns/sa/rbac".to_owned()),
        filter_state: [("direct", Told::DirectAddress), ("sans", Told::PeerUriSans)]
            .map(|(key, told)| (key.to_owned(), told))
            .into(),
        ..Listener::default()
    };
    let native = translate::filters(policies);
    match Proxy::start(Setup { plugins: vec![plugin], native, proxy, ..Setup::default() }).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}\n{}", json!(policies)),
    }
}

const METHODS: &[&str] = &["GET", "POST", "PUT", "get", "OPTIONS", "FOO"];
const PATHS: &[&str] = &[
    "/",
    "/a",
    "/a/b",
    "/a/b/c",
    "/a/",
    "//",
    "/a//c",
    "/a?q",
    "/a/b?x=/c",
    "/a?",
    "/x/b",
    "/a/*",
    "/xzy",
    "/%61",
    "/a%2fb",
    "/a/../b",
    "/a/./b",
    "/A",
    "/a;b",
    "/a/b/c/",
    "/a\\b",
    "/b?a#b",
    "http://h/a",
    "http://H.example:80/a/b?q",
];
const HOSTS: &[&str] = &["h", "H", "h.example", "H.EXAMPLE", "h:80", "example", "", "[::1]:80", "."];
const VALUES: &[&str] = &["1", "12", " 1 ", "2", "", "x y", "1,2", "2,1", "X"];
const FORWARDED: &[&str] =
    &["", "", "10.1.2.3", "10.9.9.9, 1.1.1.1", "fd00::1", "192.168.0.9", "nobody", "1.1.1.1,10.1.2.3"];
const PEERS: &[&[&str]] = &[
    &["spiffe://td/ns/n1/sa/a"],
    &["spiffe://td2/ns/n2/sa/b"],
    &["spiffe://cluster.local/ns/n1/sa/a"],
    &["spiffe://td/ns/n1/sa/b", "spiffe://td/ns/n1/sa/a"],
    &["spiffe://other/ns/n2/sa/c", "spiffe://td2/ns/n2/sa/b"],
];

fn request(random: &mut Random) -> Request {
    let mut headers = Vec::new();
    for name in ["x", "X", "y-y"] {
        if random.chance(50) {
            headers.push((name.into(), random.pick(VALUES).into()));
        }
    }
    let client = match random.chance(60) {
        true => Client::Identities(PEERS[random.below(PEERS.len())].iter().map(|&uri| uri.to_owned()).collect()),
        false => Client::Plain,
    };
    Request {
        protocol: Protocol::H1,
        method: random.pick(METHODS).to_owned(),
        path: random.pick(PATHS).into(),
        authority: random.pick(HOSTS).into(),
        headers: Fields(headers),
        xff: random.pick(FORWARDED).to_owned(),
        client,
        ..Request::default()
    }
}
