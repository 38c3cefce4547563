//! What Istio and Envoy take, compare and cannot know.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn header_values_are_compared_as_they_are() {
    let mut rows = Rows::default();
    let spec = |field: &str| {
        format!(
            r#"{{"action":"ALLOW","rules":[{{"when":[{{"key":"request.headers[x-role]","{field}":["admin"]}}]}}]}}"#
        )
    };
    for (value, equal) in [("admin", true), ("admin ", false), (" admin", false), ("\tadmin", false)] {
        let headers = [GET[0], GET[1], GET[2], ("x-role", value)];
        for (field, allowed) in [("values", equal), ("notValues", !equal)] {
            let mut policy = policy("", &[("p", "", &spec(field))]).unwrap();
            let (verdict, ..) = run(&mut policy, &headers, &Attributes::default());
            rows.check(format!("{field} {value:?}"), verdict == Verdict::Continue, allowed);
        }
    }
}

#[test]
fn path_parameters_are_left_out_where_the_route_leaves_them_out() {
    let mut rows = Rows::default();
    let spec = r#"{"action":"DENY","rules":[{"to":[{"operation":{"paths":["/admin/action","/t/{*}/end"]}}]}]}"#;
    for (path, denied_without, denied_with) in [
        ("/admin/action", true, true),
        ("/admin;x=y/action", false, true),
        ("/admin/action;foo=bar", false, true),
        ("/admin/action;foo?;x", false, true),
        ("/admin/action2;a", false, false),
        ("/admin/action/;a", false, false),
        ("/t/1;a/end;b", false, true),
        ("/t/;a/end", true, false),
    ] {
        for (extra, denied) in [("", denied_without), (r#","workload":{"ignorePathParameters":true}"#, denied_with)] {
            let mut policy = policy(extra, &[("p", "", spec)]).unwrap();
            let headers = [GET[0], (":path", path), GET[2]];
            let (verdict, ..) = run(&mut policy, &headers, &Attributes::default());
            rows.check(format!("{path} {extra}"), verdict != Verdict::Continue, denied);
        }
    }
}

#[test]
fn where_the_compared_path_is_unclear_rules_on_it_fail_closed() {
    let mut rows = Rows::default();
    let spec = |action: &str, path: &str| {
        format!(r#"{{"action":"{action}","rules":[{{"to":[{{"operation":{{"paths":["{path}"]}}}}]}}]}}"#)
    };
    let envoy = |patch| EnvoyVersion { major: 1, minor: 38, patch, is_release: true };
    // By segment it is `/login/x`, up to the first parameter `/login`.
    for (envoy, action, path, refusal) in [
        (Some(envoy(4)), "DENY", "/login", None),
        (Some(envoy(4)), "DENY", "/login/x", Some("matched")),
        (Some(envoy(3)), "DENY", "/login", Some("path-unknown")),
        (Some(envoy(3)), "DENY", "/login/x", Some("path-unknown")),
        (None, "DENY", "/login", Some("path-unknown")),
        (None, "DENY", "/login/x", Some("path-unknown")),
        (Some(envoy(4)), "ALLOW", "/login", Some("matched")),
        (Some(envoy(4)), "ALLOW", "/login/x", None),
        (Some(envoy(3)), "ALLOW", "/login", Some("path-unknown")),
        (Some(envoy(3)), "ALLOW", "/login/x", Some("path-unknown")),
        (None, "ALLOW", "/login", Some("path-unknown")),
        (None, "ALLOW", "/login/x", Some("path-unknown")),
    ] {
        let node = Node { envoy, ..node() };
        let extra = r#","workload":{"ignorePathParameters":true}"#;
        let mut policy = policy_on(&node, extra, &[("p", "", &spec(action, path))]).unwrap();
        let details = |policy: &mut Policy, path: &str| match run(
            policy,
            &[GET[0], (":path", path), GET[2]],
            &Attributes::default(),
        )
        .0
        {
            Verdict::Reply(reply) => Some(reply.details),
            _ => None,
        };
        let found = details(&mut policy, "/login;/x");
        let is_as_expected = match (&found, refusal) {
            (Some(details), Some(refusal)) => details.contains(refusal),
            (found, refusal) => found.is_none() && refusal.is_none(),
        };
        rows.check(format!("{envoy:?} {action} {path}: {found:?}"), is_as_expected, true);
        // Where both are the same path, there is nothing unclear.
        let agreed = details(&mut policy, "/login;a=b").unwrap_or_default();
        rows.check(format!("{envoy:?} {action} {path}: {agreed}"), agreed.contains("unknown"), false);
    }
}

#[test]
fn empty_lists_ask_nothing_beside_full_ones() {
    let mut rows = Rows::default();
    let rule = |rule: &str| format!(r#"{{"action":"DENY","rules":[{rule}]}}"#);
    for (text, sound) in [
        (r#"{"from":[{"source":{"principals":[],"namespaces":["dev"]}}]}"#, true),
        (r#"{"from":[{"source":{"requestPrincipals":[],"principals":["a"]}}]}"#, true),
        (r#"{"from":[{"source":{"serviceAccounts":[],"namespaces":["dev"]}}]}"#, true),
        (r#"{"to":[{"operation":{"paths":[],"methods":["GET"]}}]}"#, true),
        (r#"{"when":[{"key":"source.ip","values":[],"notValues":["10.0.0.0/8"]}]}"#, true),
        (r#"{"from":[{"source":{"principals":[]}}]}"#, false),
        (r#"{"to":[{"operation":{"paths":[]}}]}"#, false),
        (r#"{"when":[{"key":"source.ip","values":[]}]}"#, false),
        (r#"{"when":[{"key":"source.ip","values":[],"notValues":[]}]}"#, false),
    ] {
        let read = policy("", &[("p", "", &rule(text))]);
        rows.check(format!("{text}: {read:?}"), read.is_ok(), sound);
        if let Err(problems) = read {
            rows.check(format!("{text}: {problems}"), problems.lines().count(), 1);
        }
    }
    // The empty list is not a clause: the rule matches what the other one matches.
    let text = rule(r#"{"to":[{"operation":{"paths":[],"methods":["GET"]}}]}"#);
    let mut policy = policy("", &[("p", "", &text)]).unwrap();
    assert_ne!(run(&mut policy, &GET, &Attributes::default()).0, Verdict::Continue);
}

#[test]
fn dry_run_is_written_as_istio_reads_it() {
    let mut rows = Rows::default();
    let spec = r#"{"action":"DENY","rules":[{}]}"#;
    for (word, enforced) in [("true", false), ("True", false), ("1", false), ("t", false), ("false", true), ("0", true)]
    {
        let metadata = format!(r#","annotations":{{"istio.io/dry-run":"{word}"}}"#);
        let mut policy = policy("", &[("p", &metadata, spec)]).unwrap();
        let (verdict, ..) = run(&mut policy, &GET, &Attributes::default());
        rows.check(word, verdict != Verdict::Continue, enforced);
    }
    assert!(policy("", &[("p", r#","annotations":{"istio.io/dry-run":"yes"}"#, spec)]).is_err());
}

#[test]
fn one_mistake_is_one_problem() {
    let mut rows = Rows::default();
    for (spec, problem) in [
        (r#"{"action":"CUSTOM","rules":[{}]}"#, "spec: `provider` is missing"),
        (r#"{"action":"CUSTOM","provider":{},"rules":[{}]}"#, "spec.provider: `name` is missing"),
        (r#"{"action":"CUSTOM","provider":{"name":"p"}}"#, "spec: a CUSTOM policy without rules"),
        (
            r#"{"action":"CUSTOM","provider":{"name":"p"},"rules":[{"when":[{"key":"request.auth.presenter","values":["a"]}]}]}"#,
            "when[0].values: a CUSTOM policy asks before",
        ),
        (r#"{"action":"DENY","provider":{"name":"p"},"rules":[{}]}"#, "spec.provider: a provider"),
        (r#"{"action":"DENNY","provider":{"name":"p"},"rules":[{}]}"#, "spec.action: `DENNY`"),
        (r#"{"action":"DENY","rules":[{"to":[{"operation":{}}]}]}"#, "operation: must not be empty"),
        (r#"{"action":"DENY","rules":[{"to":[{}]}]}"#, "to[0]: `operation` is missing"),
    ] {
        let problems = policy("", &[("p", "", spec)]).unwrap_err();
        rows.check(format!("{spec}: {problems}"), problems.contains(problem) && problems.lines().count() == 1, true);
    }
}

#[test]
fn a_policy_that_cannot_see_what_it_needs_says_so() {
    let mut rows = Rows::default();
    let blocks = r#"{"action":"DENY","rules":[{"from":[{"source":{"ipBlocks":["10.0.0.0/8"]}}]}]}"#;
    let when = r#"{"action":"ALLOW","rules":[{"when":[{"key":"source.ip","notValues":["10.0.0.0/8"]}]}]}"#;
    for (spec, path) in [
        (blocks, "$.policies[0].spec.rules[0].from[0].source.ipBlocks"),
        (when, "$.policies[0].spec.rules[0].when[0].notValues"),
    ] {
        let read = policy("", &[("p", "", spec)]).unwrap();
        let [warning] = read.warnings() else { panic!("{spec}: {:?}", read.warnings()) };
        rows.check(spec, (warning.id, warning.path.as_str()), ("direct-address-unknown", path));
        rows.contains(spec, &warning.message, "`shop/p`");
        let extra = r#","workload":{"directAddress":{"filterState":"direct"}}"#;
        rows.check(spec, policy(extra, &[("p", "", spec)]).unwrap().warnings(), []);
    }
    let dry_run = r#","annotations":{"istio.io/dry-run":"true"}"#;
    let read = policy("", &[("p", dry_run, blocks)]).unwrap();
    let ids: Vec<&str> = read.warnings().iter().map(|warning| warning.id).collect();
    rows.check("dry run", ids, vec!["dry-run-direct-address-unknown"]);
    let (verdict, counted, _) = run(&mut policy("", &[("p", "", blocks)]).unwrap(), &GET, &Attributes::default());
    let Verdict::Reply(reply) = verdict else { panic!("{verdict:?}") };
    assert_eq!(reply.details, "rbac_access_denied[direct-address-unknown]_needed_by[ns[shop]-policy[p]-rule[0]]");
    assert!(counted.iter().all(|name| name.contains("reason=unknown authz_policy=shop/p authz_rule=0")), "{counted:?}");
    let (verdict, ..) = run(&mut policy("", &[("p", "", when)]).unwrap(), &GET, &Attributes::default());
    let Verdict::Reply(reply) = verdict else { panic!("{verdict:?}") };
    assert_eq!(reply.details, "rbac_access_denied[direct-address-unknown]_needed_by[ns[shop]-policy[p]-rule[0]]");
}

#[test]
fn refusing_by_identity_with_one_name_in_sight_is_warned_of() {
    let mut rows = Rows::default();
    for (action, field, extra, warned) in [
        ("DENY", "principals", "", true),
        ("ALLOW", "notNamespaces", "", true),
        ("DENY", "notPrincipals", "", false),
        ("ALLOW", "principals", "", false),
        ("DENY", "remoteIpBlocks", "", false),
        ("DENY", "principals", r#","workload":{"peerUriSans":{"filterState":"sans"}}"#, false),
        // Certificates of Istio's have one name.
        ("DENY", "principals", r#","workload":{"proxy":"sidecar"}"#, false),
        (
            "DENY",
            "principals",
            r#","workload":{"proxy":"waypoint","labels":{"gateway.networking.k8s.io/gateway-name":"w"}}"#,
            false,
        ),
        // A gateway takes those of any authority.
        ("DENY", "principals", r#","workload":{"proxy":"gateway"}"#, true),
    ] {
        let rules = format!(r#""rules":[{{"from":[{{"source":{{"{field}":["10.0.0.1"]}}}}]}}]"#);
        // A waypoint takes policies by target.
        let target = if extra.contains("waypoint") {
            r#""targetRefs":[{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"w"}],"#
        } else {
            ""
        };
        let spec = format!(r#"{{{target}"action":"{action}",{rules}}}"#);
        let read = policy(extra, &[("p", "", &spec)]).unwrap();
        let ids: Vec<&str> = read.warnings().iter().map(|warning| warning.id).collect();
        rows.check(format!("{action} {field} {extra}"), ids, if warned { vec!["one-uri-san"] } else { vec![] });
    }
}

#[test]
fn a_waypoint_says_which_policies_it_passes_over() {
    let mut rows = Rows::default();
    let all = r#"{"action":"DENY","rules":[{}]}"#;
    let selector = r#"{"selector":{"matchLabels":{"app":"cart"}},"action":"DENY","rules":[{}]}"#;
    let target = r#"{"targetRefs":[{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"w"}]}"#;
    let gateway = r#""labels":{"gateway.networking.k8s.io/gateway-name":"w"}"#;
    for (proxy, labels, expected) in [
        ("waypoint", gateway, Some("2 with a selector")),
        ("gateway", gateway, None),
        ("waypoint", r#""labels":{"app":"cart"}"#, None),
    ] {
        let extra = format!(r#","workload":{{"proxy":"{proxy}","peerUriSans":{{"filterState":"sans"}},{labels}}}"#);
        let read = policy(&extra, &[("a", "", all), ("s", "", selector), ("t", "", target)]).unwrap();
        let warnings: Vec<_> = read.warnings().iter().map(|warning| (warning.id, &warning.message)).collect();
        match (expected, warnings.as_slice()) {
            (Some(part), [("waypoint-selector", message)]) => {
                rows.check(proxy, (message.contains(part), message.contains("`shop/a`")), (true, true));
            }
            (expected, warnings) => {
                rows.check(format!("{proxy} {warnings:?}"), warnings.len(), usize::from(expected.is_some()))
            }
        }
    }
    // Policies of other namespaces are for others on any proxy.
    let document = format!(
        r#"{{"schema":1,"name":"t","workload":{{"namespace":"other","proxy":"waypoint",{gateway}}},
            "policies":[{{"kind":"AuthorizationPolicy","metadata":{{"name":"p","namespace":"shop"}},"spec":{all}}}]}}"#
    );
    rows.check("other", Policy::compile(document.as_bytes(), &Node::default()).unwrap().warnings(), []);
}

#[test]
fn a_rule_that_matches_is_named_before_one_that_may() {
    let mut rows = Rows::default();
    let unknown = r#"{"from":[{"source":{"ipBlocks":["10.0.0.0/8"]}}]}"#;
    let plain = r#"{"to":[{"operation":{"methods":["GET"]}}]}"#;
    let never = r#"{"from":[{"source":{"ipBlocks":["10.0.0.0/8"]}}],"to":[{"operation":{"methods":["PUT"]}}]}"#;
    for (action, rules, details) in [
        ("DENY", [unknown, plain], Some("rbac_access_denied_matched_policy[ns[shop]-policy[p]-rule[1]]")),
        ("DENY", [never, plain], Some("rbac_access_denied_matched_policy[ns[shop]-policy[p]-rule[1]]")),
        ("DENY", [never, never], None),
        ("ALLOW", [unknown, plain], None),
        ("ALLOW", [never, never], Some("rbac_access_denied_matched_policy[none]")),
    ] {
        let spec = format!(r#"{{"action":"{action}","rules":[{}]}}"#, rules.join(","));
        let (verdict, ..) = run(&mut policy("", &[("p", "", &spec)]).unwrap(), &GET, &Attributes::default());
        let found = match verdict {
            Verdict::Reply(reply) => Some(reply.details),
            _ => None,
        };
        rows.check(format!("{action} {rules:?}"), found.as_deref(), details);
    }
}
