//! Claims of JWTs and other filters' metadata: the words of policies, and random values that they meet often.

use serde_json::{Map, Value, json};
use weir_scenario::Bytes;

use crate::random::Random;

pub(crate) const PRINCIPALS: &[&str] = &[
    "*",
    "i/a",
    "i/b",
    "i/*",
    "i/a*",
    "i*",
    "*/a",
    "*/",
    "*a",
    "*i/a",
    "*example/b",
    "https://i.example/a",
    "https://i.example/*",
    "https://*",
    "i/x/a",
    "i/",
    "i",
    "/a",
    "/*",
    "/",
    "*/*",
    "**",
    "a*/a",
    "*.example/a*",
    "é/a",
];
pub(crate) const CLAIMS: &[&str] = &["a", "a*", "*b", "*", "b", "a b", "1", "true", "[a]", "a,b", "é", "*é", "A", "**"];
pub(crate) const METADATA: &[&str] =
    &["a", "a*", "*b", "*", "[a]", "[b*]", "[*b]", "[*]", "[]", "[[a]]", "a]", "[a", "1", "é", "[é]"];
/// Conditions on metadata; those of claims more often.
pub(crate) const WHEN: &[(&str, &[&str])] = &[
    ("request.auth.principal", PRINCIPALS),
    ("request.auth.audiences", CLAIMS),
    ("request.auth.presenter", CLAIMS),
    ("request.auth.claims[sub]", CLAIMS),
    ("request.auth.claims[group]", CLAIMS),
    ("request.auth.claims[group]", CLAIMS),
    ("request.auth.claims[scope]", CLAIMS),
    ("request.auth.claims[group][role]", CLAIMS),
    ("request.auth.claims[group][role][deep]", CLAIMS),
    ("request.auth.claims[group.role]", CLAIMS),
    ("request.auth.claims[[group]]", CLAIMS),
    ("experimental.envoy.filters.http.x[k]", METADATA),
    ("experimental.envoy.filters.http.x[k]", METADATA),
    ("experimental.envoy.filters.http.x[k][l]", METADATA),
    ("experimental.envoy.filters.http.jwt_authn[payload]", METADATA),
];

/// The request header that becomes the metadata `envoy.filters.http.x`: a protobuf value in Base64.
pub(crate) const HEADER: &str = "x-metadata";
/// The filter and its keys.
const FILTER: &str = "envoy.filters.http.x";
const KEYS: [&str; 2] = ["k", "k][l"];

const ISSUERS: &[&str] = &["i", "i", "i", "https://i.example", "i/x", "", "*", "a", "x.example", "é"];
const SUBJECTS: &[&str] = &["a", "a", "b", "ab", "", "*", "a/a", "x/b"];
const TEXTS: &[&str] = &["a", "a", "b", "ab", "", "*", "a b", "[a]", "[\"a\"]", "a,b", "1", "A", "é", "aé"];

/// The claims of a JWT that Envoy's filter takes: its registered claims have the types of RFC 7519.
pub(crate) fn claims(random: &mut Random) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    if random.chance(85) {
        set("iss", random.pick(ISSUERS).into());
    }
    if random.chance(85) {
        set("sub", random.pick(SUBJECTS).into());
    }
    if random.chance(30) {
        let one = random.chance(50);
        set("aud", if one { random.pick(TEXTS).into() } else { texts(random).into() });
    }
    for name in ["azp", "scope", "group.role", "[group]"] {
        if random.chance(30) {
            set(name, value(random, 1));
        }
    }
    if random.chance(70) {
        set("group", value(random, 0));
    }
    claims
}

fn texts(random: &mut Random) -> Vec<Value> {
    (0..random.below(3)).map(|_| random.pick(TEXTS).into()).collect()
}

/// Text and lists most often.
fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth < 3 { 12 } else { 9 }) {
        0..=4 => random.pick(TEXTS).into(),
        5 | 6 => texts(random).into(),
        7 => json!([1, null, random.pick(TEXTS), [random.pick(TEXTS)], {"role": random.pick(TEXTS)}]),
        8 => [json!(1), json!(true), json!(null), json!(-0.5), json!({})][random.below(5)].clone(),
        _ => {
            let fields = [("role", value(random, depth + 1)), ("deep", value(random, depth + 1))];
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
        }
    }
}

/// The header of a random value of the other filter.
pub(crate) fn header(random: &mut Random) -> (Bytes, Bytes) {
    let value = encoded(&value(random, 1));
    (HEADER.into(), Bytes(value).base64().as_str().into())
}

/// The filter that makes metadata of the header.
pub(crate) fn other_filter() -> Value {
    let rules = KEYS.map(|key| {
        let to = json!({"metadata_namespace": FILTER, "key": key, "type": "PROTOBUF_VALUE", "encode": "BASE64"});
        json!({"header": HEADER, "on_header_present": to})
    });
    json!({
        "name": "envoy.filters.http.header_to_metadata",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_to_metadata.v3.Config",
            "request_rules": rules,
        },
    })
}

/// A serialised `google.protobuf.Value`.
pub(crate) fn encoded(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => vec![0x08, 0],
        Value::Number(number) => [&[0x11][..], &number.as_f64().unwrap().to_le_bytes()].concat(),
        Value::String(text) => field(0x1a, text.as_bytes()),
        Value::Bool(bool) => vec![0x20, u8::from(*bool)],
        Value::Object(fields) => {
            let entry = |(name, value): (&String, &Value)| {
                field(0x0a, &[field(0x0a, name.as_bytes()), field(0x12, &encoded(value))].concat())
            };
            field(0x2a, &fields.iter().flat_map(entry).collect::<Vec<u8>>())
        }
        Value::Array(items) => {
            field(0x32, &items.iter().flat_map(|item| field(0x0a, &encoded(item))).collect::<Vec<u8>>())
        }
    }
}

/// A field with a length, which a random value never needs more than two bytes for.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let (low, high) = ((bytes.len() & 0x7f) as u8, (bytes.len() >> 7) as u8);
    [&[tag, low | 0x80, high], bytes].concat()
}
