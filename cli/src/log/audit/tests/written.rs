//! Records as the filter writes them: what is read is what it decided on.

use super::*;
use crate::log::Record;
use weir_model::{
    Attribute, Attributes, Edits, Effects, Facts, Filter as _, Headers, Io, MemoryCells, Node, Now, PairsBuilder,
    Struct, TcpFilter as _, Verdict,
};
use weir_policy::{Explainer, Policy, Protocol, TcpPolicy};

/// A request: its headers, what Envoy says of the stream, the claims of its JWT as JSON, and what cannot be read.
struct Sent {
    title: &'static str,
    headers: &'static [(&'static str, &'static [u8])],
    attributes: Vec<(Attribute, &'static [u8])>,
    mtls: bool,
    claims: Option<&'static str>,
    unreadable: Option<Attribute>,
}

const AUDIT: &str = r#""audit":{"record":["deny","allow"],"to":{"log":true},
    "include":{"headers":["x-a","X-B"],"claims":["groups","[realm][roles]","n"]}},
    "workload":{"namespace":"shop","labels":{},"directAddress":{"filterState":"d"},"peerUriSans":{"filterState":"s"}}"#;

/// One rule each, on every kind of field.
const RULES: [&str; 25] = [
    r#"{"to":[{"operation":{"methods":["GET"]}}]}"#,
    r#"{"to":[{"operation":{"paths":["/a/*"]}}]}"#,
    r#"{"to":[{"operation":{"paths":["/a/{*}/c"]}}]}"#,
    r#"{"to":[{"operation":{"notPaths":["*/\u00e9"]}}]}"#,
    r#"{"to":[{"operation":{"hosts":["shop.example"]}}]}"#,
    r#"{"to":[{"operation":{"ports":["443"]}}]}"#,
    r#"{"from":[{"source":{"principals":["td/ns/a/sa/b"]}}]}"#,
    r#"{"from":[{"source":{"principals":["td/ns/a/sa/second"]}}]}"#,
    r#"{"from":[{"source":{"notPrincipals":["*"]}}]}"#,
    r#"{"from":[{"source":{"namespaces":["a"]}}]}"#,
    r#"{"from":[{"source":{"serviceAccounts":["a/b"]}}]}"#,
    r#"{"from":[{"source":{"ipBlocks":["10.9.0.0/16"]}}]}"#,
    r#"{"from":[{"source":{"remoteIpBlocks":["10.0.0.0/8"]}}]}"#,
    r#"{"from":[{"source":{"requestPrincipals":["https://i/ann"]}}]}"#,
    r#"{"from":[{"source":{"requestPrincipals":["https://i/a/nn"]}}]}"#,
    r#"{"from":[{"source":{"notRequestPrincipals":["*"]}}]}"#,
    r#"{"when":[{"key":"destination.ip","values":["10.1.0.0/16"]}]}"#,
    r#"{"when":[{"key":"connection.sni","values":["sni.example"]}]}"#,
    r#"{"when":[{"key":"connection.sni","notValues":["sni.example"]}]}"#,
    r#"{"when":[{"key":"request.headers[x-a]","values":["1"]}]}"#,
    r#"{"when":[{"key":"request.headers[x-a]","notValues":["2"]}]}"#,
    r#"{"when":[{"key":"request.headers[x-b]","values":["\u00e9*"]}]}"#,
    r#"{"when":[{"key":"request.auth.claims[groups]","values":["dev"]}]}"#,
    r#"{"when":[{"key":"request.auth.claims[realm][roles]","values":["admin"]}]}"#,
    r#"{"when":[{"key":"request.auth.claims[n]","notValues":["1"]}]}"#,
];

fn requests() -> Vec<Sent> {
    use Attribute::{DestinationAddress, PeerPrincipal, PeerUriSan, RequestedServerName, SourceAddress};
    const GET: &[(&str, &[u8])] = &[(":method", b"GET"), (":path", b"/a/b/c?q=/z#f"), (":authority", b"shop.example")];
    let state = |key: &str| Attribute::FilterState(key.into());
    let without_direct = |title| Sent {
        title,
        headers: GET,
        attributes: vec![(SourceAddress, b"192.0.2.1:5"), (DestinationAddress, b"10.1.2.3:80")],
        mtls: false,
        claims: None,
        unreadable: None,
    };
    let plain = |title| {
        let mut sent = without_direct(title);
        sent.attributes.push((state("d"), b"10.9.9.9:1"));
        sent
    };
    let with = |sent: Sent, more: Vec<(Attribute, &'static [u8])>| Sent {
        attributes: sent.attributes.into_iter().chain(more).collect(),
        mtls: true,
        ..sent
    };
    let b: &[u8] = b"spiffe://td/ns/a/sa/b";
    vec![
        plain("plaintext"),
        Sent {
            headers: &[
                (":method", b"POST"),
                (":path", b"/a/\xc3\xa9"),
                (":authority", b"Shop.Example"),
                ("x-a", b"1"),
                ("x-a", b"2"),
                ("x-b", b"\xc3\xa9t\xc3\xa9"),
            ],
            ..plain("headers and letters")
        },
        Sent {
            headers: &[
                (":method", b"GET"),
                (":path", b"/a/b/c"),
                (":authority", b"h"),
                ("x-a", b"1\xff"),
                ("x-b", b"\"\\x"),
            ],
            ..plain("bytes that are not UTF-8")
        },
        with(plain("a certificate"), vec![(PeerUriSan, b), (state("s"), b), (RequestedServerName, b"sni.example")]),
        with(
            plain("a certificate with two names"),
            vec![(PeerUriSan, b), (state("s"), b"spiffe://td/ns/a/sa/b,spiffe://td/ns/a/sa/second")],
        ),
        with(plain("a certificate whose names are not there"), vec![(PeerUriSan, b)]),
        with(
            plain("a tunnel"),
            vec![(PeerUriSan, b"spiffe://td/ns/x/sa/y"), (PeerPrincipal, b), (state("s"), b"spiffe://x")],
        ),
        with(plain("a certificate without a name"), vec![(Attribute::PeerDnsSan, b"a.example")]),
        without_direct("no direct address"),
        Sent {
            attributes: vec![
                (SourceAddress, b"envoy://internal_client_address/"),
                (state("d"), b"envoy://internal_client_address/"),
                (DestinationAddress, b"[::1]:443"),
            ],
            ..without_direct("internal addresses")
        },
        Sent {
            claims: Some(r#"{"iss":"https://i","sub":"ann","groups":["ops","dev"],"realm":{"roles":"admin"},"n":1}"#),
            ..plain("a JWT")
        },
        Sent { claims: Some(r#"{"iss":"https://i","sub":"a/nn","groups":"dev"}"#), ..plain("a subject with a slash") },
        Sent {
            claims: Some(r#"{"iss":"https://i/a","sub":"nn","groups":[1,"dev"]}"#),
            ..plain("an issuer with a path")
        },
        Sent { claims: Some("{}"), ..plain("a JWT that says nothing") },
        Sent { unreadable: Some(RequestedServerName), ..plain("a server name that cannot be read") },
        Sent { unreadable: Some(PeerPrincipal), ..plain("a peer that cannot be read") },
        Sent { unreadable: Some(Attribute::DynamicMetadata), ..plain("metadata that cannot be read") },
    ]
}

impl Sent {
    /// Has `decide` decide on the request.
    fn to<T>(&self, decide: impl FnOnce(&Facts<'_>) -> T) -> T {
        let (mut pairs, mut attributes) = (PairsBuilder::default(), Attributes::default());
        for (name, value) in self.headers {
            pairs.push(name.as_bytes(), value);
        }
        for (attribute, value) in &self.attributes {
            attributes.set(attribute, value);
        }
        attributes.set_bool(&Attribute::ConnectionMtls, self.mtls);
        if let Some(claims) = self.claims {
            let payload = crate::node::value(&serde_json::from_str(claims).unwrap());
            let jwt = Struct::from([("payload".to_owned(), payload)]);
            let metadata = weir_proto::encode_metadata([("envoy.filters.http.jwt_authn", &jwt)]);
            attributes.set(&Attribute::DynamicMetadata, &metadata);
        }
        self.unreadable.iter().for_each(|attribute| attributes.set_unreadable(attribute));
        let (block, none) = (pairs.finish(), Headers::default());
        let request_headers = Headers::new(&block);
        decide(&Facts { request_headers, response_headers: none, response_trailers: none, attributes: &attributes })
    }
}

fn document(rule: &str, action: &str) -> String {
    format!(
        r#"{{"schema":1,"name":"t",{AUDIT},"policies":[{{"kind":"AuthorizationPolicy","metadata":{{"name":"p","namespace":"shop"}},
        "spec":{{"action":"{action}","rules":[{rule}]}}}}]}}"#
    )
}

/// Whether the request passes, and the record of it as it is in Envoy's log.
fn decided(document: &str, sent: &Sent) -> (bool, String) {
    let mut policy =
        Policy::compile(document.as_bytes(), &Node::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
    let now = Now { wall_nanos: 1_700_000_000_250_000_000, mono_nanos: 5 };
    let mut io = Io::new(now, &mut cells, &mut effects);
    let mut decide = |facts: &Facts<'_>| policy.request(&mut Default::default(), facts, &mut Edits::default(), &mut io);
    let verdict = sent.to(&mut decide);
    let [(_, record)] = effects.logs.as_slice() else { panic!("{}: {:?}", sent.title, effects.logs) };
    (verdict == Verdict::Continue, format!("[2026-11-27 10:00:00.123][7][info][wasm] wasm log t: {record}"))
}

/// What the same policies say of the record; `None` if that hangs on what it lacks.
fn replayed(document: &str, record: &Record<'_>, attributes: &mut Attributes) -> Option<bool> {
    let mut explainer = Explainer::compile(document.as_bytes(), &Node::default()).unwrap();
    let missing = explainer.missing_set(|field| record.knowledge(field));
    record.set_attributes(explainer.direct_address(), explainer.peer_uri_sans(), attributes);
    let verdict = record.with_facts(attributes, |facts| explainer.verdict(facts, missing));
    explainer.verdict_of(verdict)?.allow
}

#[test]
fn what_the_filter_records_is_decided_again_as_it_was() {
    // What hangs on what a record does not have: 25 rules, each in a policy that allows and one that denies.
    let open = [
        ("bytes that are not UTF-8", 2),
        ("a certificate whose names are not there", 5),
        ("a certificate without a name", 5),
        ("no direct address", 1),
        ("internal addresses", 2),
        // A claim that is a number.
        ("a JWT", 1),
        ("a server name that cannot be read", 2),
        ("a peer that cannot be read", 5),
        ("metadata that cannot be read", 6),
    ];
    let mut rows = Rows::default();
    for sent in requests() {
        let mut undecided = Vec::new();
        for (rule, action) in RULES.iter().flat_map(|rule| ["ALLOW", "DENY"].map(|action| (rule, action))) {
            let document = document(rule, action);
            let (allow, line) = decided(&document, &sent);
            let record = Format::default().record(line.as_bytes()).unwrap();
            rows.check(format!("{}: live", sent.title), record.live().allow(), Some(allow));
            match replayed(&document, &record, &mut Attributes::default()) {
                None => undecided.push(*rule),
                again => rows.check(format!("{}: {action} {rule}: {line}", sent.title), again, Some(allow)),
            }
        }
        undecided.dedup();
        let expected = open.iter().find(|(title, _)| *title == sent.title).map_or(0, |(_, count)| *count);
        rows.check(format!("{}: {undecided:#?}", sent.title), undecided.len(), expected);
    }
}

#[test]
fn a_connection_is_read_as_one() {
    let document = document(r#"{"to":[{"operation":{"ports":["80"]}}]}"#, "DENY");
    let mut policy = TcpPolicy::compile(document.as_bytes(), &Node::default()).unwrap();
    let (mut cells, mut effects) = (MemoryCells::default(), Effects::default());
    let mut io = Io::new(Now::default(), &mut cells, &mut effects);
    let data = weir_model::Data { side: weir_model::Side::Downstream, length: 1, first: b"", end: false };
    let sent = &requests()[3];
    let mut decide =
        |facts: &Facts<'_>| policy.data(&mut Default::default(), data, facts, &mut Edits::default(), &mut io);
    assert_eq!(sent.to(&mut decide), weir_model::TcpVerdict::Close);
    let line = effects.logs.remove(0).1;
    let record = Format::default().record(line.as_bytes()).unwrap();
    assert!(!record.is_request() && record.is_mutual == Some(true), "{line}");
    assert_eq!(record.caller(), "td/ns/a/sa/b");
    let mut explainer = Explainer::compile_for(Protocol::Tcp, document.as_bytes(), &Node::default()).unwrap();
    let missing = explainer.missing_set(|field| record.knowledge(field));
    let mut attributes = Attributes::default();
    record.set_attributes(explainer.direct_address(), explainer.peer_uri_sans(), &mut attributes);
    let verdict = record.with_facts(&attributes, |facts| explainer.verdict(facts, missing));
    assert_eq!(explainer.verdict_of(verdict).and_then(|verdict| verdict.allow), Some(false));
}
