use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{
    Attribute, Attributes, CelError, CelValue, Effects, Expressions, Headers, MemoryCells, MetricOp, Now, Struct,
    StructValue,
};
use weir_testing::Rows;

fn node() -> Node {
    let labels: Struct = [("app".to_owned(), StructValue::Text("cart".to_owned()))].into();
    let metadata = [
        ("NAMESPACE".to_owned(), StructValue::Text("shop".to_owned())),
        ("LABELS".to_owned(), StructValue::Map(labels)),
    ];
    Node { metadata: metadata.into(), ..Node::default() }
}

/// Name, rest of the metadata, spec.
type Object<'a> = (&'a str, &'a str, &'a str);

fn document(extra: &str, objects: &[Object<'_>]) -> String {
    let objects: Vec<String> = objects
        .iter()
        .map(|(name, metadata, spec)| {
            format!(
                r#"{{"kind":"AuthorizationPolicy","metadata":{{"name":"{name}","namespace":"shop"{metadata}}},"spec":{spec}}}"#
            )
        })
        .collect();
    format!(r#"{{"schema":1,"name":"t"{extra},"policies":[{}]}}"#, objects.join(","))
}

fn policy(extra: &str, objects: &[Object<'_>]) -> TcpPolicy {
    TcpPolicy::compile(document(extra, objects).as_bytes(), &node()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// From ann, from 10.0.0.1 to port 6379, with the server name `redis`.
fn connection() -> Attributes {
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::PeerUriSan, b"spiffe://cluster.local/ns/shop/sa/ann");
    attributes.set(&Attribute::SourceAddress, b"10.0.0.1:40000");
    attributes.set(&Attribute::DestinationAddress, b"10.9.9.9:6379");
    attributes.set(&Attribute::RequestedServerName, b"redis");
    attributes
}

/// What the data of one connection comes to: the verdicts, the stat names counted, the text for the access log.
fn run(policy: &mut TcpPolicy, attributes: &Attributes, chunks: usize) -> (Vec<TcpVerdict>, Vec<String>, String) {
    run_with(policy, attributes, chunks, None)
}

/// The same with what evaluates expressions.
fn run_with(
    policy: &mut TcpPolicy,
    attributes: &Attributes,
    chunks: usize,
    expressions: Option<&dyn Expressions>,
) -> (Vec<TcpVerdict>, Vec<String>, String) {
    let none = Headers::default();
    let facts = Facts { request_headers: none, response_headers: none, response_trailers: none, attributes };
    let (mut cells, mut effects, mut edits) = (MemoryCells::default(), Effects::default(), Edits::default());
    let mut io = Io { expressions, ..Io::new(Now::default(), &mut cells, &mut effects) };
    let mut state = Connection::default();
    let mut verdicts = vec![policy.opened(&mut state, &facts, &mut edits, &mut io)];
    for _ in 0..chunks {
        if policy.shown(&state, Side::Downstream).is_some() && !policy.demand(TcpPhase::Data).idle {
            let data = Data { side: Side::Downstream, length: 5, first: &[], end: false };
            verdicts.push(policy.data(&mut state, data, &facts, &mut edits, &mut io));
        }
    }
    let names = effects.metrics.iter().filter_map(|op| match op {
        MetricOp::Define { name, .. } => Some(name.replace(";.;", " ").replace("=.=", "=")),
        _ => None,
    });
    let text = edits.filter_state.first().map(|(_, text)| String::from_utf8_lossy(text).into_owned());
    (verdicts, names.collect(), text.unwrap_or_default())
}

fn is_allowed(policy: &mut TcpPolicy, attributes: &Attributes) -> bool {
    !run(policy, attributes, 1).0.contains(&TcpVerdict::Close)
}

#[test]
fn a_connection_is_decided_once_and_at_its_first_data() {
    let deny = r#"{"action":"DENY","rules":[{"to":[{"operation":{"ports":["6379"]}}]}]}"#;
    let mut refusing = policy("", &[("no-redis", "", deny)]);
    let (verdicts, names, text) = run(&mut refusing, &connection(), 3);
    // What comes after the refusal is refused too, and counted once.
    assert_eq!(verdicts, [TcpVerdict::Continue, TcpVerdict::Close, TcpVerdict::Close, TcpVerdict::Close]);
    let expected = "weir_plugin=t decision=deny mode=enforced reason=matched authz_policy=shop/no-redis authz_rule=0 \
                    weir_policy_decisions_total";
    assert_eq!((names, text.as_str()), (vec![expected.to_owned()], "deny shop/no-redis[0]"));
    let mut passing = policy("", &[("no-redis", "", &deny.replace("6379", "6380"))]);
    let (verdicts, names, _) = run(&mut passing, &connection(), 3);
    assert_eq!((verdicts, names.len()), (vec![TcpVerdict::Continue; 2], 1));
}

#[test]
fn nothing_is_read_before_the_first_data_nor_from_the_server() {
    let spec = r#"{"rules":[{"from":[{"source":{"namespaces":["shop"]}}]}]}"#;
    let of = |mode: &str| policy(&format!(r#","mode":"{mode}""#), &[("p", "", spec)]);
    let enforcing = of("enforce");
    let idle = |phase| enforcing.demand(phase).idle;
    assert_eq!((idle(TcpPhase::Opened), idle(TcpPhase::Data), idle(TcpPhase::End)), (true, false, true));
    let shown = |state, side| enforcing.shown(&state, side);
    assert_eq!(shown(Connection::Undecided, Side::Downstream), Some(0));
    assert_eq!(shown(Connection::Passed, Side::Downstream), None);
    assert_eq!(shown(Connection::Undecided, Side::Upstream), None);
    assert!(of("off").demand(TcpPhase::Data).idle);
    assert!(!enforcing.demand(TcpPhase::Data).request_headers);
}

#[test]
fn fields_of_connections() {
    let mut rows = Rows::default();
    let from = |source: &str| format!(r#"{{"action":"DENY","rules":[{{"from":[{{"source":{source}}}]}}]}}"#);
    let when = |key: &str, value: &str| {
        format!(r#"{{"action":"DENY","rules":[{{"when":[{{"key":"{key}","values":["{value}"]}}]}}]}}"#)
    };
    for (spec, refused) in [
        (from(r#"{"principals":["cluster.local/ns/shop/sa/ann"]}"#), true),
        (from(r#"{"principals":["*/sa/bob"]}"#), false),
        (from(r#"{"notPrincipals":["*/sa/bob"]}"#), true),
        (from(r#"{"namespaces":["shop"]}"#), true),
        (from(r#"{"serviceAccounts":["ann"]}"#), true),
        (from(r#"{"trustDomains":["other"]}"#), false),
        (from(r#"{"remoteIpBlocks":["10.0.0.0/8"]}"#), true),
        // Where the direct address is, the document does not say.
        (from(r#"{"ipBlocks":["11.0.0.0/8"]}"#), true),
        (when("remote.ip", "11.0.0.1"), false),
        (when("destination.ip", "10.9.9.9"), true),
        (when("destination.port", "6379"), true),
        (when("destination.port", "6380"), false),
        (when("connection.sni", "red*"), true),
        (when("connection.sni", "blue"), false),
        (when("experimental.envoy.filters.listener.proxy_protocol[k]", "v"), false),
    ] {
        let mut policy = policy("", &[("p", "", &spec)]);
        rows.check(&spec, !is_allowed(&mut policy, &connection()), refused);
    }
}

// Istio's `generator.go`: an error skips a rule of ALLOW, and drops the field from a rule of DENY.
#[test]
fn fields_of_requests() {
    let mut rows = Rows::default();
    let http_only = [
        r#"{"to":[{"operation":{"methods":["GET"]}}]}"#,
        r#"{"to":[{"operation":{"notMethods":["GET"]}}]}"#,
        r#"{"to":[{"operation":{"paths":["/a/{*}"]}}]}"#,
        r#"{"to":[{"operation":{"hosts":["*"]}}]}"#,
        r#"{"from":[{"source":{"requestPrincipals":["*"]}}]}"#,
        r#"{"from":[{"source":{"notRequestPrincipals":["*"]}}]}"#,
        r#"{"when":[{"key":"request.headers[x]","notValues":["a"]}]}"#,
        r#"{"when":[{"key":"request.auth.claims[a]","values":["a"]}]}"#,
        r#"{"when":[{"key":"request.auth.audiences","values":["a"]}]}"#,
        r#"{"when":[{"key":"request.auth.presenter","values":["a"]}]}"#,
        r#"{"when":[{"key":"request.auth.principal","values":["a"]}]}"#,
        // One of two items of a rule is enough.
        r#"{"to":[{"operation":{"ports":["6379"]}},{"operation":{"methods":["GET"]}}]}"#,
        r#"{"to":[{"operation":{"ports":["6379"],"methods":["GET"]}}]}"#,
    ];
    for rule in http_only {
        let spec = |action: &str| format!(r#"{{"action":"{action}","rules":[{rule}]}}"#);
        let mut allow = policy("", &[("p", "", &spec("ALLOW"))]);
        rows.check(format!("ALLOW {rule}"), is_allowed(&mut allow, &connection()), false);
        let mut deny = policy("", &[("p", "", &spec("DENY"))]);
        rows.check(format!("DENY {rule}"), is_allowed(&mut deny, &connection()), false);
        // The other rules of the policy stay, with their numbers.
        let two = format!(r#"{{"rules":[{rule},{{"to":[{{"operation":{{"ports":["6379"]}}}}]}}]}}"#);
        let (_, names, _) = run(&mut policy("", &[("p", "", &two)]), &connection(), 1);
        rows.contains(rule, &names.concat(), "reason=matched authz_policy=shop/p authz_rule=1");
    }
    // What a DENY rule asks of the connection still holds.
    let deny = r#"{"action":"DENY","rules":[{"to":[{"operation":{"ports":["6380"],"paths":["/a"]}}]}]}"#;
    rows.check(deny, is_allowed(&mut policy("", &[("p", "", deny)]), &connection()), true);
}

/// Envoy, which evaluates `connection.mtls` of a connection with TLS and nothing of a request.
struct Host;

impl Expressions for Host {
    fn evaluate(&self, owner: u8, number: usize) -> Result<CelValue, CelError> {
        match (owner, number) {
            (0, 0) => Ok(CelValue::Bool(true)),
            _ => Err(CelError::Failed),
        }
    }
}

#[test]
fn expressions_are_evaluated_about_a_connection_and_fail_closed_for_want_of_a_request() {
    let mut rows = Rows::default();
    for (action, cel, closes, error) in [
        ("DENY", r#""connection.mtls""#, true, false),
        ("ALLOW", r#""connection.mtls""#, false, false),
        ("DENY", r#""connection.mtls","request.path == '/a'""#, true, false),
        ("DENY", r#""connection.mtls"]},{"key":"cel","values":["request.path == '/a'""#, true, true),
        ("ALLOW", r#""connection.mtls"]},{"key":"cel","values":["request.path == '/a'""#, true, true),
    ] {
        let spec = format!(r#"{{"action":"{action}","rules":[{{"when":[{{"key":"cel","values":[{cel}]}}]}}]}}"#);
        let mut policy = policy("", &[("p", "", &spec)]);
        rows.check(
            &spec,
            policy.expressions().first().map(|expression| expression.text.clone()).as_deref(),
            Some("connection.mtls"),
        );
        let (verdicts, names, _) = run_with(&mut policy, &connection(), 1, Some(&Host));
        rows.check(&spec, verdicts.contains(&TcpVerdict::Close), closes);
        rows.check(&spec, names.iter().any(|name| name.ends_with("weir_policy_cel_errors_total")), error);
        let warnings: Vec<&str> = policy.warnings().iter().map(|warning| warning.id).collect();
        rows.check(&spec, warnings.contains(&"cel-absent"), cel.contains("request"));
    }
}

#[test]
fn dry_run_shadow_and_listeners() {
    let mut rows = Rows::default();
    let deny_all = r#"{"action":"DENY","rules":[{}]}"#;
    let trial = ("p", r#","annotations":{"istio.io/dry-run":"true"}"#, deny_all);
    let cases: [(&str, Object<'_>, bool, &str); 5] = [
        ("", ("p", "", deny_all), false, "decision=deny mode=enforced"),
        ("", trial, true, "decision=deny mode=shadow"),
        (r#","mode":"shadow""#, ("p", "", deny_all), true, "decision=deny mode=shadow"),
        (r#","mode":"off""#, ("p", "", deny_all), true, ""),
        (r#","listener":"outbound","workload":{"proxy":"sidecar"}"#, ("p", "", deny_all), true, ""),
    ];
    for (extra, object, allowed, counted) in cases {
        let (verdicts, names, _) = run(&mut policy(extra, &[object]), &connection(), 1);
        rows.check(format!("{extra} {object:?}"), !verdicts.contains(&TcpVerdict::Close), allowed);
        rows.contains(format!("{extra} {object:?}"), &names.concat(), counted);
    }
}

#[test]
fn what_is_left_out_is_said() {
    let mut rows = Rows::default();
    let methods = r#"{"to":[{"operation":{"methods":["GET"]}}]}"#;
    let both = r#"{"to":[{"operation":{"methods":["GET"],"ports":["1"]}}]}"#;
    let spec = |action: &str, rules: &[&str]| format!(r#"{{"action":"{action}","rules":[{}]}}"#, rules.join(","));
    for (spec, ids, text) in [
        (spec("ALLOW", &[both]), vec!["http-only-allow"], "(one rule, of `shop/p`)"),
        (spec("ALLOW", &[both, methods]), vec!["http-only-allow"], "(2 rules, the first of `shop/p`)"),
        (spec("DENY", &[both]), vec!["http-only-deny"], "match more (one rule, of `shop/p`)"),
        (spec("DENY", &[methods]), vec!["deny-all-connections"], "every connection is refused"),
        (spec("AUDIT", &[methods]), vec![], ""),
        (spec("DENY", &[r#"{"to":[{"operation":{"ports":["1"]}}]}"#]), vec![], ""),
    ] {
        let policy = policy(r#","workload":{"proxy":"sidecar"}"#, &[("p", "", &spec)]);
        let warnings = policy.warnings();
        rows.check(&spec, warnings.iter().map(|warning| warning.id).collect::<Vec<_>>(), ids);
        rows.contains(&spec, &warnings.iter().map(ToString::to_string).collect::<String>(), text);
    }
}
