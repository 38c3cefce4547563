//! One stream whose header blocks, attribute list and attribute values are any bytes.
//!
//! Checked: the filters neither panic nor leave what Envoy would trip over ([`crate::life`]); a block of headers reads
//! the same after it was written again; Base64 and SPIFFE IDs are read as their definitions say.

use crate::life::Life;
use crate::source::Source;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::fmt::Debug;
use std::sync::LazyLock;
use weir_model::{
    Attribute, Attributes, Cells as _, Expect, Facts, Filter, Headers, MemoryCells, Node, Now, PairsBuilder, Phase,
};
use weir_model::{Struct, StructValue};
use weir_policy::Policy;
use weir_rate_limit::RateLimit;
use weir_suite::Suite;
use weir_telemetry::{Peer, Telemetry};

/// Documents that read as much of a stream as one document can.
const POLICY: &str = include_str!("../documents/policy.json");
const RATE_LIMIT: &str = include_str!("../documents/rate-limit.json");
const TELEMETRY: &str = include_str!("../documents/telemetry.json");

/// Lets a filter see one stream of the bytes.
pub fn run(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let node = node(source.byte());
    match source.below(4) {
        0 => serve::<Policy>(POLICY, &node, source),
        1 => serve::<RateLimit>(RATE_LIMIT, &node, source),
        2 => serve::<Telemetry>(TELEMETRY, &node, source),
        _ => serve::<Suite>(&SUITE, &node, source),
    }
}

static SUITE: LazyLock<String> = LazyLock::new(|| {
    let section = |text: &str| {
        let mut document: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).expect("a document");
        document.retain(|key, _| key != "schema" && key != "name");
        document
    };
    let sections = [section(POLICY), section(RATE_LIMIT), section(TELEMETRY)];
    let [policy, rate_limit, telemetry] = sections;
    let suite = serde_json::json!(
        {"schema": 1, "name": "cart", "policy": policy, "rateLimit": rate_limit, "telemetry": telemetry});
    suite.to_string()
});

fn node(byte: u8) -> Node {
    let id = match byte % 4 {
        0 => "",
        1 => "sidecar~10.0.0.1~cart.shop~shop.svc.cluster.local",
        2 => "router~10.0.0.1~edge.shop~shop.svc.cluster.local",
        _ => "waypoint~10.0.0.1~waypoint.shop~shop.svc.cluster.local",
    };
    let mut metadata = Struct::default();
    if byte & 4 != 0 {
        metadata.0.push(("ISTIO_VERSION".to_owned(), StructValue::Text("1.31.0".to_owned())));
    }
    Node { id: id.to_owned(), cluster: "cart.shop".to_owned(), metadata, ..Node::default() }
}

/// Names that some filter reads.
const NAMES: [&[u8]; 14] = [
    b":method",
    b":path",
    b":authority",
    b":scheme",
    b"host",
    b"x-user",
    b"x-org",
    b"user-agent",
    b"content-type",
    b"x-envoy-peer-metadata",
    b"x-envoy-peer-metadata-id",
    b":status",
    b"grpc-status",
    b"x-forwarded-for",
];

fn serve<F: Filter + Debug>(document: &str, node: &Node, mut source: Source<'_>) {
    let filter = F::compile(document.as_bytes(), node).unwrap_or_else(|problems| panic!("{problems}"));
    let (mut life, mut cells) = (Life::new(filter), MemoryCells::default());
    // Without a seed of its own a run could not be repeated.
    cells.store("w1/cart/seed", &[7; 16], Expect::Absent).expect("memory");
    let mut mono_nanos = 1_000_000_000_000;
    for _ in 0..4 {
        let mut stream = F::Stream::default();
        let phases = source.byte();
        for (bit, phase) in Phase::ALL.into_iter().enumerate() {
            // Every later call may come without the earlier ones.
            if phases & (1 << bit) != 0 || phase == Phase::EndUnseen && phases & 7 != 0 {
                continue;
            }
            mono_nanos += u64::from(source.byte()) * 100_000_000;
            let now = Now { wall_nanos: 1_767_225_600_000_000_000 + mono_nanos, mono_nanos };
            let blocks = [block(&mut source), block(&mut source), block(&mut source)];
            blocks.iter().for_each(|block| again(block));
            let [request, response, trailers] = blocks.each_ref().map(|block| Headers::new(block));
            let demand = life.filter.demand(phase).clone();
            let mut attributes = Attributes::default();
            if source.byte() & 1 == 0 {
                let with_body = source.byte() & 1 == 0;
                let list = block(&mut source).into();
                let _ = weir_shell::fuzzing::attributes(&demand, with_body, list, &mut attributes);
            }
            let more = [&demand.of_connection, &demand.inbound, &demand.outbound, &demand.with_body];
            for attribute in demand.attributes.iter().chain(more.into_iter().flat_map(|set| set.iter())) {
                value(attribute, &mut source, &mut attributes);
            }
            let facts = Facts {
                request_headers: request,
                response_headers: response,
                response_trailers: trailers,
                attributes: &attributes,
            };
            match phase {
                Phase::Request => {
                    life.request(&mut stream, &facts, &mut cells, now);
                }
                Phase::Response => life.response(&mut stream, &facts, &mut cells, now),
                Phase::End | Phase::EndUnseen => life.end(&mut stream, phase, &facts, &mut cells, now),
            }
            life.tick(&mut cells, now);
        }
        if source.is_empty() {
            break;
        }
    }
    life.finish(&mut cells);
}

/// A header block: well-formed, or any bytes.
fn block(source: &mut Source<'_>) -> Vec<u8> {
    let kind = source.byte();
    if kind == 255 {
        return source.block().to_vec();
    }
    let mut pairs = PairsBuilder::default();
    for _ in 0..kind % 12 {
        let name = source.byte();
        let name = match NAMES.get(usize::from(name)) {
            Some(known) => known,
            None => source.bytes(20),
        };
        let (name, value) = (name.to_vec(), text(source));
        pairs.push(&name, &value);
    }
    pairs.finish()
}

/// A value: bytes, or a serialised message or map in the encoding that some reader wants.
fn text(source: &mut Source<'_>) -> Vec<u8> {
    match source.byte() {
        200..=219 => base64::engine::general_purpose::STANDARD.encode(source.block()).into_bytes(),
        220..=229 => [b"spiffe://".as_slice(), source.bytes(100)].concat(),
        230 => source.bytes(20).repeat(500),
        _ => source.bytes(120).to_vec(),
    }
}

fn value(attribute: &Attribute, source: &mut Source<'_>, out: &mut Attributes) {
    match source.byte() % 8 {
        0 => {}
        1 => out.set_unreadable(attribute),
        2 => out.set_int(attribute, i64::from_le_bytes(source.word().to_le_bytes())),
        3 => out.set_int(attribute, i64::from(source.byte())),
        4 => out.set_bool(attribute, source.byte() & 1 == 0),
        5 => {
            let nested = block(source);
            out.set(attribute, &nested);
        }
        6 => {
            let text = text(source);
            base64_agrees(&text);
            spiffe_agrees(text.strip_prefix(b"spiffe://").unwrap_or(&text));
            out.set(attribute, &text);
        }
        _ => out.set(attribute, source.block()),
    }
}

/// What was read reads the same after it was written again.
fn again(block: &[u8]) {
    let headers = Headers::new(block);
    let mut pairs = PairsBuilder::default();
    let mut read = 0;
    for (name, value) in headers.iter() {
        pairs.push(name, value);
        read += 1;
    }
    assert!(read <= headers.len());
    let written = pairs.finish();
    let written = Headers::new(&written);
    assert_eq!(written.len(), read);
    assert!(written.iter().eq(headers.iter()));
    for (name, _) in headers.iter().take(3) {
        assert_eq!(headers.first(name), headers.all(name).next());
    }
}

fn base64_agrees(text: &[u8]) {
    let padding =
        if text.ends_with(b"=") { DecodePaddingMode::RequireCanonical } else { DecodePaddingMode::RequireNone };
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(padding);
    let expected = GeneralPurpose::new(&STANDARD, config).decode(text).ok();
    assert_eq!(weir_telemetry::decode_base64(text), expected, "{}", text.escape_ascii());
    let _ = Peer::from_header(text);
}

/// Istio: `spiffe://.+/ns/NS/(.+/)?sa/SA(/.+)?`.
fn spiffe_agrees(id: &[u8]) {
    let found: Vec<_> = weir_matching::service_accounts(id).collect();
    let mut names: Vec<&[u8]> = id.split(|byte| *byte == b'/').collect();
    names.sort_unstable();
    names.dedup();
    // Every pair would be quadratic in what a client sends, in regular expressions.
    if names.len() > 8 {
        return;
    }
    for namespace in &names {
        for account in names.iter().filter(|account| !account.is_empty()) {
            let [ns, sa] =
                [namespace, account].map(|name| name.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>());
            let pattern = format!("(?s-u)^.+/ns/{ns}/(.+/)?sa/{sa}(/.+)?$");
            let pattern = regex::bytes::Regex::new(&pattern).expect("a pattern");
            // `$` is the end of the text only.
            assert_eq!(
                found.contains(&(*namespace, *account)),
                pattern.is_match(id),
                "{} in {}",
                account.escape_ascii(),
                id.escape_ascii()
            );
        }
    }
    if let Some(domain) = weir_matching::trust_domain(id) {
        assert!(id.starts_with(domain) && id.get(domain.len()) == Some(&b'/') && !domain.contains(&b'/'));
    }
}
