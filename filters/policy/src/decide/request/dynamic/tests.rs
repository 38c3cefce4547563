use super::*;
use crate::Policy;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Attributes, Filter, Headers, Node, Struct, StructValue};
use weir_testing::Rows;

const DOCUMENT: &[u8] = br#"{"schema": 1, "name": "t", "workload": {"namespace": "n", "labels": {}}, "policies": [
    {"kind": "AuthorizationPolicy", "metadata": {"name": "p", "namespace": "n"}, "spec": {"rules": [{"when": [
        {"key": "request.auth.claims[groups]", "values": ["a"]},
        {"key": "experimental.envoy.filters.x[k]", "values": ["[a]"]}]}]}}]}"#;

/// How many patterns are hit, and how many dimensions are unknown.
fn read(groups: &[&str]) -> (usize, usize) {
    let mut policy = Policy::compile(DOCUMENT, &Node::default()).unwrap();
    let list = StructValue::List(groups.iter().map(|text| StructValue::Text((*text).to_owned())).collect());
    let map = |key: &str, value: &StructValue| Struct::from([(key.to_owned(), value.clone())]);
    let claims = map(JWT_PAYLOAD, &StructValue::Map(map("groups", &list)));
    let filters = [(JWT_FILTER, &claims), ("envoy.filters.x", &map("k", &list))];
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::DynamicMetadata, &weir_proto::encode_metadata(filters));
    let none = Headers::default();
    let facts =
        Facts { request_headers: none, response_headers: none, response_trailers: none, attributes: &attributes };
    let (compiled, ..) = policy.parts();
    let mut request = Request::default();
    request.start(compiled);
    request.read(compiled, &facts, ());
    (request.hits.members().len(), request.unknown.members().len())
}

#[test]
fn of_a_list_that_cannot_be_compared_no_item_is_looked_up() {
    let mut rows = Rows::default();
    for (groups, expected) in [
        (&["b", "a"] as &[&str], (2, 0)),
        (&["b"], (0, 0)),
        (&["a", "b\nc"], (0, 2)),
        (&["b\nc", "a"], (0, 2)),
        (&["a\n"], (0, 2)),
    ] {
        rows.check(format!("{groups:?}"), read(groups), expected);
    }
}
