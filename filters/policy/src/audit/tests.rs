mod connections;
mod outcomes;
mod provider;
mod shadow;

use crate::{Policy, Stream};
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{
    Answer, Attribute, Attributes, Callout, Edits, Effects, Facts, Filter, Headers, Io, Late, Level, MemoryCells, Node,
    Now, PairsBuilder, Phase, Struct, StructValue,
};
use weir_testing::Rows;

/// Refuses `/a`.
const SPEC: &str = r#"{"action":"DENY","rules":[{"to":[{"operation":{"paths":["/a"]}}]}]}"#;

fn text(value: &str) -> StructValue {
    StructValue::Text(value.to_owned())
}

fn node() -> Node {
    let metadata = [("NAMESPACE".to_owned(), text("shop")), ("WORKLOAD_NAME".to_owned(), text("cart"))];
    Node { id: "sidecar~1".to_owned(), metadata: metadata.into(), ..Node::default() }
}

/// A filter with that section `audit` and these policies: name, annotations, spec.
fn policy(audit: &str, extra: &str, objects: &[(&str, &str, &str)]) -> Policy {
    let objects: Vec<String> = objects
        .iter()
        .map(|(name, annotations, spec)| {
            format!(
                r#"{{"kind":"AuthorizationPolicy","metadata":{{"name":"{name}","namespace":"shop","annotations":{{{annotations}}}}},"spec":{spec}}}"#
            )
        })
        .collect();
    let document = format!(r#"{{"schema":1,"name":"t"{extra},"audit":{audit},"policies":[{}]}}"#, objects.join(","));
    Policy::compile(document.as_bytes(), &node()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn facts<'f>(request_headers: Headers<'f>, attributes: &'f Attributes) -> Facts<'f> {
    let none = Headers::default();
    Facts { request_headers, response_headers: none, response_trailers: none, attributes }
}

/// What a record is about in one line: the decision, what it is for, the policy and why, and a failure.
fn shown(record: &Value) -> String {
    let field = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
    let more = |name: &str| record.get(name).map(|value| format!(" {name}={value}")).unwrap_or_default();
    format!(
        "{} {} {} {}{}{}{}",
        field("decision"),
        field("mode"),
        field("reason"),
        field("policy"),
        more("failure"),
        more("alone"),
        more("response_code")
    )
}

/// A request, and what a later read finds of it.
#[derive(Default)]
struct Sent {
    headers: PairsBuilder,
    attributes: Attributes,
    reads: usize,
    block: Vec<u8>,
}

impl Late for Sent {
    fn now(&self) -> Now {
        Now { wall_nanos: 1_795_799_870_123_456_789, mono_nanos: 7 }
    }

    fn read(&mut self, headers: bool) -> Facts<'_> {
        self.reads += 1;
        assert!(!headers, "they were there already");
        facts(Headers::default(), &self.attributes)
    }
}

impl Sent {
    fn new(headers: &[(&str, &[u8])]) -> Self {
        let mut sent = Self::default();
        for (name, value) in headers {
            sent.headers.push(name.as_bytes(), value);
        }
        sent.block = sent.headers.finish();
        sent
    }

    fn get(path: &str) -> Self {
        Self::new(&[(":method", b"GET"), (":path", path.as_bytes()), (":authority", b"shop.example")])
    }

    fn with(mut self, attribute: &Attribute, value: &[u8]) -> Self {
        self.attributes.set(attribute, value);
        self
    }

    /// Has the filter decide. Returns what it logs.
    fn to(&mut self, policy: &mut Policy, cells: &mut MemoryCells, effects: &mut Effects) -> Vec<String> {
        let (block, attributes) = (self.block.clone(), Attributes::default());
        let facts = facts(Headers::new(&block), &attributes);
        let mut io = Io { late: Some(self), ..Io::new(Now::default(), cells, effects) };
        policy.request(&mut Stream::default(), &facts, &mut Edits::default(), &mut io);
        let logs = std::mem::take(&mut effects.logs);
        logs.into_iter().filter(|(level, _)| *level == Level::Info).map(|(_, line)| line).collect()
    }

    /// The records that it leaves in the log.
    fn records(&mut self, policy: &mut Policy) -> Vec<Value> {
        let lines = self.to(policy, &mut MemoryCells::default(), &mut Effects::default());
        let record = |line: &String| serde_json::from_str(line.strip_prefix("weir audit: ").unwrap()).unwrap();
        lines.iter().map(record).collect()
    }
}

#[test]
fn a_record_says_what_was_decided_and_about_what() {
    let audit = r#"{"to":{"log":true},"include":{"headers":["X-Tenant","x-none","x-key"],"claims":["sub","[realm][roles]","n","none"]},"mask":{"headers":["x-key"]}}"#;
    let mut policy = policy(audit, r#","workload":{"directAddress":{"filterState":"d"}}"#, &[("no-a", "", SPEC)]);
    let realm = StructValue::Map([("roles".to_owned(), StructValue::List(vec![text("a"), text("b")]))].into());
    let claims: Struct = [
        ("iss".to_owned(), text("https://issuer")),
        ("sub".to_owned(), text("ann")),
        ("realm".to_owned(), realm),
        ("n".to_owned(), StructValue::Number(1.0)),
    ]
    .into();
    let jwt: Struct = [("payload".to_owned(), StructValue::Map(claims))].into();
    let mut sent = Sent::new(&[
        (":method", b"GET"),
        (":path", b"/a?token=secret"),
        (":authority", b"Shop.example:80"),
        ("x-request-id", b"r-1"),
        ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-tenant", b"one"),
        ("x-tenant", b"t\xffwo"),
        ("x-key", b"secret"),
        ("x-other", b"secret"),
    ])
    .with(&Attribute::SourceAddress, b"10.0.0.1:5000")
    .with(&Attribute::DestinationAddress, b"10.0.0.2:80")
    .with(&Attribute::PeerUriSan, b"spiffe://cluster.local/ns/shop/sa/web")
    .with(&Attribute::RequestedServerName, b"sni.example")
    .with(&Attribute::FilterState("d".into()), b"10.9.9.9:1")
    .with(&Attribute::DynamicMetadata, &weir_proto::encode_metadata([("envoy.filters.http.jwt_authn", &jwt)]));
    sent.attributes.set_bool(&Attribute::ConnectionMtls, true);
    let mut record = sent.records(&mut policy).remove(0);
    let fields = record.as_object_mut().unwrap();
    let id = fields.remove("id").unwrap();
    let config = fields.remove("config").unwrap();
    assert!(id.as_str().unwrap().ends_with("-1-1") && config.as_str().unwrap().len() == 16, "{id} {config}");
    let expected = json!({
        "schema": 1, "sequence": 1, "time": "2026-11-27T17:17:50.123456Z", "proxy": "sidecar~1", "plugin": "t",
        "release": env!("CARGO_PKG_VERSION"), "workload": "shop/cart", "decision": "deny", "mode": "enforced",
        "reason": "matched", "policy": "shop/no-a", "rule": 0, "response_code": 403, "source": "10.0.0.1:5000",
        "direct": "10.9.9.9:1", "destination": "10.0.0.2:80", "principal": "spiffe://cluster.local/ns/shop/sa/web",
        "sni": "sni.example", "mtls": true, "jwt": true, "request_principal": "https://issuer/ann", "method": "GET",
        "host": "Shop.example:80", "path": "/a", "request_id": "r-1", "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "headers": {"x-tenant": ["one", "t\\xffwo"], "x-none": null, "x-key": "***"},
        "claims": {"sub": "ann", "[realm][roles]": ["a", "b"], "none": null}, "escaped": ["headers.x-tenant"],
    });
    assert_eq!(record, expected);
}

#[test]
fn who_the_peer_is_is_told_as_policies_see_it() {
    let san = |value: &[u8]| (Attribute::PeerUriSan, value.to_vec());
    let state = |value: &[u8]| (Attribute::PeerPrincipal, value.to_vec());
    let all = |value: &[u8]| (Attribute::FilterState("s".into()), value.to_vec());
    let mut rows = Rows::default();
    for (title, attributes, unreadable, expected) in [
        ("nothing", vec![], None, json!({})),
        ("a certificate", vec![san(b"spiffe://a"), all(b"spiffe://a")], None, json!({"principal": "spiffe://a"})),
        (
            "with two names",
            vec![san(b"spiffe://a"), all(b"spiffe://a,spiffe://b")],
            None,
            json!({"principal": "spiffe://a", "uri_sans": "spiffe://a,spiffe://b"}),
        ),
        (
            "whose names are not there",
            vec![san(b"spiffe://a")],
            None,
            json!({"principal": "spiffe://a", "unreadable": "principal"}),
        ),
        (
            "whose names cannot be read",
            vec![san(b"spiffe://a")],
            Some(Attribute::FilterState("s".into())),
            json!({"principal": "spiffe://a", "unreadable": "principal"}),
        ),
        (
            "a tunnel",
            vec![san(b"spiffe://a"), all(b"spiffe://a"), state(b"spiffe://c")],
            None,
            json!({"principal": "spiffe://c"}),
        ),
        ("a tunnel without a name", vec![san(b"spiffe://a"), all(b"spiffe://a"), state(b"")], None, json!({})),
        (
            "a server name that cannot be read",
            vec![],
            Some(Attribute::RequestedServerName),
            json!({"unreadable": "sni"}),
        ),
    ] {
        let mut policy = policy(
            r#"{"to":{"log":true}}"#,
            r#","workload":{"peerUriSans":{"filterState":"s"}}"#,
            &[("no-a", "", SPEC)],
        );
        let mut sent = Sent::get("/a");
        for (attribute, value) in &attributes {
            sent.attributes.set(attribute, value);
        }
        unreadable.iter().for_each(|attribute| sent.attributes.set_unreadable(attribute));
        let record = sent.records(&mut policy).remove(0);
        let found = ["principal", "uri_sans", "unreadable"].map(|name| (name.to_owned(), record[name].clone()));
        let found = found.into_iter().filter(|(_, value)| !value.is_null()).collect();
        rows.check(title, Value::Object(found), expected);
    }
}

#[test]
fn a_request_principal_can_be_taken_apart() {
    let mut rows = Rows::default();
    for (issuer, subject, more, expected) in [
        ("https://i/j", "s", "", (json!("https://i/j/s"), Value::Null)),
        ("https://i", "j/s", "", (json!("https://i/j/s"), json!("j/s"))),
        ("i", "", "", (json!("i/"), Value::Null)),
        (
            "https://i",
            "j/s",
            r#","include":{"claims":["[sub]"]},"mask":{"claims":["[sub]"]}"#,
            (json!("https://i/***"), Value::Null),
        ),
    ] {
        let claims: Struct = [("iss".to_owned(), text(issuer)), ("sub".to_owned(), text(subject))].into();
        let jwt: Struct = [("payload".to_owned(), StructValue::Map(claims))].into();
        let metadata = weir_proto::encode_metadata([("envoy.filters.http.jwt_authn", &jwt)]);
        let mut sent = Sent::get("/a").with(&Attribute::DynamicMetadata, &metadata);
        let audit = format!(r#"{{"to":{{"log":true}}{more}}}"#);
        let record = sent.records(&mut policy(&audit, "", &[("no-a", "", SPEC)])).remove(0);
        rows.check(
            format!("{issuer} {subject}"),
            (record["request_principal"].clone(), record["request_subject"].clone()),
            expected,
        );
    }
    // Metadata that cannot be read may have a JWT.
    let mut sent = Sent::get("/a");
    sent.attributes.set_unreadable(&Attribute::DynamicMetadata);
    let record = sent.records(&mut policy(r#"{"to":{"log":true}}"#, "", &[("no-a", "", SPEC)])).remove(0);
    assert_eq!(record["jwt"], Value::Null);
}

#[test]
fn what_is_read_already_is_not_asked_for_again() {
    let by_ip = r#"{"action":"DENY","rules":[{"from":[{"source":{"remoteIpBlocks":["10.0.0.0/8"]}}]}]}"#;
    let with = policy(r#"{"to":{"log":true}}"#, "", &[("ip", "", by_ip)]);
    let demand = with.demand(Phase::Request);
    assert!(demand.attributes.contains(&Attribute::SourceAddress) && !demand.late.contains(&Attribute::SourceAddress));
    assert!(demand.late.contains(&Attribute::PeerUriSan));
    let off = policy(r#"{"to":{"log":true}}"#, r#","mode":"off""#, &[("ip", "", by_ip)]);
    assert!(off.demand(Phase::Request).late.is_empty());
}

#[test]
fn no_line_can_be_forged_and_no_record_is_large() {
    let included: Vec<String> = (0..16).map(|number| format!("\"x-{number}\"")).collect();
    let audit = format!(r#"{{"to":{{"log":true}},"include":{{"headers":[{}],"claims":["sub"]}}}}"#, included.join(","));
    let all = r#"{"action":"DENY","rules":[{"to":[{"operation":{"methods":["*"]}}]}]}"#;
    let mut policy = policy(&audit, r#","workload":{"peerUriSans":{"filterState":"s"}}"#, &[("all", "", all)]);
    let line = "\n[2026-01-01 00:00:00.000][1][info][wasm] weir audit: {\"decision\":\"allow\"}\u{2028}\u{85}\r\"";
    let long = [line.as_bytes(), &[0xff; 70_000]].concat();
    let names = [":method", ":path", ":authority", "x-request-id", "traceparent"];
    let fields: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, long.as_slice())).collect();
    let names: Vec<String> = (0..16).map(|number| format!("x-{number}")).collect();
    let repeated: Vec<(&str, &[u8])> =
        names.iter().flat_map(|name| std::iter::repeat_n((name.as_str(), long.as_slice()), 5)).collect();
    let mut sent = Sent::new(&[fields, repeated].concat())
        .with(&Attribute::SourceAddress, &long)
        .with(&Attribute::PeerUriSan, &long)
        .with(&Attribute::FilterState("s".into()), &[&long, &long[..]].concat())
        .with(&Attribute::RequestedServerName, &long);
    let lines = sent.to(&mut policy, &mut MemoryCells::default(), &mut Effects::default());
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.len() < (32 + 16 * 5) << 10, "{}", line.len());
    assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    let record: Value = serde_json::from_str(line.strip_prefix("weir audit: ").unwrap()).unwrap();
    let (first, truncated) = (&record["headers"]["x-0"], record["truncated"].as_array().unwrap());
    assert_eq!((&record["decision"], first.as_array().unwrap().len()), (&json!("deny"), 4));
    for field in ["source", "principal", "uri_sans", "sni", "method", "host", "path", "request_id", "headers.x-15"] {
        assert!(truncated.contains(&json!(field)), "{field}: {truncated:?}");
    }
}

#[test]
fn records_are_numbered_without_a_gap_and_drops_take_numbers() {
    let audit = r#"{"to":{"otlp":{"cluster":"otel"}},"queue":{"records":16},"batch":{"records":16}}"#;
    let mut policy = policy(audit, "", &[("no-a", "", SPEC)]);
    assert!(policy.tick_period().is_none());
    let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
    let mut sent = Sent::get("/a");
    for _ in 0..20 {
        sent.to(&mut policy, &mut cells, &mut effects);
    }
    assert_eq!(sent.reads, 16, "what finds no room is not read");
    let [(id, Callout::Grpc(call))] = effects.calls.as_slice() else { panic!("{:?}", effects.calls) };
    let message = String::from_utf8_lossy(&call.message).into_owned();
    let sequences = |message: &str| message.matches("\"sequence\":").count();
    assert_eq!((call.target.cluster.as_str(), sequences(&message)), ("otel", 16));
    assert!(message.contains("-1-1\"") && message.contains("-1-16\"") && !message.contains("-1-17\""));
    let id = *id;
    effects.calls.clear();
    policy.called(id, Answer::Grpc { message: b"" }, &mut Io::new(Now::default(), &mut cells, &mut effects));
    sent.to(&mut policy, &mut cells, &mut effects);
    assert!(effects.calls.is_empty() && policy.tick_period().is_some());
    policy.finish(&mut Io::new(Now::default(), &mut cells, &mut effects));
    let [(_, Callout::Grpc(call))] = effects.calls.as_slice() else { panic!("{:?}", effects.calls) };
    assert!(String::from_utf8_lossy(&call.message).contains("\"sequence\":21,"), "four were dropped");
}

#[test]
fn without_a_section_nothing_changes() {
    let document = format!(
        r#"{{"schema":1,"name":"t","policies":[{{"kind":"AuthorizationPolicy","metadata":{{"name":"a","namespace":"shop"}},"spec":{SPEC}}}]}}"#
    );
    let policy = Policy::compile(document.as_bytes(), &node()).unwrap();
    assert!(policy.tick_period().is_none());
    assert!(policy.demand(Phase::Request).late.is_empty());
}
