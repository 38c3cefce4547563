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
    let stock = "kind: AuthorizationPolicy\nmetadata: {name: stock, namespace: shop}\nspec: {selector: {matchLabels: {app: stock}}}\n";
    fs::write(folder.path().join("stock.yaml"), stock).unwrap();
    let with = |files: &[&'static str], more: &[&'static str]| {
        [arguments("wasmplugin", files, &SIDECAR), more.to_vec()].concat()
    };
    let rows: [(&str, Vec<&str>, i32, &str); 10] = [
        ("usage", with(&FILES, &["--snippet"]), 2, "weir: --snippet is not for form wasmplugin"),
        ("a label", with(&FILES, &["--labels", "app=a b"]), 2, "--labels: `a b` is not a value of a label"),
        ("a key", with(&FILES, &["--selector", "a..b/app=a"]), 2, "--selector: `a..b/app` is not a key of a label"),
        ("a Secret", with(&FILES, &["--pull-secret", "a_b"]), 2, "--pull-secret is not the name of a Secret"),
        ("no such file", with(&["none.yaml"], &[]), 2, "`none.yaml` cannot be read"),
        ("refused by the core", with(&["custom.yaml"], &[]), 1, "`provider` is missing"),
        (
            "no namespace",
            with(&["nameless.yaml"], &[]),
            1,
            "nameless.yaml:6:3: error: AuthorizationPolicy public: $.items[0].metadata: `namespace` is missing",
        ),
        (
            "a mistyped workload",
            with(&["policies"], &[])
                .into_iter()
                .map(|word| if word == "shop/cart" { "shp/cart" } else { word })
                .collect(),
            0,
            "1 of 3 AuthorizationPolicies are for shp/cart, none of namespace shp",
        ),
        (
            "policies of others",
            with(&["stock.yaml", "limits.yaml"], &[]),
            1,
            "none of 1 AuthorizationPolicy is for shop/cart",
        ),
        ("a namespace for all", with(&["nameless.yaml"], &["--namespace", "shop"]), 0, "2 of 3 AuthorizationPolicies"),
    ];
    let mut table = Rows::default();
    for (name, arguments, code, expected) in rows {
        let output = weir(folder.path(), &[], &arguments);
        table.check(name, (output.status.code(), output.stdout.is_empty()), (Some(code), code != 0));
        table.contains(name, &text(&output.stderr), expected);
    }
}

/// A folder of an application as it is kept: Kustomize, values of Helm, a template, a Deployment and policies that name no
/// namespace.
const APPLICATION: [(&str, &str); 7] = [
    ("app/kustomization.yaml", "namespace: shop\nresources: [policies.yaml, deployment.yaml]\n"),
    (
        "app/policies.yaml",
        "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: store}
spec:
  selector: {matchLabels: {tier: store}}
  rules: [{to: [{operation: {paths: [/cart]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web}
spec:
  selector: {matchLabels: {tier: web}}
  rules: [{}]
",
    ),
    (
        "app/deployment.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: cart}
spec:
  template:
    metadata:
      labels:
        app: cart
        tier: store
",
    ),
    ("app/values.yaml", "image: {tag: '1'}\nreplicas: 2\nreplicas: 3\n"),
    ("app/templates/service.yaml", "kind: Service\nmetadata:\n  name: {{ .Values.name }}\n"),
    ("app/limits.yaml", LIMITS),
    ("app/actions.yaml", ACTIONS),
];

/// A name; a file with what is replaced in it by what; options; the exit code; what is said.
type Row = (&'static str, [&'static str; 3], &'static [&'static str], i32, &'static [&'static str]);

#[test]
fn a_folder_is_rendered_as_it_is_kept() {
    let rows: [Row; 11] = [
        (
            "as it is",
            ["", "", ""],
            &["--selector", "app=cart"],
            0,
            &[
                "weir: the labels of shop/cart are those of Deployment shop/cart in app/deployment.yaml\n",
                "weir: left out, as for other workloads: `shop/web` (asks for `tier=web`); the labels of shop/cart are app=cart, \
                 tier=store\n",
                "weir: 1 of 2 AuthorizationPolicies are for shop/cart\n",
                "weir: 2 documents that are neither Weir's nor objects are passed over\n",
                "\napp/templates/service.yaml:3:10: note: $: a template",
            ],
        ),
        (
            "a selector that selects others",
            ["", "", ""],
            &["--selector", "app=crat"],
            0,
            &[
                "app/deployment.yaml:8:9: warning: Deployment shop/cart: $.spec.template.metadata.labels.app: the pods have \
               `app=cart`, and `app=crat` is selected: not these [labels]\n",
            ],
        ),
        (
            "labels of others",
            ["", "", ""],
            &["--selector", "app=cart", "--labels", "tier=web"],
            0,
            &[
                "app/deployment.yaml:9:9: warning: Deployment shop/cart: $.spec.template.metadata.labels.tier: ",
                "`shop/store` (asks for `tier=store`)",
            ],
        ),
        (
            "another namespace than Kustomize gives",
            ["app/policies.yaml", "name: web", "name: web, namespace: shop-old"],
            &["--selector", "app=cart"],
            1,
            &[
                "app/policies.yaml:10:23: error: AuthorizationPolicy shop-old/web: $.metadata.namespace: `kustomize build` puts this \
               into `shop`: run it first",
            ],
        ),
        (
            "more of Kustomize",
            ["app/kustomization.yaml", "resources:", "namePrefix: x-\nresources:"],
            &["--selector", "app=cart"],
            0,
            &[
                "app/kustomization.yaml:2:1: note: $.namePrefix: objects are read without `namePrefix`: run `kustomize build`",
            ],
        ),
        (
            "no namespace",
            ["app/kustomization.yaml", "namespace: shop", "images: []"],
            &["--selector", "app=cart"],
            1,
            &[
                "\napp/policies.yaml:3:1: error: AuthorizationPolicy store: $.metadata: `namespace` is missing: write it, or give \
               --namespace (in `weir.yaml` and Kustomization files: `namespace`); so it is of `web`\n",
            ],
        ),
        (
            "wrong in a policy",
            ["app/policies.yaml", "paths", "pathz"],
            &["--selector", "app=cart"],
            1,
            &[
                "\napp/policies.yaml:6:30: error: AuthorizationPolicy shop/store: $.spec.rules[0].to[0].operation.pathz: unknown field",
            ],
        ),
        (
            "wrong in a limit",
            ["app/limits.yaml", "unit: minute", "unit: minutes"],
            &["--selector", "app=cart"],
            1,
            &["\napp/limits.yaml:3:44: error: $.descriptors[0].rate_limit.unit: "],
        ),
        (
            "wrong in an action",
            ["app/actions.yaml", "header_name", "header"],
            &["--selector", "app=cart"],
            1,
            &["\napp/actions.yaml:2:32: error: $.rate_limits[0].actions[0].request_headers.header: unknown field"],
        ),
        (
            "doubtful in a limit",
            ["app/limits.yaml", "key: user", "key: usr"],
            &["--selector", "app=cart"],
            0,
            &["app/limits.yaml:3:3: warning: $.descriptors[0]: no request is counted by this limit"],
        ),
        (
            "given twice",
            ["app/values.yaml", "image", "kind: AuthorizationPolicy\nmetadata: {name: web}\nimage"],
            &["--selector", "app=cart"],
            1,
            &[
                "key `replicas` is given twice",
                "AuthorizationPolicy shop/web: $: it is given twice, first at app/policies.yaml:8:1: ",
            ],
        ),
    ];
    let mut table = Rows::default();
    for (name, [file, from, to], more, code, expected) in rows {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in APPLICATION {
            let text = if path == file { text.replacen(from, to, 1) } else { text.to_owned() };
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let common = ["render", "wasmplugin", "--module", "suite", "--workload", "shop/cart", "--proxy", "sidecar"];
        let image = ["--image", "oci://registry.example.com/weir/suite:1", "--sha256", DIGEST, "--config", "app"];
        let output = weir(folder.path(), &[], &[&common[..], &image, more].concat());
        let said = format!("\n{}", text(&output.stderr));
        table.check(format!("{name}: {said}"), output.status.code(), Some(code));
        for words in expected {
            table.contains(name, &said, words);
        }
    }
}

/// The usual folders of Kustomize: the base has no namespace, and only its overlay gives one.
#[test]
fn an_overlay_that_gives_the_namespace_is_to_be_built() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("ov/base/kustomization.yaml", "resources: [policies.yaml]\n"),
        ("ov/base/policies.yaml", APPLICATION[1].1),
        ("ov/overlays/prod/kustomization.yaml", "namespace: shop\nresources: [../../base]\n"),
    ];
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let expected = "`namespace` is missing: `ov/overlays/prod/kustomization.yaml` gives it `shop`: run `kustomize build \
                    ov/overlays/prod`, and give its output";
    let mut rows = Rows::default();
    for (name, arguments) in
        [("validate", vec!["validate", "ov"]), ("render", arguments("wasmplugin", &["ov"], &SIDECAR))]
    {
        let output = weir(folder.path(), &[], &arguments);
        rows.check(name, output.status.code(), Some(1));
        rows.contains(name, &(text(&output.stdout) + &text(&output.stderr)), expected);
    }
}

/// `weir render ... | head -3` ends without a message.
#[test]
fn a_reader_that_has_enough_is_no_error() {
    let folder = folder("weir-render-");
    let mut rows = Rows::default();
    for (name, arguments) in [
        ("render", arguments("wasmplugin", &FILES, &SIDECAR)),
        ("completions", vec!["completions", "bash"]),
        ("validate", vec!["validate", "cart.yaml"]),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.current_dir(folder.path()).args(arguments).stdout(writer).output().unwrap();
        let said = text(&output.stderr);
        rows.check(format!("{name}: {said}"), (output.status.code(), said.contains("output")), (Some(141), false));
    }
}
