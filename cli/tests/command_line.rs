//! `weir validate` and `weir run` as an operator calls them: exit codes and lines. Needs `make build`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends where it fails")]

use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use weir_launch::{Reply, Upstream};

const DOCUMENT: &str = "schema: 1\nname: cart\ntelemetry: {}\n";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A folder of its own for each test.
fn folder(name: &str) -> tempfile::TempDir {
    tempfile::Builder::new().prefix(&format!("weir-{name}-")).tempdir().unwrap()
}

fn weir(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir")).current_dir(folder).args(arguments).output().unwrap()
}

fn lines(output: &Output) -> (Option<i32>, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn bootstrap() -> Value {
    let text = fs::read_to_string(workspace().join("envoy-configs/envoy.yaml")).unwrap();
    Value::deserialize(serde_yaml_ng::Deserializer::from_str(&text)).unwrap()
}

/// The bootstrap's only listener's connection manager.
fn manager(bootstrap: &mut Value) -> &mut Value {
    &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

#[test]
fn validate_separates_problems_from_warnings() {
    let plugin = |strategy: &str, kind: &str, document: &str| {
        let spec = format!("spec:\n  failStrategy: {strategy}\n  type: {kind}\n  pluginName: weir\n");
        let document = document.lines().map(|line| format!("    {line}\n")).collect::<String>();
        let head = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: a, namespace: b}\n";
        format!("{head}{spec}  url: file:///suite.wasm\n  pluginConfig:\n{document}")
    };
    let policy = "kind: AuthorizationPolicy\nmetadata: {name: a, namespace: shop}\n";
    let blocks =
        format!("{policy}spec: {{action: DENY, rules: [{{from: [{{source: {{ipBlocks: [192.0.2.1]}}}}]}}]}}\n");
    let inside = blocks.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let whole = format!("schema: 1\nname: cart\npolicies:\n  -\n{inside}");
    let rows: [(&str, String, i32, &[&str]); 11] = [
        ("valid", DOCUMENT.to_owned(), 0, &["1 file: 1 suite document: no errors\n"]),
        (
            "no section",
            "schema: 1\nname: cart\n".to_owned(),
            0,
            &["f.yaml:1:1: warning: $: the document does nothing", "1 suite document: no errors, 1 warning\n"],
        ),
        (
            "a key given twice",
            format!("{DOCUMENT}name: web\n"),
            1,
            &["f.yaml:4:1: error: $: key `name` is given twice"],
        ),
        (
            "a rate limit document",
            "schema: 1\nname: cart\nlocal: {}\ntelemetry: {}\n".to_owned(),
            1,
            &["f.yaml:1:1: note: $: read as a rate limit document; use --module if it is another"],
        ),
        (
            "a trial that can refuse",
            plugin("FAIL_CLOSE", "HTTP", DOCUMENT),
            0,
            &["f.yaml:5:3: warning: WasmPlugin b/a: $.spec.failStrategy: ", "1 suite document: no errors, 1 warning\n"],
        ),
        ("a trial that cannot", plugin("FAIL_OPEN", "HTTP", DOCUMENT), 0, &["1 suite document: no errors\n"]),
        (
            "a network filter",
            plugin("FAIL_OPEN", "NETWORK", DOCUMENT),
            1,
            &["f.yaml:6:3: error: WasmPlugin b/a: $.spec.type: `type: NETWORK` cannot run the module"],
        ),
        (
            "ipBlocks in a policy",
            blocks,
            0,
            &["warning: AuthorizationPolicy shop/a: $.spec.rules[0]", "1 AuthorizationPolicy: no errors, 1 warning\n"],
        ),
        ("ipBlocks in a document", whole, 1, &["error: $.policies[0].spec.rules[0]", "[direct-address-unknown]"]),
        ("nothing", "kind: Deployment\n".to_owned(), 0, &["1 file: no document of Weir", "passed over: Deployment\n"]),
        (
            "routes alone",
            "name: r\nvirtual_hosts: []\nignore_path_parameters_in_path_matching: true\n".to_owned(),
            0,
            &["1 file: no document of Weir"],
        ),
    ];
    let folder = folder("validate");
    let mut wrong = Vec::new();
    for (name, text, code, expected) in rows {
        fs::write(folder.path().join("f.yaml"), text).unwrap();
        let (found, output) = lines(&weir(folder.path(), &["validate", "f.yaml"]));
        if found != Some(code) || !expected.iter().all(|line| output.contains(line)) {
            wrong.push(format!("{name}: {found:?}\n{output}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Another module would refuse this just as well.
    fs::write(folder.path().join("f.yaml"), "schema: 1\nname: cart\ntelemetry: {reporter: client}\n").unwrap();
    let (found, output) = lines(&weir(folder.path(), &["validate", "f.yaml"]));
    assert!(found == Some(1) && !output.contains("--module"), "{output}");
}

/// A document that the module takes, with a policy on paths.
const PATHS: &str = "schema: 1
name: cart
policy:
  workload: {}
  policies:
  - kind: AuthorizationPolicy
    metadata: {name: no-admin, namespace: shop}
    spec: {action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]}
";

#[test]
fn path_parameters_that_routes_leave_out_and_policies_keep_are_reported() {
    let folder = folder("paths");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("routes.yaml", "name: r\nvirtual_hosts: []\nignorePathParametersInPathMatching: true\n");
    write("without.yaml", PATHS);
    write("with.yaml", &PATHS.replace("workload: {}", "workload: {ignorePathParameters: true}"));
    let mut bootstrap = bootstrap();
    manager(&mut bootstrap)["route_config"]["ignore_path_parameters_in_path_matching"] = json!(true);
    write("envoy.yaml", &bootstrap.to_string());
    let text = |files: &[&str]| {
        let arguments: Vec<&str> = ["validate"].into_iter().chain(files.iter().copied()).collect();
        lines(&weir(folder.path(), &arguments))
    };
    let (code, output) = text(&["without.yaml", "routes.yaml"]);
    assert_eq!(code, Some(0), "{output}");
    let location = "without.yaml:4:3: warning: $.policy.workload.ignorePathParameters: \
                 $.ignorePathParametersInPathMatching of `routes.yaml` makes Envoy ignore path parameters";
    assert!(output.contains(location), "{output}");
    assert!(!text(&["with.yaml", "routes.yaml"]).1.contains("warning"));
    assert!(!text(&["without.yaml"]).1.contains("warning"));
    let (code, output) = text(&["envoy.yaml"]);
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains(".configuration.value.policy.workload.ignorePathParameters: $.static_resources"),
        "{output}"
    );
}

#[test]
fn run_refuses_what_validate_refuses_before_envoy_starts() {
    let folder = folder("run");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("unknown.yaml", &format!("{DOCUMENT}policy: {{polices: []}}\n"));
    write("twice.yaml", "schema: 1\nname: cart\npolicy: {mode: enforce, mode: off}\n");
    write("nothing.yaml", "kind: Service\n");
    write("requests.yaml", "- {say: a, method: GET, path: /, headers: {x-a: b, x-a: c}}\n");
    write("twice-bootstrap.yaml", "admin: {}\nadmin: {}\n");
    let mut network = bootstrap();
    manager(&mut network)["http_filters"][1]["typed_config"]["@type"] =
        json!("type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm");
    write("network.yaml", &network.to_string());
    let mut far = bootstrap();
    let cluster = &mut far["static_resources"]["clusters"][0];
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["address"] =
        json!("192.0.2.1");
    write("far.yaml", &far.to_string());
    let rows: [(&[&str], i32, &str); 9] = [
        (&["--config", "unknown.yaml"], 1, "error: $.policy.polices: unknown field; did you mean `policies`?"),
        (&["--config", "twice.yaml"], 1, "twice.yaml:3:25: error: $: key `mode` is given twice"),
        (&["--requests", "requests.yaml"], 2, "key `x-a` is given twice"),
        (&["nothing.yaml", "--workload", "shop/a..b"], 2, "--workload: `shop/a..b` is not NAMESPACE/NAME"),
        (&["nothing.yaml", "--workload", "shop/a", "--labels", "app=a b"], 2, "`a b` is not a value of a label"),
        (&["nothing.yaml", "--namespace", "Shop"], 2, "`Shop` is not a namespace"),
        (&["--bootstrap", "twice-bootstrap.yaml"], 1, "key `admin` is given twice"),
        (&["--bootstrap", "network.yaml"], 1, "cannot run the module, which is an HTTP filter"),
        (&["--bootstrap", "far.yaml", "--upstream", "127.0.0.1:9"], 2, "has nothing to replace"),
    ];
    let mut wrong = Vec::new();
    for (arguments, code, expected) in rows {
        let all: Vec<&str> =
            ["run", "--exit", "--port", "0", "--admin-port", "0"].iter().chain(arguments).copied().collect();
        let (found, output) = lines(&weir(folder.path(), &all));
        if found != Some(code) || !output.contains(expected) || output.contains("envoy stopped") {
            wrong.push(format!("{arguments:?}: {found:?}\n{output}"));
        }
    }
    let (_, validated) = lines(&weir(folder.path(), &["validate", "unknown.yaml"]));
    assert!(validated.contains(rows[0].2), "{validated}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An authorization service on loopback and a limit service elsewhere keep their addresses: the first still decides.
#[test]
fn run_leaves_clusters_of_filters_alone() {
    let service = Upstream::start(0, |_| Reply { status: 403, ..Reply::default() }).unwrap();
    let cluster = |name: &str, address: &str, port: u16| {
        let address = json!({"socket_address": {"address": address, "port_value": port}});
        json!({"name": name, "connect_timeout": "1s", "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address}}]},
        ]}})
    };
    let mut bootstrap = bootstrap();
    let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().unwrap();
    clusters.push(cluster("authz", "127.0.0.1", service.address().port()));
    clusters.push(cluster("limits", "192.0.2.1", 8081));
    let uri = json!({"uri": "http://authz", "cluster": "authz", "timeout": "5s"});
    let filter = json!({"name": "authz", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "http_service": {"server_uri": uri},
    }});
    manager(&mut bootstrap)["http_filters"].as_array_mut().unwrap().insert(0, filter);
    let folder = folder("clusters");
    fs::write(folder.path().join("envoy.yaml"), bootstrap.to_string()).unwrap();
    fs::write(folder.path().join("requests.yaml"), "- {say: asked, method: GET, path: /items/1}\n").unwrap();
    let arguments = ["run", "--exit", "--port", "0", "--admin-port", "0", "--bootstrap", "envoy.yaml", "--requests"];
    let arguments: Vec<&str> = arguments.into_iter().chain(["requests.yaml"]).collect();
    let (code, output) = lines(&weir(folder.path(), &arguments));
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains(" for cluster app\n"), "{output}");
    assert!(output.contains(" 403 ") && output.contains("ext_authz_denied"), "{output}");
    assert_eq!(service.received().len(), 1);
}

/// The codes that the page has, and no panic's.
#[test]
fn an_output_that_takes_nothing_has_the_code_of_an_error() {
    let folder = folder("full");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("wrong.yaml", "schema: 1\nname: cart\npolicy: {polices: []}\n");
    write("right.yaml", DOCUMENT);
    let rows: [(&str, i32); 6] = [
        ("validate wrong.yaml 2>/dev/full", 1),
        ("validate wrong.yaml >/dev/full", 2),
        ("validate missing.yaml 2>/dev/full", 2),
        ("validate wrong.yaml 2>&-", 1),
        ("completions bash >/dev/full", 2),
        (
            "render envoy --config right.yaml --workload shop/cart --proxy sidecar --module suite --module-file /suite.wasm >/dev/full",
            2,
        ),
    ];
    let mut table = weir_testing::Rows::default();
    for (arguments, code) in rows {
        let command = format!("{} {arguments}", env!("CARGO_BIN_EXE_weir"));
        let output = Command::new("sh").args(["-c", &command]).current_dir(folder.path()).output().unwrap();
        table.check(format!("{arguments}: {:?}", lines(&output)), output.status.code(), Some(code));
    }
}

#[test]
fn names_make_no_lines_in_reports() {
    let folder = folder("names");
    let name = "a\n::error::x\u{1b}[2J.yaml";
    fs::write(folder.path().join(name), "schema: 1\nname: \"a\\e[2J\\n::warning::y\"\npolicy: {polices: []}\n")
        .unwrap();
    let mut table = weir_testing::Rows::default();
    for arguments in [
        &["validate", "."] as &[&str],
        &["validate", "--output", "github", "."],
        &["validate", "--output", "json", "."],
        &["validate", "--output", "sarif", "."],
        &[
            "render",
            "envoy",
            "--workload",
            "shop/cart",
            "--proxy",
            "sidecar",
            "--module-file",
            "/s.wasm",
            "--module",
            "suite",
            "--config",
            ".",
        ],
    ] {
        let (_, output) = lines(&weir(folder.path(), arguments));
        table.contains(format!("{arguments:?}"), &output, "polices");
        let is_active = |char: char| char != '\n' && char.is_control();
        let is_forged = |line: &str| line.starts_with("::error::") || line.starts_with("::warning::");
        table.check(format!("{arguments:?}: {output}"), output.contains(is_active), false);
        table.check(format!("{arguments:?}: lines"), output.lines().any(is_forged), false);
    }
}
