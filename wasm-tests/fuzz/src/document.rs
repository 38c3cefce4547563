//! The plugin configuration: any bytes, through every filter's `compile`.
//!
//! Checked: compiling the same twice gives the same; a refusal has problems, each with a place; what the suite takes as
//! a section is what the filter takes as a document; an accepted document then serves a stream.

use crate::life::Life;
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use weir_model::{Attribute, Attributes, Facts, Filter, Headers, MemoryCells, Node, Now, PairsBuilder, Phase};
use weir_model::{Struct, StructValue};
use weir_policy::Policy;
use weir_rate_limit::RateLimit;
use weir_suite::Suite;
use weir_telemetry::Telemetry;

/// Compiles `bytes` with every filter.
pub fn run(bytes: &[u8]) {
    let node = node(bytes.len());
    let standalone =
        [compile::<Policy>(bytes, &node), compile::<RateLimit>(bytes, &node), compile::<Telemetry>(bytes, &node)];
    compile::<Suite>(bytes, &node);
    let Ok(Value::Object(object)) = serde_json::from_slice(bytes) else { return };
    // A repeated key is refused, and the parsed object has it once.
    let plain = Value::Object(object.clone()).to_string();
    for (section, accepted) in ["policy", "rateLimit", "telemetry"].into_iter().zip(standalone) {
        let again = match section {
            _ if accepted => true,
            "policy" => Policy::compile(plain.as_bytes(), &node).is_ok(),
            "rateLimit" => RateLimit::compile(plain.as_bytes(), &node).is_ok(),
            _ => Telemetry::compile(plain.as_bytes(), &node).is_ok(),
        };
        let whole = whole(section, object.clone());
        let suite = Suite::compile(whole.to_string().as_bytes(), &node);
        assert_eq!(suite.is_ok(), again, "{section} alone and in the suite: {:?}", suite.err());
    }
}

/// The suite's document with a filter's own as a section.
fn whole(section: &str, mut document: Map<String, Value>) -> Value {
    let mut whole = Map::new();
    for header in ["schema", "name"] {
        if let Some(value) = document.remove(header) {
            whole.insert(header.to_owned(), value);
        }
    }
    whole.insert(section.to_owned(), Value::Object(document));
    Value::Object(whole)
}

/// Proxies of which documents mean different things.
fn node(number: usize) -> Node {
    let text = |text: &str| StructValue::Text(text.to_owned());
    let labels = Struct::from([("app".to_owned(), text("cart"))]);
    let metadata = Struct::from([
        ("NAMESPACE".to_owned(), text("shop")),
        ("WORKLOAD_NAME".to_owned(), text("cart")),
        ("LABELS".to_owned(), StructValue::Map(labels)),
    ]);
    let id = |id: &str| id.to_owned();
    match number % 4 {
        0 => Node::default(),
        1 => Node { metadata, ..Node::default() },
        2 => Node { id: id("sidecar~10.0.0.1~cart.shop~shop.svc.cluster.local"), metadata, ..Node::default() },
        _ => Node { id: id("waypoint~10.0.0.1~cart.shop~shop.svc.cluster.local"), metadata, ..Node::default() },
    }
}

/// Compiles twice, and lets the compiled filter serve a stream. Returns whether the document was accepted.
fn compile<F: Filter + Debug>(bytes: &[u8], node: &Node) -> bool {
    let again = F::compile(bytes, node);
    match F::compile(bytes, node) {
        Err(problems) => {
            assert!(!problems.0.is_empty(), "refused without a problem");
            for problem in &problems.0 {
                assert!(problem.path.starts_with('$'), "{problem}");
                assert!(!problem.message.is_empty() && !problem.message.ends_with('.'), "{problem}");
            }
            assert_eq!(Some(problems), again.err());
            false
        }
        Ok(filter) => {
            let again = again.unwrap_or_else(|problems| panic!("accepted, then refused: {problems}"));
            assert_eq!(filter.warnings(), again.warnings());
            for phase in Phase::ALL {
                assert_eq!(filter.demand(phase), again.demand(phase));
            }
            for warning in filter.warnings() {
                assert!(warning.path.starts_with('$') && !warning.message.is_empty(), "{warning}");
            }
            serve(filter);
            true
        }
    }
}

/// One stream of an ordinary request, twice.
fn serve<F: Filter>(filter: F) {
    let mut attributes = Attributes::default();
    for (attribute, value) in [
        (Attribute::SourceAddress, b"10.1.2.3:4000".as_slice()),
        (Attribute::DestinationAddress, b"10.0.0.1:8080"),
        (Attribute::PeerUriSan, b"spiffe://cluster.local/ns/shop/sa/cart"),
        (Attribute::PeerPrincipal, b"spiffe://cluster.local/ns/shop/sa/cart"),
        (Attribute::RequestProtocol, b"HTTP/2"),
        (Attribute::RequestHost, b"cart.shop:8080"),
        (Attribute::ClusterName, b"inbound|8080||"),
    ] {
        attributes.set(&attribute, value);
    }
    for (attribute, value) in [(Attribute::ListenerDirection, 1), (Attribute::ResponseCode, 200)] {
        attributes.set_int(&attribute, value);
    }
    attributes.set_bool(&Attribute::ConnectionMtls, true);
    let mut headers = PairsBuilder::default();
    for (name, value) in [
        (b":method".as_slice(), b"GET".as_slice()),
        (b":path", b"/items/1;v=2?user=ann&user=bob#top"),
        (b":authority", b"Cart.shop:8080"),
        (b"x-user", b"ann"),
        (b"x-user", b"bob"),
        (b"content-type", b"application/grpc"),
    ] {
        headers.push(name, value);
    }
    let headers = headers.finish();
    let (request_headers, none) = (Headers::new(&headers), Headers::default());
    let facts = Facts { request_headers, response_headers: none, response_trailers: none, attributes: &attributes };
    let (mut life, mut cells) = (Life::new(filter), MemoryCells::default());
    for second in [1_767_225_600, 1_767_225_601] {
        let now = Now { wall_nanos: second * 1_000_000_000, mono_nanos: second * 1_000_000_000 };
        let mut stream = F::Stream::default();
        life.request(&mut stream, &facts, &mut cells, now);
        life.response(&mut stream, &facts, &mut cells, now);
        life.end(&mut stream, Phase::End, &facts, &mut cells, now);
        life.tick(&mut cells, now);
    }
    life.finish(&mut cells);
}

/// A document with one change of its tree; `None` if it is not JSON.
pub fn mutated(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(bytes).ok()?;
    let mut numbers = Numbers(seed);
    let count = count(&document);
    let chosen = numbers.below(count);
    let donor = nth(&document, &mut { numbers.below(count) }).cloned().unwrap_or_default();
    let at = nth_mut(&mut document, &mut { chosen })?;
    match (numbers.below(8), at) {
        (0, at) => *at = donor,
        (1, Value::Array(items)) => items.push(donor),
        (1, at) => *at = json!([at.clone()]),
        (2, Value::Array(items)) if !items.is_empty() => {
            let gone = numbers.below(items.len());
            items.remove(gone);
        }
        (2, Value::Object(fields)) if !fields.is_empty() => {
            let gone = fields.keys().nth(numbers.below(fields.len())).cloned()?;
            fields.remove(&gone);
        }
        (3, Value::Object(fields)) if !fields.is_empty() => {
            let from = fields.keys().nth(numbers.below(fields.len())).cloned()?;
            let value = fields.remove(&from)?;
            fields.insert(word(&donor).unwrap_or_else(|| format!("{from}s")), value);
        }
        (4, Value::Array(items)) if !items.is_empty() => {
            let copied = items.get(numbers.below(items.len())).cloned()?;
            items.extend(std::iter::repeat_n(copied, 1 + numbers.below(40)));
        }
        (5, Value::String(text)) => {
            let (insert, position) = (PARTS[numbers.below(PARTS.len())], numbers.below(text.len() + 1));
            let position = (0..=position).rev().find(|position| text.is_char_boundary(*position))?;
            text.insert_str(position, insert);
        }
        (5 | 6, Value::Number(number)) => *number = numbers.number(),
        (6, Value::Bool(bool)) => *bool = !*bool,
        (_, at) => *at = numbers.scalar(),
    }
    serde_json::to_vec(&document).ok()
}

/// The first document with a part of the second; `None` if either is not JSON.
pub fn crossed(one: &[u8], other: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(one).ok()?;
    let donor: Value = serde_json::from_slice(other).ok()?;
    let mut numbers = Numbers(seed);
    let part = nth(&donor, &mut { numbers.below(count(&donor)) })?.clone();
    let mut chosen = numbers.below(count(&document));
    let at = nth_mut(&mut document, &mut chosen)?;
    match (at, part) {
        (Value::Array(items), part) if numbers.below(2) == 0 => items.push(part),
        (Value::Object(fields), Value::Object(more)) if numbers.below(2) == 0 => fields.extend(more),
        (at, part) => *at = part,
    }
    serde_json::to_vec(&document).ok()
}

/// What gives a value another meaning somewhere.
const PARTS: [&str; 24] = [
    "*",
    "{*}",
    "{**}",
    "{name}",
    "/",
    "//",
    ":",
    ":80",
    ".",
    ";a=b",
    "?",
    "#",
    "%",
    "%2F",
    "/32",
    "::1",
    "[",
    "]",
    "\0",
    "\u{e9}",
    "spiffe://",
    "/ns/",
    "/sa/",
    "request.headers[",
];

struct Numbers(u32);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        usize::try_from(self.0 >> 8).unwrap_or(0) % bound.max(1)
    }

    fn number(&mut self) -> serde_json::Number {
        let whole = [0, 1, 2, 7, 8, 31, 32, 33, 63, 64, 128, 129, 200, 399, 600, 65_535, 65_536, 1_000_000_000];
        match self.below(5) {
            0 => u64::MAX.into(),
            1 => (u64::from(u32::MAX) + u64::try_from(self.below(2)).unwrap_or(0)).into(),
            2 => (-1).into(),
            3 => serde_json::Number::from_f64(1e300).unwrap_or_else(|| 0.into()),
            _ => whole[self.below(whole.len())].into(),
        }
    }

    fn scalar(&mut self) -> Value {
        match self.below(6) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => Value::Number(self.number()),
            3 => json!([]),
            4 => json!({}),
            _ => json!(PARTS[self.below(PARTS.len())]),
        }
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) => fields.keys().next().cloned(),
        _ => None,
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0usize,
    }
}

fn nth<'v>(value: &'v Value, left: &mut usize) -> Option<&'v Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter().find_map(|item| nth(item, left)),
        Value::Object(fields) => fields.values().find_map(|field| nth(field, left)),
        _ => None,
    }
}

fn nth_mut<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth_mut(item, left)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth_mut(field, left)),
        _ => None,
    }
}
