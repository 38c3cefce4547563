//! `weir render --all` and `weir diff` as an operator calls them, on a `weir.yaml` with several workloads.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends where it fails")]

mod drift;
mod lost;
mod policies;

use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use weir_testing::Rows;

const COMPOSITION: &str = "
schema: 1
form: envoyfilter
images: {suite: 'oci://registry.example.com/weir/suite@sha256:0f4c1f5d3a7f4d8c9f1b2f0f6a1f3f0d5a0e6b7c8d9e0f1a2b3c4d5e6f708192'}
policies: ['policies/**/*.yaml']
workloads:
- {namespace: shop, name: cart, labels: {app: cart}, limits: [limits/cart.yaml], outbound: [telemetry]}
- {namespace: stock, name: stock, labels: {app: stock}, mode: shadow}
- {namespace: edge, name: public, proxy: gateway, targetRef: Gateway/public, form: wasmplugin}
";

const FILES: [(&str, &str); 4] = [
    ("weir.yaml", COMPOSITION),
    (
        "policies/shop/cart.yaml",
        "kind: AuthorizationPolicy
metadata: {name: cart, namespace: shop}
spec: {rules: [{to: [{operation: {paths: [/cart]}}]}]}
",
    ),
    (
        "policies/all.yaml",
        "kind: List
items:
- {kind: AuthorizationPolicy, metadata: {name: stock, namespace: stock}, spec: {action: DENY, rules: [{}]}}
- kind: AuthorizationPolicy
  metadata: {name: public, namespace: edge}
  spec:
    targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public}]
    rules: [{to: [{operation: {hosts: [shop.example.com]}}]}]
",
    ),
    (
        "limits/cart.yaml",
        "schema: 1
name: cart
rateLimit:
  rate_limits: [{actions: [{remote_address: {}}]}]
  local: {config: {domain: d, descriptors: [{key: remote_address, rate_limit: {unit: second, requests_per_unit: 5}}]}}
telemetry: {}
",
    ),
];

fn folder() -> tempfile::TempDir {
    // Brackets are a pattern in a path, and here they are none.
    let folder = tempfile::Builder::new().prefix("weir-[all]-").tempdir().unwrap();
    for (name, text) in FILES {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn weir(folder: &Path, input: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.current_dir(folder).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

const ALL: [&str; 5] = ["render", "--all", "out", "--config", "weir.yaml"];

/// A folder with everything rendered.
fn rendered() -> tempfile::TempDir {
    let folder = folder();
    let output = weir(folder.path(), "", &ALL);
    assert!(output.status.success(), "{}", text(&output));
    folder
}

/// The objects of all rendered files, as the cluster has them.
fn live(folder: &Path) -> Vec<Value> {
    let mut objects = Vec::new();
    for name in ["shop/cart", "stock/stock", "edge/public"] {
        let text = fs::read_to_string(folder.join(format!("out/{name}.yaml"))).unwrap();
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            let mut object = Value::deserialize(document).unwrap();
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.insert("uid".to_owned(), json!("1234"));
            metadata.insert("resourceVersion".to_owned(), json!("7"));
            metadata.insert("creationTimestamp".to_owned(), json!("2026-01-01T00:00:00Z"));
            metadata.insert("managedFields".to_owned(), json!([{"manager": "kubectl"}]));
            metadata
                .insert("annotations".to_owned(), json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"}));
            object["status"] = json!({"conditions": []});
            objects.push(object);
        }
    }
    objects
}

#[test]
fn each_workload_has_a_file_with_what_is_for_it() {
    let folder = rendered();
    let mut rows = Rows::default();
    for (name, kind, has, lacks) in [
        ("shop/cart", "EnvoyFilter", "/cart", "shop.example.com"),
        ("stock/stock", "EnvoyFilter", "mode: shadow", "/cart"),
        ("edge/public", "WasmPlugin", "shop.example.com", "/cart"),
    ] {
        let text = fs::read_to_string(folder.path().join(format!("out/{name}.yaml"))).unwrap();
        rows.check(name, text.matches(&format!("\nkind: {kind}\n")).count(), 1);
        rows.check(name, (text.contains(has), text.contains(lacks)), (true, false));
        let file = format!("out/{name}.yaml");
        let validated = weir(folder.path(), "", &["validate", file.as_str()]);
        rows.check(format!("{name}: {}", self::text(&validated)), validated.status.code(), Some(0));
    }
    let cart = fs::read_to_string(folder.path().join("out/shop/cart.yaml")).unwrap();
    let outbound = cart.split("listener: outbound").nth(1).unwrap();
    rows.check(
        "outbound is telemetry alone",
        outbound.contains("telemetry:") && !outbound.contains("rate_limits"),
        true,
    );
    // Again, the same bytes.
    assert!(weir(folder.path(), "", &ALL).status.success());
    rows.check("again", fs::read_to_string(folder.path().join("out/shop/cart.yaml")).unwrap() == cart, true);
}

/// Envoy Gateway attaches one EnvoyExtensionPolicy to a target, and puts the entries of one into their order.
#[test]
fn a_chain_for_envoy_gateway_is_one_object() {
    let folder = folder();
    let chain = "
schema: 1
form: envoy-gateway
modules: [telemetry, rate-limit, policy]
images: {policy: 'r/weir/policy@DIGEST', rate-limit: 'r/weir/rate-limit@DIGEST', telemetry: 'r/weir/telemetry@DIGEST'}
workloads:
- {namespace: edge, name: public, proxy: gateway, targetRef: Gateway/public, policies: [policies/all.yaml], limits: [limits/cart.yaml]}
";
    let digest = format!("sha256:{}", "0f4c1f5d3a7f4d8c9f1b2f0f6a1f3f0d5a0e6b7c8d9e0f1a2b3c4d5e6f708192");
    let chain = chain.replace("DIGEST", &digest);
    fs::write(folder.path().join("weir.yaml"), &chain).unwrap();
    let mut rows = Rows::default();
    let output = weir(folder.path(), "", &ALL);
    rows.check(text(&output), output.status.code(), Some(0));
    let written = fs::read_to_string(folder.path().join("out/edge/public.yaml")).unwrap();
    let names: Vec<&str> = written.lines().filter_map(|line| line.strip_prefix("    name: weir-")).collect();
    rows.check("entries", names, vec!["policy-public", "rate-limit-public", "telemetry-public"]);
    rows.check("objects", written.matches("kind: EnvoyExtensionPolicy").count(), 1);
    rows.check("name", written.contains("\n  name: weir-policy-public\n"), true);
    // Three documents of one name, of which one alone has limits.
    let validated = weir(folder.path(), "", &["validate", "--warnings-as-errors", "out"]);
    rows.check(text(&validated), validated.status.code(), Some(0));
    let drift = weir(folder.path(), "", &["diff", "--config", "weir.yaml", "--deployed", "out/edge/public.yaml"]);
    rows.check(text(&drift), drift.status.code(), Some(0));
    // Another workload of the same target.
    let second = chain.lines().last().unwrap().replace("name: public", "name: other");
    fs::write(folder.path().join("weir.yaml"), format!("{chain}{second}\n")).unwrap();
    let output = weir(folder.path(), "", &ALL);
    rows.check("two workloads", output.status.code(), Some(1));
    let words = "EnvoyExtensionPolicy edge/weir-policy-other and EnvoyExtensionPolicy edge/weir-policy-public have the same target";
    rows.contains("two workloads", &text(&output), words);
}

#[test]
fn a_file_of_a_workload_that_has_gone_is_named() {
    let folder = rendered();
    let without = COMPOSITION.lines().filter(|line| !line.contains("name: stock")).collect::<Vec<_>>().join("\n");
    fs::write(folder.path().join("weir.yaml"), without).unwrap();
    let output = weir(folder.path(), "", &ALL);
    assert!(
        output.status.success() && text(&output).contains("out/stock/stock.yaml is of a workload that is not in"),
        "{}",
        text(&output)
    );
}

/// `weir validate` checks the file itself, with the patterns in it, and writes nothing.
#[test]
fn a_weir_yaml_is_validated_without_rendering() {
    let mut rows = Rows::default();
    for (from, to, code, expected) in [
        ("", "", 0, "1 `weir.yaml`: no errors"),
        (
            "limits/cart.yaml",
            "limits/none.yaml",
            1,
            "weir.yaml:7:63: error: $.workloads[0].limits[0]: `limits/none.yaml` matches no file",
        ),
        ("policies/**", "polices/**", 1, "weir.yaml:5:12: error: $.policies[0]: `polices/**/*.yaml` matches no file"),
        ("form: envoyfilter", "form: envoygateway", 1, "weir.yaml:3:1: error: $.form: `envoygateway` is not one of"),
    ] {
        let folder = folder();
        fs::write(folder.path().join("weir.yaml"), COMPOSITION.replacen(from, to, 1)).unwrap();
        let output = weir(folder.path(), "", &["validate", "weir.yaml"]);
        rows.check(to, (output.status.code(), folder.path().join("out").exists()), (Some(code), false));
        rows.contains(to, &text(&output), expected);
    }
}

#[test]
fn nothing_is_written_if_one_workload_cannot_be_rendered() {
    let mut rows = Rows::default();
    for (from, to, expected) in [
        (
            "limits/cart.yaml",
            "limits/none.yaml",
            "weir.yaml:7:63: error: $.workloads[0].limits[0]: `limits/none.yaml` matches no file",
        ),
        ("form: envoyfilter", "form: envoygateway", "weir.yaml:3:1: error: $.form: `envoygateway` is not one of"),
        ("@sha256:", ":", "weir.yaml:7:3: error: $.workloads[0]: shop/cart: `oci://"),
        ("schema: 1", "schema: 1\nform: envoy", "weir.yaml:4:1: error: $: key `form` is given twice"),
        ("form: envoyfilter", "form: envoyfilter\nphase: AUTHN", "shop/cart: `phase` is not for form envoyfilter"),
        (
            "namespace: stock, name",
            "namespace: stok, name",
            "stok/stock: none of 3 AuthorizationPolicies is for stok/stock: they are of the namespaces `edge` (1), `shop` (1), \
             `stock` (1), so every request would pass: mend the workload or its labels, leave these policies out, or say so with \
             `sections` without `policy`",
        ),
        ("name: stock, labels", "name: Stock, labels", "$.workloads[1].name: `Stock` is not a name"),
        (
            "namespace: stock, name: stock, labels: {app: stock}",
            "namespace: shop, name: cart, labels: {app: cart}",
            "EnvoyFilter shop/weir-suite-cart is rendered twice",
        ),
    ] {
        let folder = folder();
        fs::write(folder.path().join("weir.yaml"), COMPOSITION.replace(from, to)).unwrap();
        let output = weir(folder.path(), "", &ALL);
        rows.check(to, (output.status.code(), folder.path().join("out").exists()), (Some(1), false));
        rows.contains(to, &text(&output), expected);
    }
    let folder = folder();
    let both = weir(folder.path(), "", &[&ALL[..], &["--proxy", "sidecar"]].concat());
    assert_eq!(both.status.code(), Some(2), "{}", text(&both));
}

/// All files are written or none, and none through a link.
#[test]
fn what_is_in_the_place_of_a_file_is_replaced_or_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mut rows = Rows::default();
    for (name, code) in [("a link to a file", 0), ("a link to nothing", 0), ("a folder", 2), ("a link to a folder", 2)]
    {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        for name in ["out/edge", "out/shop", "elsewhere"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        for name in ["elsewhere/file", "out/edge/public.yaml"] {
            fs::write(path(name), "old").unwrap();
        }
        match name {
            "a link to a file" => symlink(path("elsewhere/file"), path("out/shop/cart.yaml")).unwrap(),
            "a link to nothing" => symlink(path("elsewhere/none"), path("out/shop/cart.yaml")).unwrap(),
            "a folder" => fs::create_dir(path("out/shop/cart.yaml")).unwrap(),
            _ => {
                fs::remove_dir(path("out/shop")).unwrap();
                symlink(path("elsewhere"), path("out/shop")).unwrap();
            }
        }
        let output = weir(folder.path(), "", &ALL);
        rows.check(format!("{name}: {}", text(&output)), output.status.code(), Some(code));
        let elsewhere = fs::read_dir(path("elsewhere")).unwrap().count();
        let old = fs::read_to_string(path("elsewhere/file")).unwrap();
        rows.check(format!("{name}: elsewhere"), (elsewhere, old.as_str()), (1, "old"));
        let other = fs::read_to_string(path("out/edge/public.yaml")).unwrap();
        rows.check(format!("{name}: the others"), other == "old", code != 0);
        let left = fs::read_dir(path("out/edge")).unwrap().count();
        rows.check(format!("{name}: what is left"), left, 1);
        if code == 0 {
            let written = fs::symlink_metadata(path("out/shop/cart.yaml")).unwrap();
            rows.check(name, (written.is_file(), written.permissions().mode() & 0o444), (true, 0o444));
        }
    }
}

/// Patterns may lead out of the folder, which the page says.
#[test]
fn patterns_are_relative_to_the_file_or_absolute() {
    let mut rows = Rows::default();
    for (name, pattern) in [
        ("beside", "policies/**/*.yaml".to_owned()),
        ("above", "../*/policies/**/*.yaml".to_owned()),
        ("absolute", "ABSOLUTE/policies/**/*.yaml".to_owned()),
    ] {
        let folder = folder();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        for name in ["policies", "limits", "weir.yaml"] {
            fs::rename(folder.path().join(name), inner.join(name)).unwrap();
        }
        let escaped = inner.display().to_string().replace("[all]", "[[]all]");
        let composition = COMPOSITION.replace("policies/**/*.yaml", &pattern.replace("ABSOLUTE", &escaped));
        fs::write(inner.join("weir.yaml"), composition).unwrap();
        let output = weir(&inner, "", &ALL);
        rows.check(format!("{name}: {}", text(&output)), output.status.code(), Some(0));
        let cart = fs::read_to_string(inner.join("out/shop/cart.yaml")).unwrap_or_default();
        rows.contains(name, &cart, "/cart");
    }
}

/// Objects that name no namespace are in that of the workload whose own files they are in, else in that of `weir.yaml`.
#[test]
fn a_default_of_the_namespace_is_given_once() {
    let folder = folder();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let policy = |path: &str| {
        format!(
            "kind: AuthorizationPolicy\nmetadata: {{name: a}}\nspec: {{rules: [{{to: [{{operation: {{paths: [{path}]}}}}]}}]}}\n"
        )
    };
    write("policies/all.yaml", &policy("/all").replace("name: a", "name: all"));
    write("own.yaml", &policy("/own"));
    let composition = COMPOSITION.lines().filter(|line| !line.contains("edge")).collect::<Vec<_>>().join("\n");
    let composition = composition.replace("limits: [limits/cart.yaml], outbound: [telemetry]", "policies: [own.yaml]");
    write("weir.yaml", &composition);
    let mut rows = Rows::default();
    let output = weir(folder.path(), "", &ALL);
    rows.check("several namespaces", output.status.code(), Some(1));
    let expected = "policies/all.yaml:2:1: error: AuthorizationPolicy all: $.metadata: `namespace` is missing";
    rows.check("said once", text(&output).matches(expected).count(), 1);

    write("weir.yaml", &composition.replace("schema: 1", "schema: 1\nnamespace: stock"));
    let output = weir(folder.path(), "", &ALL);
    rows.check(text(&output), output.status.code(), Some(0));
    for (name, own, all) in [("shop/cart", true, false), ("stock/stock", false, true)] {
        let text = fs::read_to_string(folder.path().join(format!("out/{name}.yaml"))).unwrap();
        rows.check(name, (text.contains("/own"), text.contains("/all")), (own, all));
    }
}

#[test]
fn labels_that_the_pods_have_not_are_warned_of() {
    let folder = folder();
    let pods = "kind: Deployment
metadata: {name: stock, namespace: stock}
spec: {template: {metadata: {labels: {app: stock, tier: store}}}}
";
    fs::write(folder.path().join("policies/pods.yaml"), pods).unwrap();
    let output = text(&weir(folder.path(), "", &ALL));
    let expected = "policies/pods.yaml:3:51: warning: Deployment stock/stock: $.spec.template.metadata.labels.tier: the pods have \
                    `tier=store`, which is not among the labels that are given";
    assert_eq!(output.matches(expected).count(), 1, "{output}");
    // Without labels, those of the pods are taken; the manifests still need a selector.
    let selected = COMPOSITION.replace("name: stock, labels", "name: stock, selector");
    fs::write(folder.path().join("weir.yaml"), selected).unwrap();
    let output = text(&weir(folder.path(), "", &ALL));
    assert!(
        output.contains("weir: stock/stock: the labels of stock/stock are those of Deployment stock/stock in"),
        "{output}"
    );
    assert!(!output.contains("[labels]"), "{output}");
}
