//! `weir replay` as an operator calls it: what changes, for whom, and what cannot be decided.
#![expect(clippy::indexing_slicing, clippy::panic, reason = "a test ends where it fails")]

pub(crate) mod page;
mod speed;

use crate::{Found, weir};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use weir_testing::Rows;

const OLD: &str = r#"kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]}
---
kind: AuthorizationPolicy
metadata: {name: callers, namespace: shop}
spec: {rules: [{from: [{source: {principals: ["*"]}}]}, {to: [{operation: {paths: [/health]}}]}]}
"#;

/// `/admin` is for the admin, below it too, and `/cart` asks for a header.
const NEW: &str = r#"kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec:
  action: DENY
  rules:
  - to: [{operation: {paths: ["/admin*"]}}]
    from: [{source: {notPrincipals: [td/ns/shop/sa/admin]}}]
---
kind: AuthorizationPolicy
metadata: {name: callers, namespace: shop}
spec:
  rules:
  - to: [{operation: {notPaths: [/cart, /health]}}]
  - to: [{operation: {paths: [/cart]}}]
    when: [{key: "request.headers[x-user]", values: ["*"]}]
  - to: [{operation: {paths: [/nowhere]}}]
"#;

/// A line in the format that `--print-format` prints.
fn line(path: &str, caller: Option<&str>, details: &str, more: &Value) -> String {
    let mut line = json!({
        "start_time": "2026-11-27T10:00:00.123Z", "method": "GET", "path": path, "original_path": null, "authority": "cart.shop",
        "response_code": if details.starts_with("rbac") { 403 } else { 200 }, "response_code_details": details,
        "upstream_host": null, "upstream_cluster": null, "downstream_remote_address": "10.1.2.3:5",
        "downstream_direct_remote_address": "10.1.2.3:5", "downstream_tls_version": caller.map(|_| "TLSv1.3"),
        "downstream_peer_uri_san": caller.map(|caller| format!("spiffe://td/ns/shop/sa/{caller}")), "peer_principal": null,
        "downstream_peer_dns_san": null, "downstream_peer_subject": null,
    });
    for (name, value) in more.as_object().unwrap() {
        line[name] = value.clone();
    }
    line.to_string()
}

fn denied(rule: &str) -> String {
    format!("rbac_access_denied_matched_policy[{rule}]")
}

/// Ten lines, of which some cannot be compared.
fn log() -> String {
    let rule = denied("ns[shop]-policy[no-admin]-rule[0]");
    let user = |value: Value| json!({"headers": {"x-user": value}, "joined_headers": {"x-user": value}});
    let none = json!({});
    [
        line("/admin", Some("admin"), &rule, &none),
        line("/admin?x", Some("web"), &rule, &none),
        line("/admin/keys", Some("web"), "via_upstream", &none),
        line("/admin/keys", Some("web"), "via_upstream", &none),
        line("/items", Some("web"), "via_upstream", &none),
        line("/cart", Some("web"), "via_upstream", &user(json!("ann"))),
        line("/cart", Some("web"), "via_upstream", &none),
        line("/items", None, &denied("none"), &none),
        line("/items", Some("web"), "jwt_authn_access_denied{Jwt_is_expired}", &none),
        line("/items", Some("web"), "via_upstream", &json!({"upstream_cluster": "outbound|80||a"})),
        "not a line".to_owned(),
        String::new(),
    ]
    .join("\n")
}

fn run(folder: &Path, arguments: &[&str], input: &[u8]) -> Found {
    weir(folder, "replay", arguments, input)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("weir-replay-").tempdir().unwrap();
    for (name, text) in [("old.yaml", OLD), ("new.yaml", NEW), ("a.log", &log())] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const WHOSE: [&str; 2] = ["--workload", "shop/cart"];

fn report(folder: &Path, arguments: &[&str], input: &[u8]) -> (i32, Value) {
    let arguments: Vec<&str> = arguments.iter().chain(&WHOSE).chain(&["--output", "json"]).copied().collect();
    let found = run(folder, &arguments, input);
    let report = serde_json::from_str(&found.out).unwrap_or_else(|error| panic!("{error}: {}", found.err));
    (found.code, report)
}

#[test]
fn what_changes_is_told_apart_by_rule_and_caller() {
    let folder = folder();
    let (code, report) = report(folder.path(), &["--config", "new.yaml", "a.log"], b"");
    assert_eq!(code, 1);
    let mut rows = Rows::default();
    for (path, expected) in [
        ("/lines", json!(11)),
        ("/requests", json!(10)),
        ("/compared", json!(8)),
        ("/changed", json!({"count": 4, "refused": 2, "allowed": 2})),
        ("/changes/0/count", json!(2)),
        ("/changes/0/from", json!({"decision": "allow", "rule": null, "why": "as the log says"})),
        ("/changes/0/to", json!({"decision": "deny", "rule": "shop/no-admin[0]", "why": ""})),
        ("/changes/0/callers", json!({"td/ns/shop/sa/web": 2})),
        (
            "/changes/0/examples/0",
            json!({"file": "a.log", "line": 3, "method": "GET", "host": "cart.shop", "path": "/admin/keys",
                "caller": "td/ns/shop/sa/web"}),
        ),
        ("/changes/0/examples/1/line", json!(4)),
        ("/changes/1/from", json!({"decision": "deny", "rule": "shop/no-admin[0]", "why": ""})),
        ("/changes/1/to", json!({"decision": "allow", "rule": "shop/callers[0]", "why": ""})),
        ("/changes/2/from/why", json!("no ALLOW rule matches")),
        ("/changes/2/callers", json!({"10.1.2.3": 1})),
        // The log has no `x-user` of one of them.
        ("/undecidable/count", json!(1)),
        ("/undecidable/missing/0", json!({"field": "headers.x-user", "count": 1, "policies": {"shop/callers": 1}})),
        ("/logFormat/jsonFormat/joined_headers/x-user", json!("%CEL(request.headers['x-user'])%")),
        ("/unmatched", json!([{"rule": "shop/callers[2]", "mayHaveMatched": false}])),
        ("/broken/count", json!(1)),
        ("/broken/examples/0/file", json!("a.log")),
        ("/broken/examples/0/line", json!(11)),
        (
            "/notCompared",
            json!({
                "answered before policies: jwt_authn_access_denied": 1,
                "requests of the workload itself, on its outbound listener": 1,
            }),
        ),
    ] {
        rows.check(path, report.pointer(path), Some(&expected));
    }
}

#[test]
fn old_policies_are_compared_with_new_ones_and_with_the_log() {
    let folder = folder();
    let (code, report) = report(folder.path(), &["--config", "new.yaml", "--against", "old.yaml", "a.log"], b"");
    let mut rows = Rows::default();
    rows.check("exit code", code, 1);
    for (path, expected) in [
        ("/against", json!("policies")),
        ("/changed/count", json!(4)),
        ("/changes/0/from", json!({"decision": "allow", "rule": "shop/callers[0]", "why": ""})),
        ("/answeredOtherwise/count", json!(0)),
    ] {
        rows.check(path, report.pointer(path), Some(&expected));
    }
    let (code, report) = self::report(folder.path(), &["--config", "new.yaml", "--against", "new.yaml", "a.log"], b"");
    rows.check("the same policies: exit code", code, 0);
    rows.check("the same policies", &report["changed"]["count"], &json!(0));
    // One lacks what it hangs on, and that is the same for both.
    rows.check("whatever is missing", &report["sameWhateverIsMissing"], &json!(1));
    rows.check("nothing is undecidable", &report["undecidable"]["count"], &json!(0));
    // They are not what answered.
    rows.check("answered otherwise", &report["answeredOtherwise"]["count"], &json!(4));
}

#[test]
fn logs_may_be_packed_or_standard_input() {
    let folder = folder();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(log().as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let (_, plain) = report(folder.path(), &["--config", "new.yaml", "a.log"], b"");
    let mut rows = Rows::default();
    fs::write(folder.path().join("b.log.gz"), &packed).unwrap();
    for (name, arguments, input) in [
        ("a packed file", ["--config", "new.yaml", "b.log.gz"], &b""[..]),
        ("standard input", ["--config", "new.yaml", "-"], log().as_bytes()),
        ("packed standard input", ["--config", "new.yaml", "-"], &packed),
    ] {
        let (_, report) = report(folder.path(), &arguments, input);
        for field in ["lines", "requests", "changed", "undecidable", "notCompared"] {
            rows.check(format!("{name}: {field}"), &report[field], &plain[field]);
        }
    }
}

#[test]
fn a_person_reads_what_changes_first() {
    let folder = folder();
    let text = |output: &str| {
        let found = run(folder.path(), &["--config", "new.yaml", "a.log", WHOSE[0], WHOSE[1], "--output", output], b"");
        assert_eq!(found.code, 1, "{}", found.err);
        found.out
    };
    let mut rows = Rows::default();
    let found = text("text");
    for line in [
        "4 of 8 requests of shop/cart get another answer: 2 newly refused, 2 newly allowed; 1 (12.5 %) cannot be decided from \
         this log\n",
        "newly refused: 2\n        2  refused by shop/no-admin[0], before allowed: as the log says\n           2 from \
         td/ns/shop/sa/web\n           GET cart.shop/admin/keys from td/ns/shop/sa/web  a.log:3\n",
        "undecidable: 1 (12.5 %), for the log lacks\n        1  headers.x-user\n           1 asked by shop/callers\n",
        "rules that matched no request: 1\n  shop/callers[2]\n",
        "lines that cannot be read: 1\n  a.log:11: ",
        "  json_format:\n",
    ] {
        rows.contains(line, &found, line);
    }
    let found = text("markdown");
    for line in [
        "**4 of 8 requests of shop/cart get another answer: 2 newly refused, 2 newly allowed",
        "| 2 | `refused by shop/no-admin[0], before allowed: as the log says` | 2 `td/ns/shop/sa/web` | `GET \
         cart.shop/admin/keys from td/ns/shop/sa/web (a.log:3)`<br>",
        "| 1 | `headers.x-user` | 1 `shop/callers` |\n",
        "- rules that matched no request: `shop/callers[2]`\n",
    ] {
        rows.contains(line, &found, line);
    }
}

/// What a client sends makes no line and no cell of its own.
#[test]
fn what_a_client_sent_stays_within_its_line() {
    let folder = folder();
    let hostile = line("/admin/\u{1b}[2J|`\n| 9 |", Some("web"), "via_upstream", &json!({}));
    for output in ["text", "markdown"] {
        let found = run(
            folder.path(),
            &["--config", "new.yaml", "-", WHOSE[0], WHOSE[1], "--output", output],
            hostile.as_bytes(),
        );
        assert!(!found.out.contains('\u{1b}') && !found.out.contains("\n| 9 |"), "{}", found.out);
        assert!(output == "text" || found.out.contains("\\|'"), "{}", found.out);
    }
}

#[test]
fn who_would_be_refused_if_mutual_tls_were_required_is_named() {
    let folder = folder();
    let found = run(folder.path(), &["--strict", "a.log", "--output", "json"], b"");
    let report: Value = serde_json::from_str(&found.out).unwrap();
    let expected = json!({
        "mutualTls": 8, "refused": 1, "refusedByServerNameAlone": 0, "unknown": 0,
        "callers": [{"caller": "10.1.2.3", "count": 1, "paths": {"/items": 1}, "examples": [{"file": "a.log", "line": 8,
            "method": "GET", "host": "cart.shop", "path": "/items", "caller": "10.1.2.3"}]}],
    });
    assert_eq!((found.code, &report["strict"]), (1, &expected));
    assert_eq!(report.get("changed"), None);
    let found = run(folder.path(), &["--strict", "-"], line("/", Some("web"), "via_upstream", &json!({})).as_bytes());
    assert_eq!(found.code, 0, "{}", found.err);
    assert!(found.out.contains("mutual TLS: 1 requests have it, 0 would be refused"), "{}", found.out);
}

#[test]
fn a_format_may_be_given_and_the_needed_one_printed() {
    let folder = folder();
    let format = "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE_DETAILS%";
    let lines = "GET /admin/keys via_upstream\nGET /nowhere via_upstream\nGET /x y z via_upstream\n";
    let arguments = ["--config", "new.yaml", "--log-format", format, "-"];
    let (_, report) = report(folder.path(), &arguments, lines.as_bytes());
    let mut rows = Rows::default();
    rows.check("who calls decides", &report["undecidable"]["missing"][0]["field"], &json!("source.principal"));
    rows.check("one is the same", &report["changed"]["count"], &json!(0));
    rows.contains("read in two ways", &report["broken"].to_string(), "it can be read in two ways");
    fs::write(folder.path().join("format.txt"), format).unwrap();
    let (_, of_file) =
        self::report(folder.path(), &["--config", "new.yaml", "--log-format", "format.txt", "-"], lines.as_bytes());
    rows.check("the format in a file", &of_file, &report);
    for (is_for, part) in [("envoy", "json_format:\n"), ("istio", "envoyFileAccessLog:\n")] {
        let found = run(folder.path(), &["--config", "new.yaml", "--print-format", is_for, WHOSE[0], WHOSE[1]], b"");
        rows.check(format!("{is_for}: exit code"), found.code, 0);
        rows.contains(is_for, &found.out, part);
        rows.contains(is_for, &found.out, "x-user: \"%REQ(X-USER)%\"");
    }
}

#[test]
fn wrong_use_is_no_change() {
    let folder = folder();
    fs::write(folder.path().join("bad.yaml"), "kind: AuthorizationPolicy\nmetadata: {name: a}\nspec: {acton: DENY}\n")
        .unwrap();
    let mut rows = Rows::default();
    for (arguments, input, expected) in [
        (vec!["a.log"], "", "--config <NEW>"),
        (vec!["--config", "new.yaml"], "", "LOG"),
        (vec!["--against", "old.yaml", "--strict", "a.log"], "", "--config <NEW>"),
        (vec!["--config", "new.yaml", "--workload", "shop/cart", "no.log"], "", "`no.log` cannot be read"),
        (vec!["--config", "-", "-"], "", "standard input is one of the files"),
        (
            vec!["--config", "new.yaml", "--workload", "shop/cart", "--log-format", "x", "a.log"],
            "",
            "--log-format: it has no operator",
        ),
        (vec!["--config", "bad.yaml", "--workload", "shop/cart", "a.log"], "", "the files are refused"),
        (vec!["--config", "new.yaml", "--workload", "shop/cart", "-"], "x\ny\n", "no line can be read:\nstdin:1: "),
    ] {
        let found = run(folder.path(), &arguments, input.as_bytes());
        rows.check(format!("{arguments:?}"), found.code, 2);
        rows.contains(format!("{arguments:?}"), &found.err, expected);
    }
}

/// What an expression came to is in no log: what hangs on it is counted by the expression, and by the policy that asks.
#[test]
fn expressions_cannot_be_decided_from_a_log() {
    let folder = folder();
    let deny = "kind: AuthorizationPolicy\nmetadata: {name: no-internal, namespace: shop}\nspec: {action: DENY, rules: [{to: \
                [{operation: {paths: [\"/items*\"]}}], when: [{key: cel, values: [\"request.path.contains('x')\"]}]}]}\n";
    fs::write(folder.path().join("cel.yaml"), deny).unwrap();
    fs::write(folder.path().join("other.yaml"), deny.replace("'x'", "'y'")).unwrap();
    let none = json!({});
    let lines = [line("/items", Some("web"), "via_upstream", &none), line("/cart", Some("web"), "via_upstream", &none)];
    let mut rows = Rows::default();
    for (arguments, undecidable, changed) in [
        (vec!["--config", "cel.yaml", "-"], 1, 0),
        (vec!["--config", "cel.yaml", "--against", "cel.yaml", "-"], 0, 0),
        (vec!["--config", "cel.yaml", "--against", "other.yaml", "-"], 1, 0),
    ] {
        let (code, report) = report(folder.path(), &arguments, lines.join("\n").as_bytes());
        rows.check(format!("{arguments:?}"), (code, &report["undecidable"]["count"]), (0, &json!(undecidable)));
        rows.check(format!("{arguments:?}"), report["changed"]["count"].clone(), json!(changed));
        if undecidable > 0 {
            let missing =
                json!({"field": "cel(request.path.contains('x'))", "count": 1, "policies": {"shop/no-internal": 1}});
            rows.check(format!("{arguments:?}"), &report["undecidable"]["missing"][0], &missing);
        }
    }
    // No format has it.
    let printed =
        run(folder.path(), &["--config", "cel.yaml", "--workload", "shop/cart", "--print-format", "envoy"], b"");
    assert_eq!((printed.code, printed.out.contains("contains")), (0, false), "{}", printed.out);
}
