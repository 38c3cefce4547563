//! `weir render` as an operator calls it: exit codes, what goes where, and the same bytes from the same files.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use weir_testing::Rows;

const DIGEST: &str = "sha256:0f4c1f5d3a7f4d8c9f1b2f0f6a1f3f0d5a0e6b7c8d9e0f1a2b3c4d5e6f708192";

const POLICIES: &str = r#"apiVersion: v1
kind: List
items:
- apiVersion: security.istio.io/v1
  kind: AuthorizationPolicy
  metadata: {name: public, namespace: shop}
  spec:
    selector: {matchLabels: {app: cart}}
    rules: [{to: [{operation: {paths: ["/cart*"]}}]}]
- apiVersion: security.istio.io/v1
  kind: AuthorizationPolicy
  metadata: {name: blocked, namespace: istio-system}
  spec: {action: DENY, rules: [{from: [{source: {ipBlocks: ["192.0.2.0/24"]}}]}]}
- apiVersion: security.istio.io/v1
  kind: AuthorizationPolicy
  metadata: {name: stock, namespace: shop}
  spec: {selector: {matchLabels: {app: stock}}, action: DENY, rules: [{}]}
"#;

const LIMITS: &str = "domain: shop
descriptors:
- {key: user, rate_limit: {name: per-user, unit: minute, requests_per_unit: 2}}
";

const ACTIONS: &str = "rate_limits:
- actions: [{request_headers: {header_name: x-user, descriptor_key: user}}]
";

const DOCUMENT: &str = "schema: 1
name: cart
mode: off
telemetry: {}
";

/// A folder with the files of an operator.
fn folder(prefix: &str) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    for (name, text) in
        [("policies/a.yaml", POLICIES), ("limits.yaml", LIMITS), ("actions.yaml", ACTIONS), ("cart.yaml", DOCUMENT)]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const FILES: [&str; 4] = ["policies", "limits.yaml", "actions.yaml", "cart.yaml"];

fn weir(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.current_dir(folder).envs(environment.iter().copied()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The arguments for a form, with what names the proxies.
fn arguments<'a>(form: &'a str, files: &[&'a str], context: &[&'a str]) -> Vec<&'a str> {
    let image = "oci://registry.example.com/weir/suite:1.0.0";
    let code = if form == "envoy" { ["--module-file", "/opt/weir/suite.wasm"] } else { ["--image", image] };
    let digest = if form == "envoy" { [].as_slice() } else { &["--sha256", DIGEST] };
    let common = ["render", form, "--module", "suite", "--workload", "shop/cart", "--config"];
    [&common, files, context, &code, digest].concat()
}

const SIDECAR: [&str; 6] = ["--proxy", "sidecar", "--selector", "app=cart", "--direction", "both"];
const GATEWAY: [&str; 4] = ["--proxy", "gateway", "--selector", "app=cart"];
const WAYPOINT: [&str; 4] = ["--proxy", "waypoint", "--target-ref", "Gateway/waypoint"];

#[test]
fn the_same_files_are_the_same_bytes_elsewhere() {
    let [one, other] = ["weir-render-a-", "weir-a-longer-name-"].map(folder);
    let mut rows = Rows::default();
    for form in ["envoy", "envoyfilter", "wasmplugin", "trafficextension"] {
        let reversed: Vec<&str> = FILES.iter().rev().copied().collect();
        let first = weir(one.path(), &[("LC_ALL", "C"), ("TZ", "UTC")], &arguments(form, &FILES, &SIDECAR));
        let environment = [("LC_ALL", "tr_TR.UTF-8"), ("TZ", "Pacific/Auckland"), ("HOME", "/nowhere")];
        let second = weir(other.path(), &environment, &arguments(form, &reversed, &SIDECAR));
        rows.check(form, (first.status.success(), text(&first.stderr).contains("bytes")), (true, true));
        rows.check(form, text(&first.stdout) == text(&second.stdout), true);
        let name = one.path().file_name().unwrap().to_str().unwrap();
        rows.check(format!("{form}: no path"), text(&first.stdout).contains(name), false);
    }
}

#[test]
fn validate_has_nothing_to_say_of_what_is_rendered() {
    let folder = folder("weir-render-");
    let mut rows = Rows::default();
    for form in ["envoy", "envoyfilter", "wasmplugin", "trafficextension"] {
        for context in [&SIDECAR[..], &GATEWAY, &WAYPOINT] {
            // Istio alone has waypoints, and they have no direct peer for `ipBlocks`.
            let files = if context == WAYPOINT { &FILES[1..] } else { &FILES };
            if form == "envoy" && context == WAYPOINT {
                continue;
            }
            let name = format!("{form} {}", context[1]);
            let rendered = weir(folder.path(), &[], &arguments(form, files, context));
            rows.check(&name, (rendered.status.code(), text(&rendered.stderr).contains("warning")), (Some(0), false));
            fs::write(folder.path().join("rendered.yaml"), &rendered.stdout).unwrap();
            let validated = weir(folder.path(), &[], &["validate", "rendered.yaml"]);
            let output = text(&validated.stdout) + &text(&validated.stderr);
            rows.check(
                format!("{name}: {output}"),
                (validated.status.code(), output.contains("warning")),
                (Some(0), false),
            );
            rows.check(&name, text(&rendered.stdout).contains("mode: \"off\""), true);
        }
    }
}

#[test]
fn what_goes_wrong_has_a_code_and_a_reason() {
    let folder = folder("weir-render-");
    fs::write(
        folder.path().join("custom.yaml"),
        POLICIES.replace("action: DENY, rules: [{from", "action: CUSTOM, rules: [{from"),
    )
    .unwrap();
    fs::write(folder.path().join("nameless.yaml"), POLICIES.replace(", namespace: shop", "")).unwrap();
    let with = |files: &[&'static str], more: &[&'static str]| {
        [arguments("wasmplugin", files, &SIDECAR), more.to_vec()].concat()
    };
    let rows: [(&str, Vec<&str>, i32, &str); 5] = [
        ("usage", with(&FILES, &["--snippet"]), 2, "weir: --snippet is not for form wasmplugin"),
        ("no such file", with(&["none.yaml"], &[]), 2, "`none.yaml` cannot be read"),
        ("refused by the core", with(&["custom.yaml"], &[]), 1, "action `CUSTOM` is not supported"),
        ("no namespace", with(&["nameless.yaml"], &[]), 1, "AuthorizationPolicy `public` has no `metadata.namespace`"),
        ("a namespace for all", with(&["nameless.yaml"], &["--namespace", "shop"]), 0, "2 of 3 AuthorizationPolicies"),
    ];
    let mut table = Rows::default();
    for (name, arguments, code, expected) in rows {
        let output = weir(folder.path(), &[], &arguments);
        table.check(name, (output.status.code(), output.stdout.is_empty()), (Some(code), code != 0));
        table.contains(name, &text(&output.stderr), expected);
    }
}
