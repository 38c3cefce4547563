//! Every file under `envoy-configs/` is used here as an operator would use it: compiled by the cores, and taken by a real
//! Envoy. Needs `make build`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]
#![expect(clippy::disallowed_methods, reason = "a test of real time")]

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weir_launch::Launch;
use weir_model::{Filter, Node, StructValue};
use weir_testing::Rows;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn documents(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(workspace().join("envoy-configs").join(file)).unwrap();
    serde_yaml_ng::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()).collect()
}

fn document(file: &str) -> Value {
    documents(file).remove(0)
}

/// The workload that the manifests are for.
fn node() -> Node {
    let text = |value: &str| StructValue::Text(value.to_owned());
    let labels = StructValue::Map([("app".to_owned(), text("cart"))].into());
    let metadata = [("NAMESPACE".to_owned(), text("shop")), ("LABELS".to_owned(), labels)];
    Node { metadata: metadata.into(), ..Node::default() }
}

fn compiles(plugin: &Value) {
    if let Err(problems) = weir_suite::Suite::compile(plugin.to_string().as_bytes(), &node()) {
        panic!("{problems}");
    }
}

fn envoy_filter_config() -> Value {
    document("istio/envoyfilter.yaml")["spec"]["configPatches"][0]["patch"]["value"]["typed_config"].clone()
}

#[test]
fn every_plugin_document_compiles() {
    compiles(&document("istio/wasmplugin.yaml")["spec"]["pluginConfig"]);
    compiles(&envoy_filter_config()["config"]["configuration"]["value"]);
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let bootstrap = document("envoy.yaml");
    let filter = bootstrap.pointer(&format!("{manager}/http_filters/1/typed_config/config/configuration/value"));
    compiles(filter.unwrap());
}

/// As they stand, and with what their comments say to change: all of it, or the mode alone.
#[test]
fn validate_has_nothing_to_say_of_the_samples_until_mode_and_strategy_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let validate = |text: &str| {
        let file = folder.path().join("sample.yaml");
        fs::write(&file, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_weir")).arg("validate").arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stdout).matches("warning: ").count()
    };
    let mut rows = Rows::default();
    for (file, trial, warnings) in
        [("envoy.yaml", false, 0), ("istio/wasmplugin.yaml", true, 1), ("istio/envoyfilter.yaml", true, 2)]
    {
        let text = fs::read_to_string(workspace().join("envoy-configs").join(file)).unwrap();
        rows.check(file, validate(&text), 0);
        if trial {
            let enforcing = text.replace("mode: shadow", "mode: enforce");
            rows.check(format!("{file}, enforcing"), validate(&enforcing), warnings);
            let closed = text.replace("FAIL_OPEN", "FAIL_RELOAD");
            rows.check(format!("{file}, closed"), validate(&closed), 1);
            let both = enforcing.replace("FAIL_OPEN", "FAIL_RELOAD").replace("default_config:", "was_default_config:");
            rows.check(format!("{file}, both"), validate(&both), 0);
        }
    }
}

/// The configuration that the README shows.
#[test]
fn the_first_configuration_of_the_readme_is_valid() {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let section = readme.split("## A first configuration").nth(1).unwrap();
    let block = section.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = std::env::temp_dir().join(format!("weir-readme-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("first.yaml");
    fs::write(&file, block).unwrap();
    let validate = |file: &Path| Command::new(env!("CARGO_BIN_EXE_weir")).arg("validate").arg(file).output().unwrap();
    let output = validate(&file);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    fs::write(&file, block.replace("unit: minute", "unit: fortnight").replace("policies:", "polices:")).unwrap();
    let output = validate(&file);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("$.policy.polices: unknown field; did you mean `policies`?"), "{text}");
    assert!(text.contains("$.rateLimit.local.config.descriptors[0].rate_limit.unit"), "{text}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_annotation_lists_exactly_the_labels_of_the_bootstrap() {
    let tags = document("envoy.yaml")["stats_config"]["stats_tags"].clone();
    let tags: BTreeSet<&str> = tags.as_array().unwrap().iter().map(|tag| tag["tag_name"].as_str().unwrap()).collect();
    let deployment = document("istio/deployment.yaml");
    let annotation = &deployment["spec"]["template"]["metadata"]["annotations"]["sidecar.istio.io/extraStatTags"];
    let listed: BTreeSet<&str> = annotation.as_str().unwrap().split(',').collect();
    assert_eq!(tags, listed);
    let unlisted: Vec<&str> = weir_telemetry::LABELS.into_iter().filter(|label| !tags.contains(label)).collect();
    assert!(unlisted.is_empty(), "labels of the telemetry filter without a tag: {unlisted:?}");
    // An expression that spells out what comes before its label is tried at one place of a name, not at all of them.
    let mut before = String::new();
    let mut rows = Rows::default();
    for tag in document("envoy.yaml")["stats_config"]["stats_tags"].as_array().unwrap() {
        let name = tag["tag_name"].as_str().unwrap();
        if name == "weir_plugin" {
            before.clear();
        }
        let expected = format!(r"^(?=wasmcustom\.{before}({name}=\.=(.*?);\.;))");
        rows.check(name, tag["regex"].as_str(), Some(expected.as_str()));
        match (before.starts_with("weir_plugin"), name) {
            (true, _) => {}
            (false, "weir_plugin") => before.push_str(r"weir_plugin=.*?;\.;"),
            (false, _) => before.push_str(&format!(r"{name}=\.=.*?;\.;")),
        }
    }
}

#[test]
fn both_manifests_name_the_same_filter_in_both_of_their_places() {
    let patches = document("istio/envoyfilter.yaml")["spec"]["configPatches"].clone();
    assert_eq!(patches[0]["patch"]["value"]["name"], patches[2]["patch"]["value"]["name"]);
    // Patches are applied in order: who is nearer to the router comes later.
    assert_eq!(patches[1]["match"], patches[2]["match"]);
    assert_eq!(patches[1]["patch"]["operation"], "INSERT_BEFORE");
    assert_eq!(document("istio/wasmplugin.yaml")["spec"]["pluginName"], "weir");
    assert_eq!(envoy_filter_config()["config"]["root_id"], "weir");
}

/// What Istio's agent does with the manifests: the image becomes a local file, all else stays.
#[test]
fn a_real_envoy_takes_what_the_manifests_configure() {
    let module = workspace().join("dist/suite.wasm");
    assert!(module.is_file(), "{} is missing: make build", module.display());
    let local = json!({"local": {"filename": module}});
    let mut from_filter = envoy_filter_config();
    from_filter["config"]["vm_config"]["code"] = local;
    let mut from_plugin = from_filter.clone();
    let plugin = document("istio/wasmplugin.yaml")["spec"]["pluginConfig"].to_string();
    from_plugin["config"]["configuration"] =
        json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": plugin});
    let binary = weir_launch::find_wanted(&mut |line| eprintln!("{line}")).unwrap();
    for config in [from_filter, from_plugin] {
        let mut bootstrap = document("envoy.yaml");
        bootstrap["admin"]["address"]["socket_address"]["port_value"] = json!(0);
        let listener = &mut bootstrap["static_resources"]["listeners"][0];
        listener["address"]["socket_address"]["port_value"] = json!(0);
        let filters = &mut listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"];
        filters[0] = document("istio/envoyfilter.yaml")["spec"]["configPatches"][1]["patch"]["value"].clone();
        filters[1]["typed_config"] = config;
        let envoy = Launch::new(&binary).unwrap().start(&bootstrap.to_string()).unwrap();
        assert!(envoy.listeners().unwrap().contains_key("inbound"));
    }
}

/// `make demo` with ports of its own: the requests of `requests.yaml` through `envoy.yaml`, and what is printed of them.
#[test]
fn the_demo_shows_every_kind_of_decision() {
    // The limit of the demo is one a minute long; a new minute within it would let the last request pass.
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 60;
    while second() >= 50 {
        sleep(Duration::from_millis(200));
    }
    let configs = workspace().join("envoy-configs");
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(workspace())
        .args(["run", "--exit", "--port", "0", "--admin-port", "0", "--bootstrap"])
        .arg(configs.join("envoy.yaml"))
        .arg("--requests")
        .arg(configs.join("requests.yaml"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut rows = Rows::default();
    for expected in [
        "an allowed read                    GET /items/42             200  shop/public-api[0]       allowed",
        "(rbac_access_denied_matched_policy[none])",
        "(rbac_access_denied_matched_policy[ns[shop]-policy[no-admin]-rule[0]])",
        "limit per-user           exceeded, retry after ",
        "(local_rate_limited[per-user])",
        "requests by response code         6  200",
        "                                  3  403",
        "                                  1  429",
        "policy decisions                  2  allow shop/public-api[0]",
        "                                  5  allow shop/public-api[1]",
        "                                  1  deny no match",
        "                                  2  deny shop/no-admin[0]",
        "rate limit outcomes               1  per-user exceeded",
        "                                  4  per-user within",
        "latency                          10  requests, mean ",
        " ms, p50 at most ",
        " ms, p99 at most ",
    ] {
        rows.contains("output", &text, expected);
    }
    let line = |say: &str| text.lines().find(|line| line.starts_with(say)).unwrap_or_default().to_owned();
    for (say, status) in [
        ("not matched", " 403 "),
        ("refused by", " 403 "),
        ("the same with x-role", " 200 "),
        ("the same as /items/..", " 403 "),
        ("third", " 200 "),
        ("one too many", " 429 "),
        ("x-user: bob", " 200 "),
    ] {
        rows.contains(say, &line(say), status);
    }
}
