//! `weir validate` as an operator calls it: files as they are kept, exit codes, and forms of output.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod analyze;
mod attachment;
mod explain;
mod limits;
mod objects;
mod replay;

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use weir_testing::Rows;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Exit code and standard output of `weir validate` with these arguments and that standard input.
fn validate(folder: &Path, arguments: &[&str], input: &str) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.current_dir(folder).arg("validate").args(arguments).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that refuses its arguments reads nothing.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// What came of a command.
struct Found {
    code: i32,
    out: String,
    err: String,
}

/// Runs a command of `weir` in a folder with that standard input.
fn weir(folder: &Path, command: &str, arguments: &[&str], input: &[u8]) -> Found {
    let mut run = Command::new(env!("CARGO_BIN_EXE_weir"));
    run.current_dir(folder).arg(command).args(arguments).stdin(Stdio::piped());
    let mut child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Usage errors end the command before it reads.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Found { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn here(arguments: &[&str], input: &str) -> (i32, String) {
    validate(Path::new("."), arguments, input)
}

/// Whether the lines that a report has of standard input begin with these, one each.
fn has_lines(report: &str, expected: &[&str]) -> bool {
    let found: Vec<&str> = report.lines().filter_map(|line| line.strip_prefix("stdin:")).collect();
    found.len() == expected.len() && found.iter().zip(expected).all(|(line, start)| line.starts_with(start))
}

/// The files of `corpus` are of the kinds that operators keep in one repository, and `corpus.txt` has every line about them.
#[test]
fn a_repository_has_exactly_these_findings() {
    let expected = std::fs::read_to_string(tests().join("corpus.txt")).unwrap();
    let (code, output) = validate(&tests(), &["corpus"], "");
    assert_eq!(output, expected, "corpus.txt and the command differ");
    assert_eq!(code, 1);
}

const WEIR: &str = "schema: 1
form: envoyfilter
moduleFiles: {suite: /opt/weir/suite.wasm}
workloads:
- {namespace: shop, name: cart, selector: {app: cart}, policies: ['policies/*.yaml']}
";
const POLICY: &str =
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\nspec: {rules: [{}]}\n";

#[test]
fn the_exit_code_is_for_a_gate() {
    let bad = POLICY.replace("rules", "rulez");
    let misnamed = POLICY.replace("name: a", "name: a..b");
    let doubtful = POLICY.replace("rules: [{}]", "rules: []");
    let mut rows = Rows::default();
    for (name, arguments, input, code, line) in [
        ("valid", vec!["-n", "shop", "-"], POLICY, 0, "1 file: 1 AuthorizationPolicy: no errors\n"),
        ("no namespace", vec!["-"], POLICY, 1, "stdin:3:1: error: AuthorizationPolicy a: $.metadata: "),
        ("an error", vec!["-n", "shop", "-"], &bad, 1, "$.spec.rulez: unknown field; did you mean `rules`?"),
        ("a warning", vec!["-n", "shop", "-"], &doubtful, 0, "1 file: 1 AuthorizationPolicy: no errors, 1 warning\n"),
        ("silenced", vec!["-n", "shop", "--silence", "x,refuses-all", "-"], &doubtful, 0, "no errors\n"),
        ("warnings as errors", vec!["-n", "shop", "--warnings-as-errors", "-"], &doubtful, 1, "[refuses-all]"),
        ("nothing", vec!["-"], "kind: Service\n", 0, "1 file: no document of Weir"),
        ("a weir.yaml", vec!["--require", "-"], WEIR, 0, "1 file: 1 `weir.yaml`: no errors\n"),
        (
            "a field of weir.yaml",
            vec!["-"],
            &WEIR.replace("selector", "selectr"),
            1,
            "stdin:5:33: error: $.workloads[0].selectr: unknown field; did you mean `selector`?",
        ),
        (
            "what fits no form",
            vec!["-"],
            &WEIR.replace("envoyfilter", "envoyfilter\nphase: AUTHN"),
            1,
            "$.workloads[0]: shop/cart: `phase` is not for form envoyfilter",
        ),
        (
            "a module's image",
            vec!["-"],
            &WEIR.replace("{suite: /", "{suite: /opt/policy.wasm, policy: /"),
            1,
            "`/opt/policy.wasm` is the module policy, and suite is to be loaded: give its own",
        ),
        ("no selector", vec!["-"], &WEIR.replace(", selector: {app: cart}", ""), 1, "shop/cart: `selector` is missing"),
        ("nothing, and something is asked for", vec!["--require", "-"], "kind: Service\n", 1, "passed over: Service"),
        ("something is asked for", vec!["--require", "-n", "shop", "-"], POLICY, 0, "no errors"),
        ("empty", vec!["-"], "", 0, "1 file: no document of Weir"),
        ("not there", vec!["nowhere.yaml"], "", 2, ""),
        ("a namespace that is none", vec!["-n", "a.b", "-"], POLICY, 2, ""),
        (
            "a name that is none",
            vec!["-n", "shop", "-"],
            &misnamed,
            1,
            "stdin:3:12: error: AuthorizationPolicy shop/a..b: $.metadata.name: `a..b` is not a name",
        ),
        (
            "a namespace in a file",
            vec!["-"],
            "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: a, namespace: Shop}\nspec: {config: {root_id: weir, vm_config: {}, \
             configuration: {value: {schema: 1, name: a, telemetry: {}}}}}\n",
            1,
            "stdin:3:21: error: EnvoyFilter Shop/a: $.metadata.namespace: `Shop` is not a namespace",
        ),
    ] {
        let (found, output) = here(&arguments, input);
        rows.check(name, found, code);
        rows.contains(name, &output, line);
    }
}

/// One line for what is said of several places in the same words; programs get each place.
#[test]
fn what_is_said_of_several_places_is_said_once() {
    let nameless: String =
        (0..6).map(|number| format!("{}---\n", POLICY.replace("name: a", &format!("name: a{number}")))).collect();
    let list = "kind: List\nitems:\n- {kind: AuthorizationPolicy, metadata: {name: a}, spec: {rules: [{}]}}\n\
                - {kind: AuthorizationPolicy, metadata: {name: b}, spec: {rules: [{}]}}\n";
    let missing = "`namespace` is missing: write it, or give it as --namespace, as to kubectl";
    let mut rows = Rows::default();
    for (name, input, expected) in [
        (
            "several objects",
            nameless.as_str(),
            format!(
                "stdin:3:1: error: AuthorizationPolicy a0: $.metadata: {missing} (also at 8:1, 13:1, 18:1 and 2 other places)\n\
                 1 file: 6 AuthorizationPolicies: 6 errors\n"
            ),
        ),
        (
            "items of a list",
            list,
            format!(
                "stdin:3:31: error: AuthorizationPolicy a: $.items[0].metadata: {missing} (also at 4:31)\n1 file: 2 \
                 AuthorizationPolicies: 2 errors\n"
            ),
        ),
        (
            "kinds that are passed over",
            "kind: Service\n---\nkind: Service\n---\nkind: Deployment\n---\na: 1\n---\nb: 1\n",
            "1 file: no document of Weir (it begins with `schema: 1`): no errors\npassed over: Deployment, Service (2), other YAML \
             (2)\n"
                .to_owned(),
        ),
    ] {
        rows.check(name, here(&["-"], input).1, expected);
    }
    let (_, output) = here(&["--output", "json", "-"], &nameless);
    let report: Value = serde_json::from_str(&output).unwrap();
    rows.check("programs", report["findings"].as_array().map(Vec::len), Some(6));
}

#[test]
fn programs_get_what_people_get() {
    let input = POLICY.replace("metadata: {name: a}", "metadata: {name: a, namespace: shop}").replace("rules", "rulez");
    let (code, output) = here(&["--output", "json", "-"], &input);
    let report: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((code, &report["errors"], &report["policies"]), (1, &json!(1), &json!(1)));
    let message = "unknown field; did you mean `rules`?";
    let finding = json!({
        "file": "stdin", "line": 4, "column": 8, "severity": "error", "id": null, "message": message,
        "object": "AuthorizationPolicy shop/a", "path": "$.spec.rulez",
    });
    assert_eq!(report["findings"][0], finding);

    let (_, output) = here(&["--output", "sarif", "-"], &input);
    let report: Value = serde_json::from_str(&output).unwrap();
    let result = &report["runs"][0]["results"][0];
    assert_eq!((&report["version"], &result["level"]), (&json!("2.1.0"), &json!("error")));
    let location = &result["locations"][0]["physicalLocation"];
    assert_eq!(location["region"], json!({"startLine": 4, "startColumn": 8}));
    assert_eq!(location["artifactLocation"]["uri"], "stdin");
    let rules: Vec<&Value> = report["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap().iter().collect();
    assert_eq!(rules, [&json!({"id": result["ruleId"]})]);

    let (_, output) = here(&["--output", "github", "-"], &input);
    let start = "::error file=stdin,line=4,col=8,title=AuthorizationPolicy shop/a::$.spec.rulez: unknown field";
    assert!(output.starts_with(start), "{output}");
}

/// How many rules every request is checked against, and which, is printed if nothing is wrong.
#[test]
fn rules_that_no_value_leads_to_are_named() {
    let path = || json!({"to": [{"operation": {"paths": ["/a"]}}]});
    let negation = || json!({"to": [{"operation": {"notPaths": ["/a"]}}]});
    let policy = |name: &str, namespace: &str, rules: Vec<Value>| {
        let metadata = json!({"name": name, "namespace": namespace});
        json!({"kind": "AuthorizationPolicy", "metadata": metadata, "spec": {"rules": rules}})
    };
    let files =
        |policies: &[Value]| policies.iter().fold(String::new(), |text, policy| format!("{text}---\n{policy}\n"));
    let document = |mut section: Value, policies: &[Value]| {
        section["policies"] = json!(policies);
        json!({"schema": 1, "name": "cart", "policy": section}).to_string()
    };
    let of = |namespace: &str| {
        [policy("a", "shop", vec![path()]), policy("b", namespace, vec![negation(), path(), negation()])]
    };
    let workload = json!({"workload": {"namespace": "shop", "labels": {"app": "cart"}}});
    let wrong = [&of("shop")[..], &[policy("c", "shop", vec![json!({"too": []})])]].concat();
    let many: Vec<Value> = (0..30).map(|number| policy(&format!("n{number:02}"), "shop", vec![negation()])).collect();
    let mut rows = Rows::default();
    for (name, input, line, always) in [
        ("none", files(&[policy("a", "shop", vec![path()])]), "\n0 of 1 rule is tried on every request\n", json!([])),
        (
            "some",
            files(&of("shop")),
            "\n2 of 4 rules are tried on every request: shop/b[0], shop/b[2]\n",
            json!(["shop/b[0]", "shop/b[2]"]),
        ),
        (
            "in a document",
            document(json!({}), &of("shop")),
            "\n2 of 4 rules are tried on every request: shop/b[0], shop/b[2]\n",
            json!(["shop/b[0]", "shop/b[2]"]),
        ),
        (
            "those for the workload",
            document(workload, &of("other")),
            "\n0 of 1 rule is tried on every request\n",
            json!([]),
        ),
        ("no policies", WEIR.to_owned(), "no errors\n", json!([])),
        ("mistakes first", files(&wrong), "1 error\n", json!(["shop/b[0]", "shop/b[2]"])),
    ] {
        let (_, output) = here(&["-"], &input);
        rows.check(format!("{name}: {output}"), output.ends_with(line), true);
        let (_, output) = here(&["--output", "json", "-"], &input);
        let report: Value = serde_json::from_str(&output).unwrap();
        rows.check(name, &report["rules"]["alwaysTried"], &always);
    }
    let (_, output) = here(&["-"], &files(&many));
    let expected = "30 of 30 rules are tried on every request: shop/n00[0], shop/n01[0], shop/n02[0], shop/n03[0], \
                    shop/n04[0], shop/n05[0], shop/n06[0], shop/n07[0] and 22 more (`--output json` has all)\n";
    rows.check("many", output.lines().last().map(|line| format!("{line}\n")), Some(expected.to_owned()));
}

/// Three thousand policies of as many selectors took 47 s once: each was compiled for each workload.
#[test]
fn the_time_grows_with_the_policies_and_no_faster() {
    let mut text = String::new();
    for number in 0..3000 {
        writeln!(
            text,
            "---\nkind: AuthorizationPolicy\nmetadata: {{name: p{number}, namespace: n{}}}\nspec: {{selector: {{matchLabels: \
             {{app: a{number}}}}}, rules: [{{to: [{{operation: {{paths: [/a/{number}]}}}}]}}]}}",
            number % 100
        )
        .unwrap();
    }
    #[expect(clippy::disallowed_methods, reason = "the time of a command")]
    let begun = Instant::now();
    let (code, output) = here(&["-"], &text);
    let taken = begun.elapsed();
    let expected = "1 file: 3000 AuthorizationPolicies: no errors\n0 of 3000 rules are tried on every request\n";
    assert_eq!((code, output.as_str()), (0, expected));
    // A release build takes a tenth of a second; this one is not optimised.
    assert!(taken < Duration::from_secs(10), "{taken:?}");
}
