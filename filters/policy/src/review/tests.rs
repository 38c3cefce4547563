//! What is said to be tried on every request is a candidate, by the index, of requests that have nothing in common.

use super::review;
use crate::config::Reading;
use crate::{Policy, Protocol};
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_matching::Candidates;
use weir_model::{Attributes, Facts, Filter, Headers, Node, PairsBuilder};
use weir_testing::Rows;

fn document(rules: &[Value]) -> Vec<u8> {
    let policy = json!({
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"rules": rules},
    });
    let workload = json!({"namespace": "shop", "labels": {}, "proxy": "gateway"});
    json!({"schema": 1, "name": "t", "workload": workload, "policies": [policy]}).to_string().into_bytes()
}

/// Whether the first rule is a candidate of both of two requests that differ in all that both have.
fn is_candidate(document: &[u8]) -> bool {
    let mut policy = Policy::compile(document, &Node::default()).unwrap();
    let attributes = Attributes::default();
    let none = Headers::default();
    [("GET", "/one", "a.example"), ("PUT", "/two/x", "b.test")].iter().all(|(method, path, host)| {
        let mut pairs = PairsBuilder::default();
        for (name, value) in [(":method", method), (":path", path), (":authority", host)] {
            pairs.push(name.as_bytes(), value.as_bytes());
        }
        let bytes = pairs.finish();
        let facts = Facts {
            request_headers: Headers::new(&bytes),
            response_headers: none,
            response_trailers: none,
            attributes: &attributes,
        };
        let (compiled, scratch, ..) = policy.parts();
        let mut candidates = Candidates::default();
        candidates.start(&compiled.index);
        let (hits, _) = scratch.read(compiled, &facts);
        hits.members().iter().for_each(|hit| candidates.hit(&compiled.index, *hit));
        candidates.next(&compiled.index, 0) == Some(0)
    })
}

#[test]
fn rules_that_no_value_leads_to_are_tried_on_every_request() {
    let to = |operations: Value| json!({"to": operations});
    let one = |operation: Value| json!({"to": [{"operation": operation}]});
    let from = |source: Value| json!({"from": [{"source": source}]});
    let mut rows = Rows::default();
    for (name, rule, expected) in [
        ("nothing asked", json!({}), true),
        ("a path", one(json!({"paths": ["/one"]})), false),
        ("a negation", one(json!({"notPaths": ["/none"]})), true),
        ("a path and a negation", one(json!({"paths": ["/one"], "notMethods": ["POST"]})), false),
        ("any path", one(json!({"paths": ["*"]})), true),
        ("any path of several", one(json!({"paths": ["/one", "*"]})), true),
        ("all below the root", one(json!({"paths": ["/*"]})), true),
        ("all below a folder", one(json!({"paths": ["/two/*"]})), false),
        ("any method and a path", one(json!({"methods": ["*"], "paths": ["/one"]})), false),
        ("any host", one(json!({"hosts": ["*"]})), true),
        ("any authority", json!({"when": [{"key": "request.headers[Host]", "values": ["*"]}]}), true),
        ("a header", json!({"when": [{"key": "request.headers[x]", "values": ["*"]}]}), false),
        ("no header", json!({"when": [{"key": "request.headers[x]", "notValues": ["*"]}]}), true),
        ("who has a certificate", from(json!({"principals": ["*"]})), false),
        ("any namespace", from(json!({"namespaces": ["*"]})), false),
        ("who has none", from(json!({"notPrincipals": ["*"]})), true),
        ("an address", from(json!({"remoteIpBlocks": ["10.0.0.0/8"]})), false),
        ("an expression", json!({"when": [{"key": "cel", "values": ["request.path == '/one'"]}]}), true),
        (
            "an operation of two that asks nothing positive",
            to(json!([{"operation": {"paths": ["/one"]}}, {"operation": {"notMethods": ["POST"]}}])),
            true,
        ),
        (
            "another part leads to it",
            json!({"to": [{"operation": {"notPaths": ["/none"]}}], "from": [{"source": {"namespaces": ["web"]}}]}),
            false,
        ),
    ] {
        let document = document(&[rule]);
        let found = review(Protocol::Http, &document, &Node::default(), Reading::Workload).unwrap();
        let expected_names = if expected { vec!["shop/p[0]".to_owned()] } else { Vec::new() };
        rows.check(name, (found.rules, found.always_tried), (1, expected_names));
        rows.check(format!("{name}: the index"), is_candidate(&document), expected);
    }
}

#[test]
fn rules_that_cannot_match_are_not_counted() {
    let path = json!({"to": [{"operation": {"paths": ["/one"]}}]});
    let document = document(&[path, json!({})]);
    let of = |protocol| review(protocol, &document, &Node::default(), Reading::All).unwrap();
    assert_eq!((of(Protocol::Http).rules, of(Protocol::Tcp).rules), (2, 1), "a connection has no path");
    assert_eq!(of(Protocol::Tcp).always_tried, ["shop/p[1]"]);
}
