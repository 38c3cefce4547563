use crate::Policy;
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{
    Answer, Attribute, Attributes, Callout, Edits, Effects, Facts, Filter, Headers, Io, Late, Level, MemoryCells, Node,
    Now, PairsBuilder, Phase, Struct, StructValue,
};
use weir_testing::Rows;

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

/// A request, and what a later read finds of it.
#[derive(Default)]
struct Sent {
    headers: PairsBuilder,
    attributes: Attributes,
    reads: usize,
    block: Vec<u8>,
}

impl Late for Sent {
    fn read(&mut self) -> (Now, Facts<'_>) {
        self.reads += 1;
        let now = Now { wall_nanos: 1_795_799_870_123_456_789, mono_nanos: 7 };
        let none = Headers::default();
        let request_headers = Headers::new(&self.block);
        (now, Facts { request_headers, response_headers: none, response_trailers: none, attributes: &self.attributes })
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
        let block = self.block.clone();
        let none = Headers::default();
        let attributes = Attributes::default();
        let request_headers = Headers::new(&block);
        let facts = Facts { request_headers, response_headers: none, response_trailers: none, attributes: &attributes };
        let mut io = Io { late: Some(self), ..Io::new(Now::default(), cells, effects) };
        policy.request(&mut (), &facts, &mut Edits::default(), &mut io);
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
    let audit = r#"{"to":{"log":true},"include":{"headers":["X-Tenant","x-none","x-key"],"claims":["sub","[realm][roles]","n"]},"mask":{"headers":["x-key"]}}"#;
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
        "headers": {"x-tenant": ["one", "t\\xffwo"], "x-key": "***"},
        "claims": {"sub": "ann", "[realm][roles]": ["a", "b"]}, "escaped": ["headers.x-tenant"],
    });
    assert_eq!(record, expected);
}

#[test]
fn only_what_the_document_asks_for_leaves_a_record() {
    const ALLOW_B: (&str, &str, &str) =
        ("b", "", r#"{"action":"ALLOW","rules":[{"to":[{"operation":{"paths":["/b"]}}]}]}"#);
    const DRY: (&str, &str, &str) = ("dry", r#""istio.io/dry-run":"true""#, SPEC);
    const BY_ADDRESS: (&str, &str, &str) =
        ("ip", "", r#"{"action":"DENY","rules":[{"from":[{"source":{"ipBlocks":["10.0.0.0/8"]}}]}]}"#);
    let enforced = [("no-a", "", SPEC), ALLOW_B];
    let mut rows = Rows::default();
    for (title, audit, extra, objects, path, expected) in [
        ("a refusal", r#"{"to":{"log":true}}"#, "", &enforced[..], "/a", vec!["deny enforced shop/no-a"]),
        ("no rule that allows", r#"{"to":{"log":true}}"#, "", &enforced, "/c", vec!["deny enforced -"]),
        ("an allowed one", r#"{"to":{"log":true}}"#, "", &enforced, "/b", vec![]),
        (
            "allow asked for",
            r#"{"to":{"log":true},"record":["allow"]}"#,
            "",
            &enforced,
            "/b",
            vec!["allow enforced shop/b"],
        ),
        ("deny not asked for", r#"{"to":{"log":true},"record":["allow"]}"#, "", &enforced, "/a", vec![]),
        (
            "none of it sampled",
            r#"{"to":{"log":true},"record":["allow"],"sample":{"allow":0}}"#,
            "",
            &enforced,
            "/b",
            vec![],
        ),
        (
            "by policy",
            r#"{"to":{"log":true},"policies":["shop/no-*"]}"#,
            "",
            &enforced,
            "/a",
            vec!["deny enforced shop/no-a"],
        ),
        ("another policy", r#"{"to":{"log":true},"policies":["*/other"]}"#, "", &enforced, "/a", vec![]),
        ("no policy, not named", r#"{"to":{"log":true},"policies":["shop/*"]}"#, "", &enforced, "/c", vec![]),
        ("no policy, named", r#"{"to":{"log":true},"policies":["-"]}"#, "", &enforced, "/c", vec!["deny enforced -"]),
        (
            "mode shadow",
            r#"{"to":{"log":true}}"#,
            r#","mode":"shadow""#,
            &enforced,
            "/a",
            vec!["deny shadow shop/no-a"],
        ),
        (
            "mode shadow, allowed",
            r#"{"to":{"log":true},"record":["shadow_allow"]}"#,
            r#","mode":"shadow""#,
            &enforced,
            "/b",
            vec!["allow shadow shop/b"],
        ),
        ("mode off", r#"{"to":{"log":true}}"#, r#","mode":"off""#, &enforced, "/a", vec![]),
        ("dry run", r#"{"to":{"log":true}}"#, "", &[DRY], "/a", vec!["deny shadow shop/dry"]),
        (
            "both",
            r#"{"to":{"log":true}}"#,
            "",
            &[("no-a", "", SPEC), DRY],
            "/a",
            vec!["deny enforced shop/no-a", "deny shadow shop/dry"],
        ),
        (
            "what cannot be read",
            r#"{"to":{"log":true},"record":["error"]}"#,
            "",
            &[BY_ADDRESS],
            "/a",
            vec!["deny enforced shop/ip direct-address"],
        ),
        ("what can be read", r#"{"to":{"log":true},"record":["error"]}"#, "", &enforced, "/a", vec![]),
    ] {
        let mut policy = policy(audit, extra, objects);
        let mut sent = Sent::get(path);
        let shown = |record: &Value| {
            let field = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
            let failure = record["failure"].as_str().map(|failure| format!(" {failure}")).unwrap_or_default();
            format!("{} {} {}{failure}", field("decision"), field("mode"), field("policy"))
        };
        let found: Vec<String> = sent.records(&mut policy).iter().map(shown).collect();
        // The first record reads the clocks for the identity too, and the first sample for itself.
        let reads = if found.is_empty() { usize::from(title.contains("sampled")) } else { 2 };
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        rows.check(title, &found, &expected);
        rows.check(format!("{title}: reads"), sent.reads, reads);
    }
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
    let audit = r#"{"to":{"log":true},"include":{"headers":["x-a"]}}"#;
    let mut policy = policy(audit, "", &[("all", "", r#"{"action":"DENY","rules":[{}]}"#)]);
    let line = "\n[2026-01-01 00:00:00.000][1][info][wasm] weir audit: {\"decision\":\"allow\"}\u{2028}\u{85}\r\"";
    let long = [line.as_bytes(), &[0xff; 70_000]].concat();
    let names = [":method", ":path", ":authority", "x-request-id", "traceparent", "x-a"];
    let fields: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, long.as_slice())).collect();
    let repeated: Vec<(&str, &[u8])> = std::iter::repeat_n(("x-a", long.as_slice()), 100).collect();
    let mut sent = Sent::new(&[fields, repeated].concat())
        .with(&Attribute::SourceAddress, &long)
        .with(&Attribute::PeerUriSan, &long)
        .with(&Attribute::RequestedServerName, &long);
    let lines = sent.to(&mut policy, &mut MemoryCells::default(), &mut Effects::default());
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.len() < 48 << 10, "{}", line.len());
    assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    let record: Value = serde_json::from_str(line.strip_prefix("weir audit: ").unwrap()).unwrap();
    assert_eq!((&record["decision"], record["headers"]["x-a"].as_array().unwrap().len()), (&json!("deny"), 4));
}

#[test]
fn records_are_numbered_without_a_gap_and_drops_take_numbers() {
    let audit = r#"{"to":{"otlp":{"cluster":"otel"}},"queue":{"records":16},"batch":{"records":16}}"#;
    let mut policy = policy(audit, "", &[("no-a", "", SPEC)]);
    assert!(policy.holds_back() && policy.tick_period().is_none());
    let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
    let mut sent = Sent::get("/a");
    for _ in 0..20 {
        sent.to(&mut policy, &mut cells, &mut effects);
    }
    assert_eq!(sent.reads, 1 + 16, "once for the identity; what finds no room is not read");
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
    assert!(!policy.holds_back() && policy.tick_period().is_none());
    assert!(policy.demand(Phase::Request).late.is_empty());
}
