use super::{Request, read};
use crate::Failure;
use weir_model::{Attribute, Node};
use weir_policy::{Explainer, Knowledge, RequestField};
use weir_testing::Rows;

const WHOLE: &str = "
protocol: grpc
scheme: https
host: cart.shop:8080
path: /shop.Cart/Get
headers: {X-User: ann, x-role: [a, b]}
source: {ip: 192.0.2.7, principal: td/ns/a/sa/b}
destination: {ip: 'fd00::1', port: 8080}
sni: cart
jwt: {claims: {iss: i, scope: read  write, groups: [x], level: 1, nested: {scope: a b}}}
metadata: {envoy.filters.http.x: {tenant: a}}
";

fn request(text: &str) -> Request {
    let Ok(request) = read("r.yaml", text.to_owned()) else { panic!("cannot be read: {text}") };
    request
}

fn explainer(workload: &str) -> Explainer {
    let document = format!(r#"{{"schema":1,"name":"t","workload":{workload}}}"#);
    Explainer::compile(document.as_bytes(), &Node::default()).unwrap()
}

#[test]
fn a_request_is_handed_over_as_envoy_would() {
    let explainer = explainer(r#"{"directAddress":{"filterState":"d"},"peerUriSans":{"filterState":"u"}}"#);
    let facts = request(WHOLE).facts(&explainer);
    let mut rows = Rows::default();
    facts.with(|facts| {
        let headers: Vec<String> = facts
            .request_headers
            .iter()
            .map(|(name, value)| format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)))
            .collect();
        let expected =
            ":method=POST :scheme=https :authority=cart.shop:8080 :path=/shop.Cart/Get x-user=ann x-role=a x-role=b";
        let mut expected: Vec<&str> = expected.split(' ').collect();
        let mut found: Vec<&str> = headers.iter().map(String::as_str).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
        for (attribute, expected) in [
            (Attribute::SourceAddress, Some("192.0.2.7")),
            (Attribute::DestinationAddress, Some("[fd00::1]:8080")),
            (Attribute::PeerUriSan, Some("spiffe://td/ns/a/sa/b")),
            (Attribute::RequestedServerName, Some("cart")),
            // Where nothing stands between, the client is the direct peer.
            (Attribute::FilterState("d".into()), Some("192.0.2.7")),
            (Attribute::FilterState("u".into()), Some("spiffe://td/ns/a/sa/b")),
            (Attribute::PeerPrincipal, None),
        ] {
            let found = facts.attributes.bytes(&attribute).map(String::from_utf8_lossy);
            rows.check(format!("{attribute:?}"), found.as_deref(), expected);
        }
    });
}

#[test]
fn a_peer_may_have_several_names() {
    let text = "path: /\nsource: {principal: [td/ns/a/sa/b, 'spiffe://x/y']}";
    let mut rows = Rows::default();
    for (workload, expected) in
        [("{}", None), (r#"{"peerUriSans":{"filterState":"u"}}"#, Some("spiffe://td/ns/a/sa/b,spiffe://x/y"))]
    {
        request(text).facts(&explainer(workload)).with(|facts| {
            let found = |attribute| facts.attributes.bytes(&attribute).map(String::from_utf8_lossy);
            rows.check(format!("{workload}: all"), found(Attribute::FilterState("u".into())).as_deref(), expected);
            rows.check(
                format!("{workload}: the first"),
                found(Attribute::PeerUriSan).as_deref(),
                Some("spiffe://td/ns/a/sa/b"),
            );
        });
    }
    let with_comma = read("r.yaml", "path: /\nsource: {principal: ['a,b', c]}".to_owned());
    rows.check("a comma", matches!(with_comma, Err(Failure::Use(text)) if text.contains("commas")), true);
}

#[test]
fn what_every_request_has_is_unknown_and_the_rest_is_absent() {
    let with = explainer(r#"{"directAddress":{"filterState":"d"}}"#);
    let without = explainer("{}");
    let mut rows = Rows::default();
    for (field, expected) in [
        (RequestField::RemoteAddress, [true, true]),
        // The filter refuses because it cannot read it: what the request has does not matter.
        (RequestField::DirectAddress, [true, false]),
        (RequestField::DestinationAddress, [true, true]),
        (RequestField::DestinationPort, [true, true]),
        (RequestField::Principal, [false, false]),
        (RequestField::Header("x".into()), [false, false]),
        (RequestField::Claims, [false, false]),
        (RequestField::ServerName, [false, false]),
        (RequestField::Host, [false, false]),
    ] {
        let request = request("{path: /}");
        rows.check(
            &field,
            [&with, &without].map(|explainer| request.facts(explainer).knowledge(&field) == Knowledge::Nothing),
            expected,
        );
    }
}

/// Istio lets Envoy's JWT filter take these two apart, and no others.
#[test]
fn scopes_are_lists() {
    let policy = |key: &str, value: &str| {
        format!(
            r#"{{"schema":1,"name":"t","workload":{{"namespace":"a","labels":{{}}}},"policies":[{{"kind":"AuthorizationPolicy",
            "metadata":{{"name":"p","namespace":"a"}},"spec":{{"rules":[{{"when":[{{"key":"request.auth.claims[{key}]",
            "values":["{value}"]}}]}}]}}}}]}}"#
        )
    };
    let mut rows = Rows::default();
    for (key, value, expected) in [
        ("scope", "read", true),
        ("scope", "write", true),
        ("scope", "read  write", false),
        ("nested][scope", "a b", true),
        ("nested][scope", "a", false),
        ("groups", "x", true),
        ("level", "1", false),
    ] {
        let mut explainer = Explainer::compile(policy(key, value).as_bytes(), &Node::default()).unwrap();
        let facts = request(WHOLE).facts(&explainer);
        let missing = explainer.known(|field| facts.knowledge(field));
        let allow = facts.with(|facts| explainer.answers(facts, &missing).enforced.allow);
        rows.check(format!("{key} {value}"), allow, Some(expected));
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let mut rows = Rows::default();
    for (text, expected) in [
        ("path: a\n", "r.yaml:1:1: error: $.path: expected a path that begins with `/`"),
        ("method: GET\nprotocol: tcp\n", "a connection (`protocol: tcp`) has no method: leave it out"),
        ("protocol: tcp\njwt: {claims: {a: b}}\n", "a connection (`protocol: tcp`) has no JWT: leave it out"),
        ("protocol: udp\n", "$.protocol: "),
        ("headers: {a: 1}\n", "r.yaml:1:11: error: $.headers.a: expected a string: put quotation marks"),
        ("headers: {Host: a}\n", "write `method`, `scheme`, `host` or `path` of the request for it"),
        ("source: {ip: 10.0.0}\n", "r.yaml:1:10: error: $.source.ip: `10.0.0` is not an IP address"),
        ("source: {user: a}\n", "$.source.user: unknown field"),
        ("destination: {port: 70000}\n", "$.destination.port: expected a whole number from 0 to 65535"),
        ("jwt: {iss: a}\n", "$.jwt: `claims` is missing"),
        ("metod: GET\n", "$.metod: unknown field; did you mean `method`?"),
        ("{a: b\n", "not YAML"),
        ("[]\n", "$: expected an object, found a list"),
        ("", "it is empty"),
        ("path: /a\npath: /b\n", "key `path` is given twice"),
    ] {
        let message = match read("r.yaml", text.to_owned()) {
            Err(Failure::Use(message)) => message,
            _ => String::new(),
        };
        rows.contains(text, &message, expected);
    }
}
