mod cel;
mod claims;
mod custom;
mod identity;
mod istio;
mod modes;

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{
    Attributes, Edits, Effects, EnvoyVersion, Headers, MemoryCells, MetricOp, Now, PairsBuilder, Struct, StructValue,
};
use weir_testing::Rows;

fn node() -> Node {
    let labels: Struct = [("app".to_owned(), StructValue::Text("cart".to_owned()))].into();
    let metadata = [
        ("NAMESPACE".to_owned(), StructValue::Text("shop".to_owned())),
        ("LABELS".to_owned(), StructValue::Map(labels)),
    ];
    let envoy = Some(EnvoyVersion { major: 1, minor: 40, patch: 0, is_release: true });
    Node { metadata: metadata.into(), envoy, ..Node::default() }
}

/// Name, rest of the metadata, spec.
type Object<'a> = (&'a str, &'a str, &'a str);

/// A document with these objects.
fn policy(extra: &str, objects: &[Object<'_>]) -> Result<Policy, String> {
    policy_on(&node(), extra, objects)
}

fn policy_on(node: &Node, extra: &str, objects: &[Object<'_>]) -> Result<Policy, String> {
    let objects: Vec<String> = objects
        .iter()
        .map(|(name, metadata, spec)| {
            format!(
                r#"{{"kind":"AuthorizationPolicy","metadata":{{"name":"{name}","namespace":"shop"{metadata}}},"spec":{spec}}}"#
            )
        })
        .collect();
    let document = format!(r#"{{"schema":1,"name":"t"{extra},"policies":[{}]}}"#, objects.join(","));
    Policy::compile(document.as_bytes(), node).map_err(|problems| problems.to_string())
}

/// What a request leaves: the verdict, the stat names counted, the text for the access log.
fn run(policy: &mut Policy, headers: &[(&str, &str)], attributes: &Attributes) -> (Verdict, Vec<String>, String) {
    let mut pairs = PairsBuilder::default();
    for (name, value) in headers {
        pairs.push(name.as_bytes(), value.as_bytes());
    }
    let bytes = pairs.finish();
    let facts = Facts {
        request_headers: Headers::new(&bytes),
        response_headers: Headers::default(),
        response_trailers: Headers::default(),
        attributes,
    };
    let (mut cells, mut effects, mut edits) = (MemoryCells::default(), Effects::default(), Edits::default());
    let mut io = Io::new(Now::default(), &mut cells, &mut effects);
    let verdict = policy.request(&mut Stream::default(), &facts, &mut edits, &mut io);
    let names = effects.metrics.iter().filter_map(|op| match op {
        MetricOp::Define { name, .. } => Some(name.replace(";.;", " ").replace("=.=", "=")),
        _ => None,
    });
    let text = edits.filter_state.first().map(|(_, text)| String::from_utf8_lossy(text).into_owned());
    (verdict, names.collect(), text.unwrap_or_default())
}

const GET: [(&str, &str); 3] = [(":method", "GET"), (":path", "/a?x#y"), (":authority", "A.example:80")];

#[test]
fn a_refusal_says_which_rule() {
    let spec = r#"{"action":"DENY","rules":[{"to":[{"operation":{"paths":["/b"]}}]},{"to":[{"operation":{"paths":["/a"]}}]}]}"#;
    let mut policy = policy("", &[("no-a", "", spec)]).unwrap();
    let (verdict, names, text) = run(&mut policy, &GET, &Attributes::default());
    let Verdict::Reply(reply) = verdict else { panic!("{verdict:?}") };
    assert_eq!(reply.status, 403);
    assert_eq!(reply.body, b"RBAC: access denied");
    assert_eq!(reply.details, "rbac_access_denied_matched_policy[ns[shop]-policy[no-a]-rule[1]]");
    assert_eq!(text, "deny shop/no-a[1]");
    let expected = "weir_plugin=t decision=deny mode=enforced reason=matched authz_policy=shop/no-a authz_rule=1 weir_policy_decisions_total";
    assert_eq!(names, [expected]);
    // The series is defined once.
    assert!(run(&mut policy, &GET, &Attributes::default()).1.is_empty());
}

#[test]
fn decisions() {
    let mut rows = Rows::default();
    let allow_a = ("a", "", r#"{"rules":[{"to":[{"operation":{"hosts":["a.EXAMPLE:*"],"paths":["/a"]}}]}]}"#);
    let allow_nothing = ("nothing", "", "{}");
    let deny_all = ("all", "", r#"{"action":"DENY","rules":[{}]}"#);
    let deny_b = ("b", "", r#"{"action":"DENY","rules":[{"to":[{"operation":{"paths":["/b"]}}]}]}"#);
    let trial = ("trial", r#","annotations":{"istio.io/dry-run":"true"}"#, r#"{"action":"DENY","rules":[{}]}"#);
    let other = ("other", "", r#"{"selector":{"matchLabels":{"app":"x"}},"action":"DENY","rules":[{}]}"#);
    let audit = ("audit", "", r#"{"action":"AUDIT","rules":[{}]}"#);
    let audit_b = ("audit", "", r#"{"action":"AUDIT","rules":[{"to":[{"operation":{"paths":["/b"]}}]}]}"#);
    let cases: [(&str, &[Object], &str); 13] = [
        ("", &[], "allow enforced no_policy -"),
        ("", &[other, audit], "allow enforced no_policy -,allow audit matched shop/audit"),
        ("", &[deny_all, audit_b], "deny enforced matched shop/all,allow audit no_match -"),
        ("", &[deny_all, audit], "deny enforced matched shop/all,allow audit matched shop/audit"),
        ("", &[deny_b], "allow enforced no_match -"),
        ("", &[allow_a], "allow enforced matched shop/a"),
        ("", &[allow_nothing], "deny enforced no_match -"),
        ("", &[allow_nothing, allow_a], "allow enforced matched shop/a"),
        ("", &[allow_a, deny_all], "deny enforced matched shop/all"),
        ("", &[trial], "allow enforced no_policy -,deny shadow matched shop/trial,deny shadow matched shop/trial"),
        (
            "",
            &[trial, allow_nothing],
            "deny enforced no_match -,deny shadow matched shop/trial,deny shadow matched shop/trial",
        ),
        (r#","mode":"shadow""#, &[deny_all], "deny shadow matched shop/all"),
        (r#","mode":"off""#, &[deny_all], ""),
    ];
    for (extra, objects, expected) in cases {
        let mut policy = policy(extra, objects).unwrap();
        let (verdict, names, _) = run(&mut policy, &GET, &Attributes::default());
        let labels: Vec<String> = names
            .iter()
            .map(|name| {
                name.split(' ')
                    .skip(1)
                    .take(4)
                    .map(|label| label.split_once('=').unwrap().1)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        rows.check(format!("{objects:?}"), labels.join(","), expected);
        rows.check(format!("{objects:?}"), verdict != Verdict::Continue, expected.starts_with("deny enforced"));
    }
}

#[test]
fn demand_is_what_rules_look_at() {
    let mut rows = Rows::default();
    let when = |key: &str, value: &str| {
        format!(r#"{{"action":"DENY","rules":[{{"when":[{{"key":"{key}","values":["{value}"]}}]}}]}}"#)
    };
    let peer = [Attribute::PeerPrincipal, Attribute::PeerUriSan];
    let any_peer = [Attribute::PeerPrincipal, Attribute::PeerUriSan, Attribute::PeerDnsSan, Attribute::PeerSubject];
    let cases: [(&str, &str, bool, &[Attribute]); 9] = [
        ("request.headers[x]", "1", true, &[]),
        ("source.principal", "a", false, &peer),
        ("source.principal", "*", false, &any_peer),
        ("source.namespace", "a", false, &peer),
        ("remote.ip", "1.2.3.4", false, &[Attribute::SourceAddress]),
        ("source.ip", "1.2.3.4", false, &[]),
        ("destination.ip", "1.2.3.4", false, &[Attribute::DestinationAddress]),
        ("destination.port", "80", false, &[Attribute::DestinationAddress]),
        ("connection.sni", "a", false, &[Attribute::RequestedServerName]),
    ];
    for (key, value, headers, attributes) in cases {
        let policy = policy("", &[("p", "", &when(key, value))]).unwrap();
        let demand = policy.demand(Phase::Request);
        rows.check(key, demand.request_headers, headers);
        rows.check(key, demand.idle, false);
        let mut expected = attributes.to_vec();
        expected.sort();
        rows.check(key, demand.attributes.iter().cloned().collect::<Vec<_>>(), expected);
        rows.check(key, policy.demand(Phase::Response).idle && policy.demand(Phase::End).idle, true);
    }
    assert_eq!(*policy("", &[]).unwrap().demand(Phase::Request), Demand::default());
    assert!(policy(r#","mode":"off""#, &[]).unwrap().demand(Phase::Request).idle);
}

#[test]
fn an_unknown_address_fails_closed() {
    let mut rows = Rows::default();
    let blocks = |action: &str, field: &str| {
        format!(r#"{{"action":"{action}","rules":[{{"from":[{{"source":{{"{field}":["10.0.0.0/8"]}}}}]}}]}}"#)
    };
    let key = Attribute::FilterState("direct".into());
    let extra = r#","workload":{"directAddress":{"filterState":"direct"}}"#;
    let cases = [
        ("DENY", "ipBlocks", None, false),
        ("DENY", "notIpBlocks", None, false),
        ("ALLOW", "ipBlocks", None, false),
        ("ALLOW", "notIpBlocks", None, false),
        ("DENY", "ipBlocks", Some("10.1.1.1"), false),
        ("DENY", "ipBlocks", Some("11.1.1.1"), true),
        ("ALLOW", "ipBlocks", Some("10.1.1.1"), true),
        ("ALLOW", "notIpBlocks", Some("10.1.1.1"), false),
        ("ALLOW", "notIpBlocks", Some("11.1.1.1"), true),
        ("ALLOW", "notIpBlocks", Some("\u{0}"), false),
    ];
    for (action, field, address, allowed) in cases {
        let mut attributes = Attributes::default();
        if let Some(address) = address {
            attributes.set(&key, address.as_bytes());
        }
        let mut policy = policy(extra, &[("p", "", &blocks(action, field))]).unwrap();
        assert!(policy.demand(Phase::Request).attributes.contains(&key));
        let (verdict, _, _) = run(&mut policy, &GET, &attributes);
        rows.check(format!("{action} {field} {address:?}"), verdict == Verdict::Continue, allowed);
    }
}

#[test]
fn every_name_counts_or_the_document_is_refused() {
    let mut rows = Rows::default();
    use crate::config::NAMES;
    // Half of them are claims.
    let spec = |count: usize| {
        let key =
            |n: usize| if n.is_multiple_of(2) { format!("headers[h{n:05}]") } else { format!("auth.claims[c{n:05}]") };
        let conditions = (0..count).map(|n| format!(r#"{{"when":[{{"key":"request.{}","values":["*"]}}]}}"#, key(n)));
        format!(r#"{{"action":"DENY","rules":[{}]}}"#, conditions.collect::<Vec<_>>().join(","))
    };
    let mut full = policy("", &[("p", "", &spec(NAMES))]).unwrap();
    for (name, refused) in [("h00000", true), ("h65522", true), ("h65524", false)] {
        let headers = [GET[0], GET[1], GET[2], (name, "1")];
        rows.check(name, run(&mut full, &headers, &Attributes::default()).0 != Verdict::Continue, refused);
    }
    for (name, refused) in [("c00001", true), ("c65521", true), ("c65523", false)] {
        let claims = StructValue::Map([(name.to_owned(), StructValue::Text("1".to_owned()))].into());
        let payload = [("payload".to_owned(), claims)].into();
        let metadata = weir_proto::encode_metadata([("envoy.filters.http.jwt_authn", &payload)]);
        let mut attributes = Attributes::default();
        attributes.set(&Attribute::DynamicMetadata, &metadata);
        rows.check(name, run(&mut full, &GET, &attributes).0 != Verdict::Continue, refused);
    }
    let problems = policy("", &[("p", "", &spec(NAMES + 1))]).unwrap_err();
    let expected = "$: rules look at more than 65523 headers, claims and keys of metadata by name";
    rows.check("one more", problems, expected.to_owned());
    let claim = |deep: usize| {
        let rule = format!(r#"{{"when":[{{"key":"request.auth.claims{}","values":["*"]}}]}}"#, "[a]".repeat(deep));
        policy("", &[("p", "", &format!(r#"{{"rules":[{rule}]}}"#))]).err()
    };
    rows.check("100 names deep", claim(100), None);
    rows.contains("101 names deep", &claim(101).unwrap_or_default(), "a claim is at most 100 names deep");
}

#[test]
fn outbound_on_a_sidecar_is_inert_and_says_so() {
    let extra = r#","workload":{"proxy":"sidecar"}"#;
    let mut policy = policy(extra, &[("all", "", r#"{"action":"DENY","rules":[{}]}"#)]).unwrap();
    let mut attributes = Attributes::default();
    attributes.set_int(&Attribute::ListenerDirection, 2);
    assert_eq!(run(&mut policy, &GET, &attributes), (Verdict::Continue, vec![], String::new()));
    attributes.set_int(&Attribute::ListenerDirection, 1);
    assert_ne!(run(&mut policy, &GET, &attributes).0, Verdict::Continue);
}

#[test]
fn a_document_that_names_the_listener_is_not_asked_for_its_direction() {
    let of = |listener: &str| {
        let extra = format!(r#","listener":"{listener}","workload":{{"proxy":"sidecar"}}"#);
        policy(&extra, &[("all", "", r#"{"action":"DENY","rules":[{}]}"#)]).unwrap()
    };
    let (mut inbound, mut outbound) = (of("inbound"), of("outbound"));
    let mut attributes = Attributes::default();
    // The document wins over what the listener says.
    attributes.set_int(&Attribute::ListenerDirection, 2);
    assert!(inbound.demand(Phase::Request).attributes.is_empty());
    assert_ne!(run(&mut inbound, &GET, &attributes).0, Verdict::Continue);
    assert_eq!(inbound.warnings(), []);
    attributes.set_int(&Attribute::ListenerDirection, 1);
    assert!(outbound.demand(Phase::Request).idle);
    assert_eq!(run(&mut outbound, &GET, &attributes), (Verdict::Continue, vec![], String::new()));
    assert_eq!(outbound.warnings().iter().map(|warning| warning.id).collect::<Vec<_>>(), ["outbound-policy"]);
}

#[test]
fn the_access_log_gets_the_decisions_that_it_is_to_get() {
    let mut table = Vec::new();
    let specs = [
        ("some", "", r#"{"action":"ALLOW","rules":[{"to":[{"operation":{"methods":["GET"]}}]}]}"#),
        ("none", "", r#"{"action":"ALLOW","rules":[{"to":[{"operation":{"methods":["PUT"]}}]}]}"#),
    ];
    for state in ["", r#","accessLogState":"refused""#, r#","accessLogState":"always""#, r#","accessLogState":"never""#]
    {
        for mode in ["enforce", "shadow"] {
            let extra = format!(r#","mode":"{mode}"{state}"#);
            table.push(specs.map(|spec| {
                let mut policy = policy(&extra, &[spec]).unwrap();
                run(&mut policy, &GET, &Attributes::default()).2
            }));
        }
    }
    let refused = [["", "deny -"], ["", "shadow deny -"]];
    let all = [["allow shop/some[0]", "deny -"], ["shadow allow shop/some[0]", "shadow deny -"]];
    assert_eq!(table, [refused, refused, all, [["", ""]; 2]].concat());
}

#[test]
fn all_problems_have_their_place() {
    let spec = r#"{"action":"CUSTOM","surprise":1,"rules":[
        {"from":[{"source":{"requestPrincipals":["a"],"remoteIpBlocks":["10.0.0.0/99"]}}]},
        {"to":[{"operation":{"ports":["70000"],"paths":["/a/{**}/{*}",""]}},{"operation":{}}]},
        {"when":[{"key":"request.regex","values":["x"]},{"key":"request.auth.claims[]","values":["x"]},{"key":"source.ip"}]}]}"#;
    let problems = policy(r#","mode":"observed","onInvalid":"keep","polices":[]"#, &[("p", "", spec)]).unwrap_err();
    let expected = [
        "$.mode: `observed` is not one of",
        "$.onInvalid: `keep` is not one of `refuse`, `quarantine`",
        "$.polices: unknown field; did you mean `policies`?",
        "$.policies[0].spec: `provider` is missing",
        "$.policies[0].spec.surprise: unknown field",
        "$.policies[0].spec.rules[0].from[0].source.requestPrincipals: a CUSTOM policy asks before",
        "$.policies[0].spec.rules[0].from[0].source.remoteIpBlocks[0]: `10.0.0.0/99`",
        "$.policies[0].spec.rules[1].to[0].operation.ports[0]: `70000`",
        "$.policies[0].spec.rules[1].to[0].operation.paths[0]: `/a/{**}/{*}`",
        "$.policies[0].spec.rules[1].to[0].operation.paths[1]: must not be empty",
        "$.policies[0].spec.rules[1].to[1].operation: must not be empty",
        "$.policies[0].spec.rules[2].when[0].key: `request.regex`",
        "$.policies[0].spec.rules[2].when[1].key: a claim is written `request.auth.claims[name]`",
        "$.policies[0].spec.rules[2].when[2]: `values` or `notValues` must have at least one value",
    ];
    let mut rows = Rows::default();
    for line in expected {
        rows.contains("problems", &problems, line);
    }
    assert_eq!(problems.matches("$").count(), expected.len(), "{problems}");
}
