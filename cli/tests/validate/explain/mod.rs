//! `weir explain` as an operator calls it: what it answers.
#![expect(clippy::indexing_slicing, clippy::panic, reason = "a test ends where it fails")]

mod command;
mod expressions;
mod istio;

use crate::{Found, weir};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use weir_testing::Rows;

const POLICIES: &str = r#"apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec:
  action: DENY
  rules:
  - to: [{operation: {paths: [/nowhere]}}]
  - to: [{operation: {paths: [/admin, /admin/*], notMethods: [GET]}}]
    from: [{source: {notPrincipals: [cluster.local/ns/shop/sa/admin]}}, {source: {namespaces: [other]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: public, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  rules:
  - to: [{operation: {methods: [GET, POST], hosts: [Cart.shop]}}]
    when: [{key: "request.headers[x-user]", values: ["a*"], notValues: [abe]}]
  - from: [{source: {ipBlocks: [10.0.0.0/8], requestPrincipals: ["*"]}}]
    when: [{key: "request.auth.claims[groups]", values: [staff]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: trial, namespace: shop, annotations: {istio.io/dry-run: "true"}}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/cart*]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: trial-2, namespace: shop, annotations: {istio.io/dry-run: "true"}}
spec: {rules: [{to: [{operation: {ports: ["80"]}}]}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: stock, namespace: shop}
spec: {selector: {matchLabels: {app: stock}}, action: DENY, rules: [{}]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: seen, namespace: shop}
spec: {action: AUDIT, rules: [{}]}
"#;

const LOG_LINE: &str = "[2026-11-27T10:00:00.123Z] \"POST /admin/x HTTP/1.1\" 403 - \
    rbac_access_denied_matched_policy[ns[shop]-policy[no-admin]-rule[1]] - \"-\" 0 19 1 - \"-\" \"curl\" \"c0ffee\" \"cart.shop\" \
    \"-\" inbound|8080|| - 10.244.1.20:8080 10.244.1.10:51234 - default";

fn run(folder: &Path, arguments: &[&str], input: &str) -> Found {
    weir(folder, "explain", arguments, input.as_bytes())
}

/// A folder with the policies, and the answer in JSON.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("weir-explain-").tempdir().unwrap();
    fs::write(folder.path().join("policies.yaml"), POLICIES).unwrap();
    folder
}

fn answer(arguments: &[&str]) -> Value {
    let folder = folder();
    let all = [&["policies.yaml", "--workload", "shop/cart", "--output", "json"], arguments].concat();
    let found = run(folder.path(), &all, "");
    serde_json::from_str(&found.out).unwrap_or_else(|_| panic!("{arguments:?}: {}", found.err))
}

/// Each clause as a line: policy, rule, place, field, outcome, and what was compared.
fn clauses(answer: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let list = |value: &Value, name: &str| value[name].as_array().unwrap().clone();
    for policy in list(answer, "policies") {
        for rule in list(&policy, "rules") {
            let name = format!("{} {}", policy["policy"].as_str().unwrap(), rule["rule"]);
            lines.push(format!("{name} {}", rule["outcome"].as_str().unwrap()));
            for part in list(&rule, "parts") {
                for (number, item) in list(&part, "items").iter().enumerate() {
                    for clause in list(item, "clauses") {
                        let text = |name: &str| clause[name].as_str().unwrap_or_default().to_owned();
                        let not = if clause["negated"] == true { "!" } else { "" };
                        lines.push(format!(
                            "{name} {}[{number}] {not}{} {} {} {}{}",
                            part["part"].as_str().unwrap(),
                            text("field"),
                            clause["values"],
                            text("outcome"),
                            clause["compared"],
                            text("missing") + &text("unknown")
                        ));
                    }
                }
            }
        }
    }
    lines
}

const ADMIN: &str = "{method: POST, path: '/admin/x?y', host: CART.shop, headers: {x-user: [abe, ann]}, \
    source: {ip: 10.1.2.3, principal: 'spiffe://cluster.local/ns/shop/sa/web'}, jwt: {claims: {iss: i, sub: s, groups: [x, staff]}}}";

#[test]
fn every_clause_has_its_outcome_and_what_it_was_compared_with() {
    let expected = r#"shop/no-admin 0 not_matched
shop/no-admin 0 to[0] paths ["/nowhere"] not_matched ["/admin/x"]
shop/no-admin 1 matched
shop/no-admin 1 from[0] !notPrincipals ["cluster.local/ns/shop/sa/admin"] matched ["cluster.local/ns/shop/sa/web"]
shop/no-admin 1 from[1] namespaces ["other"] not_matched ["cluster.local/ns/shop/sa/web"]
shop/no-admin 1 to[0] !notMethods ["GET"] matched ["POST"]
shop/no-admin 1 to[0] paths ["/admin","/admin/*"] matched ["/admin/x"]
shop/public 0 not_matched
shop/public 0 to[0] hosts ["Cart.shop"] matched ["cart.shop"]
shop/public 0 to[0] methods ["GET","POST"] matched ["POST"]
shop/public 0 when[0] request.headers[x-user] ["a*"] matched ["abe","ann"]
shop/public 0 when[0] !request.headers[x-user] ["abe"] not_matched ["abe","ann"]
shop/public 1 matched
shop/public 1 from[0] requestPrincipals ["*"] matched ["i/s"]
shop/public 1 from[0] ipBlocks ["10.0.0.0/8"] matched ["10.1.2.3"]
shop/public 1 when[0] request.auth.claims[groups] ["staff"] matched ["x","staff"]
shop/seen 0 matched
shop/trial 0 not_matched
shop/trial 0 to[0] paths ["/cart*"] not_matched ["/admin/x"]
shop/trial-2 0 unknown
shop/trial-2 0 to[0] ports ["80"] unknown []destination.port"#;
    let answer = answer(&["--request", ADMIN]);
    assert_eq!(clauses(&answer), expected.lines().collect::<Vec<_>>());
    let fields = ["decision", "policy", "rule", "reason", "limits", "mode"].map(|name| answer[name].clone());
    assert_eq!(json!(fields), json!(["deny", "shop/no-admin", 1, "matched", [], "enforce"]));
    let labels = json!({"authz_policy": "shop/no-admin", "authz_rule": "1", "decision": "deny", "mode": "enforced",
        "reason": "matched", "weir_plugin": "cart"});
    assert_eq!(answer["labels"], labels);
    // What never changes a decision is named, and what is for others is not.
    let names: Vec<&Value> = answer["policies"].as_array().unwrap().iter().map(|policy| &policy["policy"]).collect();
    assert_eq!(json!(names), json!(["shop/no-admin", "shop/public", "shop/seen", "shop/trial", "shop/trial-2"]));
    let shadow: Vec<Value> =
        answer["shadow"].as_array().unwrap().iter().map(|one| json!([one["of"], one["decision"]])).collect();
    assert_eq!(json!(shadow), json!([["shop/trial", "allow"], ["shop/trial-2", "undecided"], ["all", "undecided"]]));
}

#[test]
fn answers_name_the_rule_or_what_they_hang_on() {
    let mut rows = Rows::default();
    for (name, arguments, expected) in [
        ("a match", vec!["--path", "/nowhere"], json!(["deny", "shop/no-admin", 0, "matched", null])),
        (
            "flags",
            vec!["--path", "/x", "--host", "cart.shop", "--header", "x-user: ann"],
            json!(["allow", "shop/public", 0, "matched", null]),
        ),
        ("no match", vec!["--path", "/x"], json!(["deny", null, null, "no_match", null])),
        (
            "claims",
            vec![
                "--path",
                "/x",
                "--direct-ip",
                "10.0.0.1",
                "--claim",
                "iss=i",
                "--claim",
                "sub=s",
                "--claim",
                "groups=staff",
            ],
            json!(["allow", "shop/public", 1, "matched", null]),
        ),
        (
            "an address that every request has and this one does not say",
            vec!["--path", "/x", "--claim", "iss=i", "--claim", "sub=s", "--claim", "groups=staff"],
            json!(["undecided", "shop/public", 1, "unknown", ["source.directIp"]]),
        ),
        (
            "a log line",
            vec!["--log-line", LOG_LINE],
            json!([
                "undecided",
                "shop/no-admin",
                1,
                "unknown",
                ["headers.x-user", "source.principal", "source.directIp", "jwt.claims.{iss,sub}", "jwt.claims.groups"]
            ]),
        ),
        (
            "what it lacks is given",
            vec!["--log-line", LOG_LINE, "--principal", "cluster.local/ns/shop/sa/web"],
            json!(["deny", "shop/no-admin", 1, "matched", null]),
        ),
        (
            "what it lacks of the other rules",
            vec!["--log-line", LOG_LINE, "--principal", "cluster.local/ns/shop/sa/admin", "--header", "x-user: bob"],
            json!([
                "undecided",
                "shop/public",
                1,
                "unknown",
                ["source.directIp", "jwt.claims.{iss,sub}", "jwt.claims.groups"]
            ]),
        ),
        (
            "a line that is decided all the same",
            vec!["--log-line", LOG_LINE, "--path", "/nowhere"],
            json!(["deny", "shop/no-admin", 0, "matched", null]),
        ),
    ] {
        let answer = answer(&arguments);
        let found = ["decision", "policy", "rule", "reason", "missing"].map(|name| answer[name].clone());
        rows.check(name, json!(found), expected);
    }
}

/// What the filter cannot read it refuses for, and the answer says so. So it does of modes.
#[test]
fn a_document_alone_is_explained_as_it_stands() {
    let document = |more: &str| {
        format!(
            "schema: 1\nname: cart\n{more}policy:\n  workload: {{namespace: shop, labels: {{}}}}\n  policies:\n  - kind: \
             AuthorizationPolicy\n    metadata: {{name: blocked, namespace: shop}}\n    spec: {{action: DENY, rules: [{{from: \
             [{{source: {{ipBlocks: [192.0.2.0/24]}}}}]}}]}}\n"
        )
    };
    let folder = folder();
    let mut rows = Rows::default();
    for (more, expected, line) in [
        (
            "",
            json!(["deny", "shop/blocked", "unknown", "direct-address", "enforce"]),
            "deny: shop/blocked rule 0 cannot be decided, because the filter cannot read direct-address (`workload.directAddress`",
        ),
        (
            "mode: shadow\n",
            json!(["deny", "shop/blocked", "unknown", "direct-address", "shadow"]),
            "mode shadow: the decision is counted, and no request is refused",
        ),
        ("mode: off\n", json!(["allow", null, "off", null, "off"]), "allow: the policies of the document are off"),
    ] {
        fs::write(folder.path().join("cart.yaml"), document(more)).unwrap();
        let arguments = ["cart.yaml", "--source-ip", "10.0.0.1", "--path", "/"];
        let found = run(folder.path(), &[&arguments[..], &["--output", "json"]].concat(), "");
        let answer: Value = serde_json::from_str(&found.out).unwrap();
        let fields = ["decision", "policy", "reason", "unknown", "mode"].map(|name| answer[name].clone());
        rows.check(more, json!(fields), expected);
        rows.contains(more, &run(folder.path(), &arguments, "").out, line);
    }
}

#[test]
fn people_read_the_decision_first() {
    let folder = folder();
    let found = run(folder.path(), &["policies.yaml", "--workload", "shop/cart", "--request", "-"], ADMIN);
    let expected = "deny: shop/no-admin rule 1 (DENY) matches
dry run, shop/trial alone: would allow: no DENY rule matches, and there is no ALLOW policy
dry run, shop/trial-2 alone: undecided: shop/trial-2 rule 0 and perhaps others hang on destination.port, which the request \
does not say
dry run, all policies under dry run: undecided: shop/trial-2 rule 0 and perhaps others hang on destination.port, which the \
request does not say

considered for shop/cart: 5 policies with 7 rules

shop/no-admin (DENY)
  rule 0 does not match
    no  to: paths /nowhere <- path is /admin/x
  rule 1 matches
    yes from[0]: notPrincipals cluster.local/ns/shop/sa/admin <- source.principal is cluster.local/ns/shop/sa/web
    no  from[1]: namespaces other <- source.principal is cluster.local/ns/shop/sa/web
    yes to: notMethods GET <- method is POST
    yes to: paths /admin, /admin/* <- path is /admin/x
";
    assert!(found.out.starts_with(expected), "{}", found.out);
    assert!(found.out.contains("\nshop/seen (AUDIT)\n  changes no decision\n  rule 0 matches"), "{}", found.out);
}

/// Of many rules those are printed that are nearest to matching.
#[test]
fn a_long_list_of_rules_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "kind: AuthorizationPolicy\nmetadata: {name: many, namespace: shop}\nspec:\n  rules:\n".to_owned();
    for number in 0..300 {
        writeln!(text, "  - to: [{{operation: {{methods: [PUT], paths: [/a/{number}]}}}}]").unwrap();
    }
    text += "  - to: [{operation: {methods: [PUT], paths: [/cart]}}]\n";
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    let arguments = ["p.yaml", "--workload", "shop/cart", "--path", "/cart"];
    let found = run(folder.path(), &arguments, "").out;
    assert!(found.contains("rule 300 does not match\n    no  to: methods PUT <- method is GET\n"), "{found}");
    assert!(
        found.contains("300 more rules do not match: --all-rules prints them") && !found.contains("/a/7"),
        "{found}"
    );
    let found = run(folder.path(), &[&arguments[..], &["--all-rules"]].concat(), "").out;
    assert!(found.contains("/a/299") && !found.contains("more rules"), "{found}");
}

#[test]
fn many_requests_are_answered_in_their_order_and_fast() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "kind: AuthorizationPolicy\nmetadata: {name: many, namespace: shop}\nspec:\n  rules:\n".to_owned();
    for number in 0..200 {
        writeln!(text, "  - to: [{{operation: {{paths: [/a/{number}]}}}}]").unwrap();
    }
    fs::write(folder.path().join("p.yaml"), text).unwrap();
    let requests: String = (0..3000).map(|number| format!("{{\"path\":\"/a/{}\"}}\n", number % 400)).collect();
    #[expect(clippy::disallowed_methods, reason = "the time of a command")]
    let begun = Instant::now();
    let found = run(folder.path(), &["p.yaml", "--workload", "shop/cart", "--requests", "-"], &requests);
    let taken = begun.elapsed();
    let answers: Vec<Value> = found.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = |number: usize| if number % 400 < 200 { json!(number % 400) } else { Value::Null };
    assert!(
        answers.iter().enumerate().all(|(number, answer)| answer["rule"] == expected(number)) && answers.len() == 3000
    );
    // A release build answers a hundred thousand a second; this one is not optimised.
    assert!(taken < Duration::from_secs(10), "{taken:?}");
}
