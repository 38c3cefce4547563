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

/// The patterns that are hit, and the dimensions that are unknown.
fn read_with(document: &[u8], metadata: &[u8]) -> (Vec<u32>, Vec<u32>) {
    let mut policy = Policy::compile(document, &Node::default()).unwrap();
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::DynamicMetadata, metadata);
    let none = Headers::default();
    let facts =
        Facts { request_headers: none, response_headers: none, response_trailers: none, attributes: &attributes };
    let (compiled, ..) = policy.parts();
    let mut request = Request::default();
    request.start(compiled);
    request.read(compiled, &facts, ());
    let sorted = |members: &[u32]| {
        let mut members = members.to_vec();
        members.sort_unstable();
        members
    };
    (sorted(request.hits.members()), sorted(request.unknown.members()))
}

/// How many patterns are hit, and how many dimensions are unknown.
fn read(groups: &[&str]) -> (usize, usize) {
    let list = StructValue::List(groups.iter().map(|text| StructValue::Text((*text).to_owned())).collect());
    let map = |key: &str, value: &StructValue| Struct::from([(key.to_owned(), value.clone())]);
    let claims = map(JWT_PAYLOAD, &StructValue::Map(map("groups", &list)));
    let filters = [(JWT_FILTER, &claims), ("envoy.filters.x", &map("k", &list))];
    let (hits, unknown) = read_with(DOCUMENT, &weir_proto::encode_metadata(filters));
    (hits.len(), unknown.len())
}

/// The bytes of a field of a message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// An entry of a map, in metadata or a struct.
fn entry(name: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, name.as_bytes()), field(2, value)].concat())
}

fn text(text: &str) -> Vec<u8> {
    field(3, text.as_bytes())
}

fn object(fields: &[Vec<u8>]) -> Vec<u8> {
    field(5, &fields.concat())
}

/// Which values are hit, and which are unknown, of these: the claims `groups` and `[org][unit]`, and `k` of the filter `x`.
fn found(metadata: &[u8]) -> (Vec<&'static str>, Vec<&'static str>) {
    let when = |key: &str, value: &str| format!(r#"{{"when": [{{"key": "{key}", "values": ["{value}"]}}]}}"#);
    let rules = [
        when("request.auth.claims[groups]", "a"),
        when("request.auth.claims[org][unit]", "a"),
        when("experimental.envoy.filters.x[k]", "a"),
    ];
    let document = format!(
        r#"{{"schema": 1, "name": "t", "workload": {{"namespace": "n", "labels": {{}}}}, "policies": [
            {{"kind": "AuthorizationPolicy", "metadata": {{"name": "p", "namespace": "n"}}, "spec": {{"rules": [{}]}}}}]}}"#,
        rules.join(",")
    );
    let (hits, unknown) = read_with(document.as_bytes(), metadata);
    // One pattern a value, in this order.
    let names = |numbers: Vec<u32>| numbers.iter().map(|number| ["groups", "unit", "k"][*number as usize]).collect();
    (names(hits), names(unknown))
}

#[test]
fn what_is_damaged_is_unknown_and_no_more_than_that() {
    let damage = vec![0x0f];
    let org = |more: &[u8]| entry("org", &[object(&[entry("unit", &text("a"))]), more.to_vec()].concat());
    let groups = || entry("groups", &text("a"));
    let jwt = |claims: &[Vec<u8>], more: &[u8]| {
        let payload = entry("payload", &object(claims));
        entry("envoy.filters.http.jwt_authn", &[payload, more.to_vec()].concat())
    };
    let x = || entry("envoy.filters.x", &entry("k", &text("a")));
    let all = ["groups", "unit", "k"];
    let mut rows = Rows::default();
    for (name, metadata, hit, unknown) in [
        ("whole", vec![jwt(&[groups(), org(&[])], &[]), x()], &all[..], &[][..]),
        ("nothing", vec![], &[], &[]),
        ("no map", vec![jwt(&[groups(), entry("org", &text("a"))], &[])], &["groups"], &[]),
        ("a value", vec![jwt(&[entry("groups", &damage), org(&[])], &[]), x()], &["unit", "k"], &["groups"]),
        ("inside of a claim", vec![jwt(&[groups(), org(&damage)], &[]), x()], &["groups", "k"], &["unit"]),
        ("behind the claims", vec![jwt(&[groups(), org(&[]), damage.clone()], &[]), x()], &["k"], &["groups", "unit"]),
        ("a filter", vec![x(), jwt(&[groups(), org(&[])], &damage)], &["k"], &["groups", "unit"]),
        ("behind all", vec![jwt(&[groups(), org(&[])], &[]), x(), damage.clone()], &[], &all),
        ("a claim twice", vec![jwt(&[groups(), groups(), org(&[])], &[]), x()], &["k"], &["groups", "unit"]),
        (
            "another claim twice",
            vec![jwt(&[groups(), entry("b", &text("a")), entry("b", &text("a"))], &[])],
            &["groups"],
            &[],
        ),
        ("a filter twice", vec![x(), x(), jwt(&[groups()], &[])], &[], &all),
    ] {
        rows.check(name, found(&metadata.concat()), (hit.to_vec(), unknown.to_vec()));
    }
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
