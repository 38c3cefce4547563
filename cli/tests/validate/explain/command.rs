//! The command: exit codes, damaged inputs, help, and the example of its page.

use super::{LOG_LINE, POLICIES, folder, run};
use std::fs;
use std::path::Path;
use std::process::Command;
use weir_testing::Rows;

#[test]
fn the_exit_code_is_for_a_gate() {
    let folder = folder();
    let path = folder.path();
    let broken = POLICIES.replacen("paths", "path", 1);
    let requests = "{\"path\":\"/nowhere\"}\n\n{\"path\":\"x\"}\n{\"path\":\n";
    fs::write(path.join("good.jsonl"), "{\"path\":\"/nowhere\"}\n{\"path\":\"/x\"}\n").unwrap();
    fs::write(path.join("other.yaml"), "kind: Service\n").unwrap();
    let target = "{group: gateway.networking.k8s.io, kind: Gateway, name: way}";
    let waypoint = format!(
        "kind: AuthorizationPolicy\nmetadata: {{name: w, namespace: shop}}\nspec: {{targetRefs: [{target}], action: DENY, rules: [{{}}]}}\n"
    );
    fs::write(path.join("waypoint.yaml"), waypoint).unwrap();
    let of = |more: &[&'static str]| [&["policies.yaml", "--workload", "shop/cart"], more].concat();
    let mut rows = Rows::default();
    for (name, arguments, input, code, line) in [
        ("as expected", of(&["--path", "/nowhere", "--expect", "deny"]), "", 0, "deny: "),
        ("not so", of(&["--path", "/nowhere", "--expect", "allow"]), "", 1, "expected allow, and the answer is deny"),
        (
            "undecided",
            of(&["--log-line", LOG_LINE, "--expect", "deny"]),
            "",
            1,
            "expected deny, and the answer is undecided",
        ),
        ("many", of(&["--requests", "good.jsonl", "--expect", "deny"]), "", 0, "\"decision\":\"deny\""),
        (
            "many, not so",
            of(&["--requests", "good.jsonl", "--expect", "allow"]),
            "",
            1,
            "2 of 2 answers are not as expected",
        ),
        ("damaged lines", of(&["--requests", "-"]), requests, 2, "2 of 3 lines of `stdin` cannot be used"),
        ("their place", of(&["--requests", "-"]), requests, 2, "stdin:3:2: $.path: expected a path"),
        ("no such requests", of(&["--requests", "no.jsonl"]), "", 2, "`no.jsonl` cannot be read"),
        ("nothing asked", of(&[]), "", 2, "what is asked about is missing"),
        ("two requests", of(&["--request", "{}", "--log-line", "x"]), "", 2, "cannot be used with"),
        ("a bad flag", of(&["--header", "x"]), "", 2, "--header x: write `NAME: VALUE`"),
        ("a bad path", of(&["--path", "x"]), "", 2, "--path x: a path begins with `/`"),
        ("a damaged log line", of(&["--log-line", "GET /"]), "", 2, "--log-line: not a line of Istio's access log"),
        ("no policies", vec!["--path", "/"], "", 2, "<PATH>"),
        ("no such file", vec!["no.yaml", "--path", "/"], "", 2, "`no.yaml` cannot be read"),
        (
            "broken policies",
            vec!["-", "--workload", "shop/cart", "--path", "/"],
            &broken,
            1,
            "$.spec.rules[0].to[0].operation.path",
        ),
        (
            "their line",
            vec!["-", "--workload", "shop/cart", "--path", "/"],
            &broken,
            1,
            "stdin:7:23: error: AuthorizationPolicy shop/no-admin",
        ),
        ("both on standard input", vec!["-", "--workload", "shop/cart", "--request", "-"], "", 2, "and not both"),
        ("which workload", vec!["policies.yaml", "--path", "/"], "", 2, "choose one with --workload"),
        (
            "a waypoint",
            vec!["waypoint.yaml", "--workload", "shop/way", "--proxy", "waypoint", "--path", "/"],
            "",
            0,
            "deny: shop/w rule 0 (DENY) matches\n\nconsidered for shop/way: 1 policy with 1 rule\n",
        ),
        (
            "another workload",
            vec!["waypoint.yaml", "--workload", "shop/cart", "--path", "/"],
            "",
            1,
            "so every request would pass",
        ),
        (
            "another workload, on purpose",
            vec!["waypoint.yaml", "--workload", "shop/cart", "--path", "/", "--allow-no-policies"],
            "",
            0,
            "allow: no policy in force is for the workload",
        ),
        (
            "none for it",
            vec!["other.yaml", "--workload", "shop/cart", "--path", "/"],
            "",
            0,
            "allow: no policy in force is for the workload",
        ),
    ] {
        let found = run(path, &arguments, input);
        rows.check(format!("{name}: {}", found.err), found.code, code);
        rows.contains(name, &(found.out + &found.err), line);
    }
}

/// Policies come as they are deployed too: in a bootstrap, or in a manifest.
#[test]
fn a_bootstrap_has_policies_too() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let arguments = ["envoy-configs/envoy.yaml", "--path", "/admin/users", "--expect", "deny"];
    let found = run(&workspace, &arguments, "");
    assert_eq!((found.code, found.out.starts_with("deny: ")), (0, true), "{}{}", found.out, found.err);
}

#[test]
fn help_has_examples_and_shells_complete_it() {
    let folder = folder();
    let help = run(folder.path(), &["--help"], "");
    let examples: Vec<&str> = help.out.lines().filter(|line| line.starts_with("  weir explain ")).collect();
    assert!(help.code == 0 && examples.len() >= 4 && help.out.contains("Exit codes: 0"), "{}", help.out);
    for line in ["explain", "--log-line", "--all-rules"] {
        let output = Command::new(env!("CARGO_BIN_EXE_weir")).args(["completions", "bash"]).output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().contains(line));
    }
}

/// The example of the page is what the command prints.
#[test]
fn the_page_shows_what_is_printed() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let page = fs::read_to_string(workspace.join("docs/policy.md")).unwrap();
    let section = page.split("## Why was this request refused?").nth(1).unwrap();
    let block = |language: &str| {
        let text = section.split(&format!("```{language}\n")).nth(1).unwrap();
        text.split("```").next().unwrap().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policies.yaml"), block("yaml")).unwrap();
    let command = block("sh").replace("\\\n", "");
    let arguments: Vec<&str> = command.strip_prefix("weir explain ").unwrap().split_whitespace().collect();
    let found = run(folder.path(), &arguments, "");
    assert_eq!((found.code, found.out), (0, block("text")), "{}", found.err);
}
