//! The same for connections that are not HTTP: Weir in mode shadow, and behind it the network filters that istiod would
//! build (`BuildTCP`), which enforce. The access log of the TCP proxy has both decisions.
//!
//! `WEIR_RBAC_CONNECTIONS=N` makes about N connections instead of a thousand.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Map, Value, json};
use weir_scenario::{
    Addresses, Client, FilterStateValue, Node, Protocol, Proxy as Listener, Record, Request, TcpServer, Tls,
};
use weir_test_envoy::{Booted, Discovery, Plugin, Proxy, Setup, module};

use crate::compare::Tally;
use crate::istio::{self, Bundle, Options};
use crate::random::Random;
use crate::world::Kind;
use crate::{in_pairs, policies, requests, world};

const CONNECTIONS: usize = 1_000;
const EACH: usize = 50;
/// Filter state of the peer's name, where the listener has it.
const PEER: &str = "spiffe://td/ns/n1/sa/a";
const PORT: u16 = 6379;

const HTTP_ONLY: &str = "fields of requests";
const IDENTITIES: &str = "identities";
const SERVER_NAMES: &str = "server names";
const PLAIN: &str = "plain text";

#[test]
fn weir_and_rbac_decide_connections_alike() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<usize>().unwrap());
    let connections = number("WEIR_RBAC_CONNECTIONS").unwrap_or(CONNECTIONS);
    let seed = number("WEIR_RBAC_SEED").unwrap_or(0);
    let (tally, skipped) = in_pairs(connections.div_ceil(EACH), |number| Ok(random_set(seed + number)));
    assert!(skipped.is_empty());
    eprintln!("{tally}");
    assert_eq!(tally.differences(), 0, "{tally}");
    for kind in ["allow", "deny", "deny -"] {
        assert!(tally.decisions.get(kind).copied().unwrap_or(0) * 100 >= tally.requests(), "{kind}: {tally}");
    }
    assert!(tally.rates.iter().all(|sets| *sets > 0), "{tally}");
    for what in [HTTP_ONLY, IDENTITIES, SERVER_NAMES, PLAIN] {
        assert!(tally.tried.get(what).copied().unwrap_or(0) * 100 >= tally.requests(), "{what}: {tally}");
    }
}

/// Random policies, and connections to a proxy that has them twice.
fn random_set(seed: usize) -> Tally {
    let mut random = Random::new(seed as u64 + 7_000);
    let filter_state = seed % 4 == 3;
    let domains = world::bundle(&mut random);
    let mut policies = policies::policies(&mut random, Kind::Sidecar, PORT);
    // Most fields are of requests: in most rules they would leave no other to decide.
    let mut has_http_only = false;
    for rule in policies.iter_mut().filter_map(|policy| policy["spec"]["rules"].as_array_mut()).flatten() {
        if random.chance(25) {
            has_http_only |= rule.to_string().contains("ethods") || rule.to_string().contains("request.");
        } else {
            without_http_only(rule);
        }
    }
    let name = format!("connections {seed}, trust domains {}", domains.join(" "));
    let mut proxy = start(&domains, &policies, filter_state);
    let all: Vec<Request> = (0..EACH).map(|_| connection(&mut random)).collect();
    let mut tally = Tally::default();
    let mut tried: BTreeMap<String, usize> = BTreeMap::new();
    let mut refused = 0;
    for (request, (response, record)) in all.iter().zip(proxy.connect_all(&all).unwrap()) {
        for (does, what) in [
            (has_http_only, HTTP_ONLY),
            (request.client != Client::Plain, IDENTITIES),
            (!request.sni.is_empty(), SERVER_NAMES),
            (request.client == Client::Plain, PLAIN),
        ] {
            *tried.entry(what.to_owned()).or_default() += usize::from(does);
        }
        let (kind, expected) = decided(&record);
        *tally.decisions.entry(kind).or_insert(0) += 1;
        refused += usize::from(kind != "allow");
        let mut weir = String::from_utf8_lossy(&record.policy.0).into_owned();
        // What AUDIT policies match is behind the decision.
        weir.truncate(weir.find(" audit ").unwrap_or(weir.len()));
        let same = match &expected {
            Some(expected) => weir == *expected,
            None => !weir.contains("deny"),
        };
        // What RBAC lets pass comes back, and nothing else does.
        if !same || response.broken == expected.is_none() {
            tally.differences += 1;
            let line = format!("{} {:?} {:?}", request.line(), request.sni, request.addresses);
            tally
                .shown
                .push(format!("{name}: {line}: RBAC {expected:?}, Weir `{weir}`, {response:?}\n  {}", json!(policies)));
        }
    }
    tally.rates[if refused == 0 { 0 } else { 1 + usize::from(refused == EACH) }] = 1;
    tally.tried = tried;
    tally.shown.truncate(2);
    assert_eq!(proxy.vm_failures().unwrap(), 0, "{name}: {}", json!(policies));
    proxy.stop().unwrap();
    tally
}

/// How RBAC decided, and what Weir says if it decided so too; nothing in particular where RBAC let the connection pass.
fn decided(record: &Record) -> (&'static str, Option<String>) {
    let details = String::from_utf8_lossy(&record.details.0).into_owned();
    let rbac = details.strip_prefix("rbac_access_denied_matched_policy[").and_then(|rest| rest.strip_suffix(']'));
    match rbac {
        None => ("allow", None),
        Some("none") => ("deny -", Some("shadow deny -".to_owned())),
        Some(id) => ("deny", Some(format!("shadow deny {}", istio::name(id).unwrap()))),
    }
}

/// Takes what is of requests out of a rule; one of which nothing is left is one for a port.
fn without_http_only(rule: &mut Value) {
    let names = ["requestPrincipals", "hosts", "methods", "paths"];
    let is_http_only = |name: &str| {
        names.contains(&name)
            || name.strip_prefix("not").is_some_and(|name| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
    };
    let Some(fields) = rule.as_object_mut().filter(|fields| !fields.is_empty()) else { return };
    for (part, inner) in [("from", "source"), ("to", "operation")] {
        let Some(items) = fields.get_mut(part).and_then(Value::as_array_mut) else { continue };
        for item in items.iter_mut() {
            let clauses = item[inner].as_object_mut().unwrap();
            clauses.retain(|name, _| !is_http_only(name));
        }
        items.retain(|item| item[inner].as_object().is_some_and(|clauses| !clauses.is_empty()));
        if items.is_empty() {
            fields.remove(part);
        }
    }
    if let Some(conditions) = fields.get_mut("when").and_then(Value::as_array_mut) {
        conditions.retain(|condition| !condition["key"].as_str().unwrap().starts_with("request."));
        if conditions.is_empty() {
            fields.remove("when");
        }
    }
    if fields.is_empty() {
        *fields = Map::from_iter([("to".to_owned(), json!([{"operation": {"ports": [PORT.to_string()]}}]))]);
    }
}

/// A connection.
fn connection(random: &mut Random) -> Request {
    let port = [PORT, PORT, 80, 9_999][random.below(4)];
    let sources = ["10.1.2.3", "10.1.9.9", "10.200.0.1", "192.168.0.9", "172.16.0.1", "fd00::1", "fe00::1"];
    let source: std::net::IpAddr = random.pick(&sources).parse().unwrap();
    let own = ["10.1.2.3", "127.0.0.1", "192.168.7.7"];
    let destination = if source.is_ipv4() { random.pick(&own) } else { "fd00::2" }.parse().unwrap();
    let addresses =
        Addresses { source: SocketAddr::new(source, 40_000), destination: SocketAddr::new(destination, port) };
    let client = if random.chance(75) { requests::certificate(random) } else { Client::Plain };
    let sni = if client == Client::Plain { "" } else { random.pick(&["", "other", "a.example", "puppy"]) };
    Request {
        protocol: Protocol::Tcp,
        raw: "hello".into(),
        addresses: Some(addresses).filter(|_| random.chance(85)),
        sni: sni.to_owned(),
        client,
        ..Request::default()
    }
}

fn start(domains: &[String], policies: &[Value], filter_state: bool) -> Box<Proxy> {
    let workload = world::workload(Kind::Sidecar, domains);
    let document = json!({"schema": 1, "name": "rbac", "mode": "shadow", "workload": workload, "policies": policies});
    let plugin = Plugin {
        name: "policy".to_owned(),
        root_id: "weir.tcp".to_owned(),
        vm_configuration: String::new(),
        module: module("policy").unwrap(),
        configuration: document.to_string(),
    };
    let peer = ("io.istio.peer_principal".to_owned(), PEER.to_owned());
    let proxy = Listener {
        node: Node::default(),
        tls: Tls::Permissive("spiffe://td/ns/ns/sa/rbac".to_owned()),
        proxy_protocol: true,
        filter_state: [
            ("direct".to_owned(), FilterStateValue::DirectAddress),
            ("sans".to_owned(), FilterStateValue::PeerUriSans),
        ]
        .into(),
        connection_filter_state: filter_state.then_some(peer).into_iter().collect(),
        tcp: Some(TcpServer::Echo),
        ..Listener::default()
    };
    let options = Options { bundle: Bundle(domains.to_vec()), filter_state, tcp: true };
    let native_network = istio::filters(policies, &options);
    let setup = Setup { network: vec![plugin], native_network, proxy, discovery: Discovery::None, ..Setup::default() };
    match Proxy::start(setup).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}\n{}", json!(policies)),
    }
}
