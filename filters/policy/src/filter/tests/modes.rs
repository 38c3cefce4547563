//! What is decided and not enforced: shares of requests, shadow policies, AUDIT policies, mode `observe`, quarantine.

use super::*;
use std::collections::BTreeMap;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const DENY_ALL: Object<'_> = ("all", "", r#"{"action":"DENY","rules":[{}]}"#);

fn facts<'f>(headers: &'f [u8], attributes: &'f Attributes) -> Facts<'f> {
    let none = Headers::default();
    Facts { request_headers: Headers::new(headers), response_headers: none, response_trailers: none, attributes }
}

/// What many requests to paths leave: how many were refused, and the counters by their labels from the second on.
fn counted(policy: &mut Policy, paths: &[&str], details: &str) -> (usize, BTreeMap<String, u64>) {
    let (mut cells, mut effects, mut edits) = (MemoryCells::default(), Effects::default(), Edits::default());
    let (mut names, mut sums, mut refused) = (BTreeMap::new(), BTreeMap::new(), 0);
    let mut drain = |effects: &mut Effects| {
        for op in effects.metrics.drain(..) {
            match op {
                MetricOp::Define { series, name, .. } => {
                    let text = name.replace(";.;", " ").replace("=.=", "=");
                    let labels: Vec<&str> = text.split(' ').skip(1).collect();
                    names.insert(series, labels.join(" ").replace("decision=", "").replace("weir_policy_", ""));
                }
                MetricOp::Add { series, by, .. } => *sums.entry(names[&series].clone()).or_default() += by,
                MetricOp::Record { .. } => {}
            }
        }
    };
    for (path, number) in paths.iter().zip(1u64..) {
        let bytes = PairsBuilder::default().push(b":path", path.as_bytes()).push(b":method", b"GET").finish();
        let mut attributes = Attributes::default();
        let mut stream = Stream::default();
        let now = Now { mono_nanos: number * 1_000_003, ..Now::default() };
        let mut io = Io::new(now, &mut cells, &mut effects);
        let verdict = policy.request(&mut stream, &facts(&bytes, &Attributes::default()), &mut edits, &mut io);
        refused += usize::from(verdict != Verdict::Continue);
        if !policy.demand(Phase::End).idle {
            attributes.set(&Attribute::ResponseCodeDetails, details.as_bytes());
            policy.end(&mut stream, Phase::End, &facts(&bytes, &attributes), &mut io);
        }
        drain(&mut effects);
    }
    policy.tick(&mut Io::new(Now::default(), &mut cells, &mut effects));
    drain(&mut effects);
    (refused, sums)
}

#[test]
fn a_share_of_the_requests_is_enforced_and_the_rest_is_shadow() {
    let mut rows = Rows::default();
    let paths = ["/a"; 4_000];
    for (percent, least, most) in [("0", 0, 0), ("25", 850, 1_150), ("99.9", 3_970, 4_000), ("100", 4_000, 4_000)] {
        let mut policy = policy(&format!(r#","enforcePercent":{percent}"#), &[DENY_ALL]).unwrap();
        // Only who asks for a share pays for the time.
        rows.check(percent, policy.demand(Phase::Request).monotonic_clock, !["0", "100"].contains(&percent));
        let (refused, sums) = counted(&mut policy, &paths, "");
        rows.check(format!("{percent}: {refused}"), (least..=most).contains(&refused), true);
        let of = |mode: &str| {
            let labels = format!("deny mode={mode} reason=matched authz_policy=shop/all authz_rule=0 decisions_total");
            sums.get(&labels).copied().unwrap_or(0)
        };
        rows.check(percent, (of("enforced"), of("shadow")), (refused as u64, 4_000 - refused as u64));
    }
    for (document, problem) in [
        (r#","enforcePercent":101"#, "$.enforcePercent: expected a percentage"),
        (r#","enforcePercent":"50""#, "$.enforcePercent: expected a percentage"),
        (r#","enforcePercent":0.00001"#, "$.enforcePercent: a percentage has at most four decimals"),
    ] {
        rows.contains(document, &policy(document, &[]).unwrap_err(), problem);
    }
}

#[test]
fn every_shadow_policy_is_counted_alone_and_all_of_them_together() {
    let to = |action: &str, path: &str| {
        format!(r#"{{"action":"{action}","rules":[{{}},{{"to":[{{"operation":{{"paths":["{path}"]}}}}]}}]}}"#)
            .replace("{},", "")
    };
    let specs = [to("DENY", "/a*"), to("DENY", "/a/b"), to("ALLOW", "/a"), to("DENY", "/c")];
    let names = ["d1", "d2", "allow", "enforced"];
    let objects: Vec<Object<'_>> = names.iter().zip(&specs).map(|(name, spec)| (*name, "", spec.as_str())).collect();
    let mut policy = policy(r#","shadow":["shop/d1","shop/d2","shop/allow"]"#, &objects).unwrap();
    assert_eq!(policy.warnings(), []);
    assert_eq!(policy.tick_period(), None);
    let (refused, sums) = counted(&mut policy, &["/a", "/a/b", "/c", "/d", "/d"], "");
    assert_eq!(refused, 1);
    let expected = [
        ("allow mode=enforced reason=no_match authz_policy=- authz_rule=- decisions_total", 4),
        ("allow mode=shadow reason=matched authz_policy=shop/allow authz_rule=0 shadow_decisions_total", 1),
        ("allow mode=shadow reason=no_match authz_policy=shop/d1 authz_rule=- shadow_decisions_total", 3),
        ("allow mode=shadow reason=no_match authz_policy=shop/d2 authz_rule=- shadow_decisions_total", 4),
        ("deny mode=enforced reason=matched authz_policy=shop/enforced authz_rule=0 decisions_total", 1),
        ("deny mode=shadow reason=matched authz_policy=shop/d1 authz_rule=0 decisions_total", 2),
        ("deny mode=shadow reason=matched authz_policy=shop/d1 authz_rule=0 shadow_decisions_total", 2),
        ("deny mode=shadow reason=matched authz_policy=shop/d2 authz_rule=0 shadow_decisions_total", 1),
        ("deny mode=shadow reason=no_match authz_policy=- authz_rule=- decisions_total", 3),
        ("deny mode=shadow reason=no_match authz_policy=shop/allow authz_rule=- shadow_decisions_total", 4),
    ];
    let found: Vec<(&str, u64)> = sums.iter().map(|(labels, sum)| (labels.as_str(), *sum)).collect();
    assert_eq!(found, expected);
    assert_eq!(policy.tick_period(), None, "nothing is held back");
}

#[test]
fn shadow_names_policies_of_the_document() {
    let audit = ("seen", "", r#"{"action":"AUDIT","rules":[{}]}"#);
    let mut rows = Rows::default();
    for (shadow, problem) in [
        (r#"["shop"]"#, "$.shadow[0]: a policy is written"),
        (r#"["shop/a*"]"#, "$.shadow[0]: a policy is written"),
        (r#"["*/all"]"#, "$.shadow[0]: a policy is written"),
        (r#"["shop/"]"#, "$.shadow[0]: a policy is written"),
        (r#"["shop/all",7]"#, "$.shadow[1]: expected a string"),
        (r#"["shop/seen"]"#, "$.shadow[0]: this is an AUDIT policy"),
    ] {
        for on_invalid in ["refuse", "quarantine"] {
            let document = format!(r#","onInvalid":"{on_invalid}","shadow":{shadow}"#);
            rows.contains(&document, &policy(&document, &[DENY_ALL, audit]).unwrap_err(), problem);
        }
    }
    let warned = |shadow: &str, objects: &[Object<'_>]| -> Vec<String> {
        let policy = policy(&format!(r#","shadow":[{shadow}]"#), objects).unwrap();
        policy.warnings().iter().map(|warning| format!("{} {}", warning.path, warning.id)).collect()
    };
    rows.check("met", warned(r#""shop/*","shop/all""#, &[DENY_ALL, audit]), Vec::<String>::new());
    let expected = vec!["$.shadow[0] shadow-matches-nothing".to_owned()];
    rows.check("unmet", warned(r#""shop/al","shop/all""#, &[DENY_ALL]), expected);
    // One for another workload is there all the same.
    let other = ("other", "", r#"{"selector":{"matchLabels":{"app":"x"}},"action":"DENY","rules":[{}]}"#);
    rows.check("of another", warned(r#""shop/other""#, &[DENY_ALL, other]), Vec::<String>::new());
}

#[test]
fn the_access_log_says_what_is_audited() {
    let to = |action: &str, path: &str| {
        format!(r#"{{"action":"{action}","rules":[{{"to":[{{"operation":{{"paths":["{path}"]}}}}]}}]}}"#)
    };
    let (seen, deny, allow) = (to("AUDIT", "/a*"), to("DENY", "/a"), to("ALLOW", "/a/b"));
    let mut rows = Rows::default();
    for (state, objects, path, expected) in [
        ("refused", vec![("seen", "", &*seen)], "/a", "allow - audit shop/seen[0]"),
        ("refused", vec![("seen", "", &*seen)], "/b", ""),
        ("never", vec![("seen", "", &*seen)], "/a", ""),
        ("refused", vec![("seen", "", &*seen), ("no", "", &*deny)], "/a", "deny shop/no[0] audit shop/seen[0]"),
        ("refused", vec![("seen", "", &*seen), ("yes", "", &*allow)], "/a/b", "allow shop/yes[0] audit shop/seen[0]"),
        ("refused", vec![("seen", "", &*seen), ("yes", "", &*allow)], "/b", "deny -"),
        ("always", vec![("seen", "", &*seen), ("yes", "", &*allow)], "/a/b", "allow shop/yes[0] audit shop/seen[0]"),
    ] {
        let mut policy = policy(&format!(r#","accessLogState":"{state}""#), &objects).unwrap();
        let (_, _, text) = run(&mut policy, &[(":path", path)], &Attributes::default());
        rows.check(format!("{state} {objects:?} {path}"), text, expected.to_owned());
    }
}

#[test]
fn observing_counts_agreement_and_refuses_nothing() {
    let deny = ("a", "", r#"{"action":"DENY","rules":[{"to":[{"operation":{"paths":["/a"]}}]}]}"#);
    let mut rows = Rows::default();
    let refused = "rbac_access_denied_matched_policy[ns[shop]-policy[a]-rule[0]]";
    for (path, details, expected) in [
        ("/a", refused, "native=deny weir=deny"),
        ("/a", "via_upstream", "native=allow weir=deny"),
        ("/b", refused, "native=deny weir=allow"),
        ("/b", "no_healthy_upstream", "native=allow weir=allow"),
        ("/b", "ext_authz_denied", "native=unknown weir=allow"),
    ] {
        let mut policy = policy(r#","mode":"observe""#, &[deny]).unwrap();
        let (refused, sums) = counted(&mut policy, &[path], details);
        rows.check(path, refused, 0);
        let agreement: Vec<&String> = sums.keys().filter(|name| name.ends_with("agreement_total")).collect();
        rows.check(format!("{path} {details}"), agreement, vec![&format!("{expected} agreement_total")]);
    }
    let idle = policy(r#","mode":"shadow""#, &[deny]).unwrap();
    rows.check("others do not look at the end", idle.demand(Phase::End).idle, true);
}

#[test]
fn what_is_quarantined_is_said_and_counted() {
    let bad = r#"{"action":"ALLOW","rules":[{"to":[{"operation":{"ports":["x"]}}]},{"to":[{"operation":{"paths":["/a"]}}]}]}"#;
    let deny = r#"{"action":"DENY","rules":[{"to":[{"operation":{"paths":["/b"],"ports":["x"]}}]}]}"#;
    let objects = [("yes", "", bad), ("no", "", deny)];
    let mut quarantined = policy(r#","onInvalid":"quarantine""#, &objects).unwrap();
    let warnings: Vec<String> = quarantined.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "$.policies[0].spec.rules[0].to[0].operation.ports[0]: `x` is not a port from 0 to 65535 [quarantined]",
            "$.policies[1].spec.rules[0].to[0].operation.ports[0]: `x` is not a port from 0 to 65535 [quarantined]",
        ]
    );
    let (refused, sums) = counted(&mut quarantined, &["/a", "/b", "/c"], "");
    assert_eq!(refused, 2);
    // A rule keeps its number where one before it is left out.
    assert_eq!(sums["allow mode=enforced reason=matched authz_policy=shop/yes authz_rule=1 decisions_total"], 1);
    assert_eq!(sums["deny mode=enforced reason=matched authz_policy=shop/no authz_rule=0 decisions_total"], 1);
    assert_eq!(sums["quarantined_total"], 3);
    let mut sound = policy(r#","onInvalid":"quarantine""#, &[DENY_ALL]).unwrap();
    assert!(!counted(&mut sound, &["/a"], "").1.contains_key("quarantined_total"));
}

#[test]
fn what_the_document_says_itself_is_never_quarantined() {
    let mut rows = Rows::default();
    let list = |items: &str| format!(r#"{{"schema":1,"name":"t","onInvalid":"quarantine","policies":{items}}}"#);
    let object = r#"{"kind":"AuthorizationPolicy","metadata":{"name":"a","namespace":"shop"}}"#;
    for (document, problem) in [
        (list("7"), "$.policies: expected a list"),
        (list("[7]"), "$.policies[0]: expected an object"),
        (list(r#"[{"kind":"Later"}]"#), "$.policies[0].kind: `Later` is not one of"),
        (list(r#"[{"kind":"List","items":7}]"#), "$.policies[0].items: expected a list"),
        (list(&format!("[{object},{object}]")), "$.policies[1]: policy `shop/a` is given twice"),
        (list("[]").replace("\"name\"", "\"later\":1,\"name\""), "$.later: unknown field"),
        (list("[]").replace("\"name\"", "\"policiesGzip\":\"x\",\"name\""), "$.policiesGzip"),
    ] {
        let found = Policy::compile(document.as_bytes(), &node()).map_err(|problems| problems.to_string());
        rows.contains(&document, &found.err().unwrap_or_default(), problem);
    }
    // Which policies are for this workload is the document's to say.
    let document = list(&format!("[{object}]"));
    let found = Policy::compile(document.as_bytes(), &Node::default()).map_err(|problems| problems.to_string());
    rows.contains("no namespace", &found.err().unwrap_or_default(), "which policies apply is unknown");
}
