//! The Istio samples as they are written refuse no request in a real Envoy, also when something fails. Istio's part is done
//! here: the agent replaces the image by a local file, and the plugin by an RBAC filter if it has no image.
//! Needs `make build`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends where it fails")]

use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_launch::{Client, Envoy, Launch, Protocol, Request};
use weir_testing::Rows;

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn sample(file: &str) -> Value {
    let text = fs::read_to_string(workspace().join("envoy-configs").join(file)).unwrap();
    let document = serde_yaml_ng::Deserializer::from_str(&text).next().unwrap();
    Value::deserialize(document).unwrap()
}

/// The typed configuration of the EnvoyFilter, and that which istiod makes of the WasmPlugin.
fn samples() -> [(&'static str, Value); 2] {
    let plugin = sample("istio/wasmplugin.yaml")["spec"].clone();
    let strategy = match plugin["failStrategy"].as_str() {
        Some("FAIL_CLOSE") | None => "FAIL_CLOSED",
        Some(same) => same,
    };
    let made = json!({"@type": WASM, "config": {
        "name": "shop.weir",
        "root_id": plugin["pluginName"],
        "failure_policy": strategy,
        "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {}},
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": plugin["pluginConfig"].to_string(),
        },
    }});
    let filter = sample("istio/envoyfilter.yaml")["spec"]["configPatches"][0]["patch"]["value"]["typed_config"].clone();
    [("wasmplugin.yaml", made), ("envoyfilter.yaml", filter)]
}

fn with_module(mut config: Value, module: &Path) -> Value {
    config["config"]["vm_config"]["code"] = json!({"local": {"filename": module}});
    config
}

/// What Istio's agent puts in the place of a plugin whose image it cannot have.
fn stand_in(config: &Value) -> Value {
    match config["config"]["failure_policy"].as_str() {
        Some("FAIL_OPEN") => json!({"@type": RBAC, "rules_stat_prefix": "wasm-default-allow"}),
        _ => json!({"@type": RBAC, "rules": {}, "rules_stat_prefix": "wasm-default-deny"}),
    }
}

/// An Envoy of workload `cart` that answers every request with 200 behind `filters`.
fn start(launch: Launch, filters: &[Value]) -> Envoy {
    let mut bootstrap = sample("envoy.yaml");
    bootstrap["admin"]["address"]["socket_address"]["port_value"] = json!(0);
    let listener = &mut bootstrap["static_resources"]["listeners"][0];
    listener["address"]["socket_address"]["port_value"] = json!(0);
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    let mut chain = filters.to_vec();
    chain.push(manager["http_filters"].as_array().unwrap().last().unwrap().clone());
    manager["http_filters"] = json!(chain);
    let route = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}});
    manager["route_config"]["virtual_hosts"][0]["routes"] = json!([route]);
    launch.start(&bootstrap.to_string()).unwrap()
}

fn launch() -> Launch {
    let binary = weir_launch::find_wanted(&mut |line| eprintln!("{line}")).unwrap();
    Launch::new(&binary).unwrap()
}

/// The statuses of `count` requests that the policy of the samples would refuse and that their limits are too small for.
fn statuses(envoy: &Envoy, count: usize) -> Vec<u16> {
    let listener = envoy.listeners().unwrap()["inbound"];
    let client = Client::new().unwrap();
    let mut connection = client.connect(listener, Protocol::Http1).unwrap();
    let request = Request::new("DELETE", "cart.shop.example", "/cart").header("x-user", "ann");
    (0..count).map(|_| connection.send(&request).unwrap().status).collect()
}

/// The sum of the series of a metric that have all of the labels.
fn sum(envoy: &Envoy, metric: &str, labels: &[&str]) -> f64 {
    let text = envoy.counted("/stats/prometheus").unwrap();
    let of = |line: &&str| line.starts_with(metric) && labels.iter().all(|label| line.contains(label));
    text.lines().filter(of).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn three_hundred_requests_that_would_be_refused_pass() {
    let mut rows = Rows::default();
    for (name, config) in samples() {
        let config = with_module(config, &workspace().join("dist/suite.wasm"));
        let filter = json!({"name": "shop.weir", "typed_config": config});
        let peer = sample("istio/envoyfilter.yaml")["spec"]["configPatches"][1]["patch"]["value"].clone();
        let envoy = start(launch(), &[peer, filter]);
        rows.check(name, statuses(&envoy, 300), [200; 300]);
        // They were decided: each would have been refused, and many of them by a limit too.
        let denied = sum(&envoy, "weir_policy_decisions_total", &["decision=\"deny\"", "mode=\"shadow\""]);
        let limited = sum(&envoy, "weir_ratelimit_requests_total", &["decision=\"over_limit\"", "mode=\"shadow\""]);
        rows.check(name, denied, 300.0);
        rows.check(format!("{name}: {limited} limited"), limited > 0.0, true);
        let enforced = ["weir_policy_decisions_total", "weir_ratelimit_requests_total"]
            .map(|metric| sum(&envoy, metric, &["mode=\"enforced\""]));
        rows.check(name, enforced, [0.0, 0.0]);
    }
}

#[test]
fn without_the_image_requests_pass() {
    let mut rows = Rows::default();
    for (name, config) in samples() {
        let envoy = start(launch(), &[json!({"name": "shop.weir", "typed_config": stand_in(&config)})]);
        rows.check(name, statuses(&envoy, 5), [200; 5]);
        let mut closed = config;
        closed["config"]["failure_policy"] = json!("FAIL_RELOAD");
        let envoy = start(launch(), &[json!({"name": "shop.weir", "typed_config": stand_in(&closed)})]);
        rows.check(format!("{name}, with FAIL_RELOAD"), statuses(&envoy, 5), [403; 5]);
    }
}

#[test]
fn after_a_trap_requests_pass() {
    let mut rows = Rows::default();
    for (name, config) in samples() {
        let launch = launch();
        let module = launch.dir().join("traps.wasm");
        fs::write(&module, traps()).unwrap();
        let filter = |config: Value| json!({"name": "shop.weir", "typed_config": with_module(config, &module)});
        let envoy = start(launch, &[filter(config)]);
        // Envoy answers the stream in which the VM dies.
        rows.check(name, statuses(&envoy, 5), [503, 200, 200, 200, 200]);
    }
}

/// The EnvoyFilter's own discovery, from a file instead of istiod's.
#[test]
fn until_the_module_is_loaded_and_its_configuration_accepted_requests_pass() {
    let patches = sample("istio/envoyfilter.yaml")["spec"]["configPatches"].clone();
    let [_, (_, config)] = samples();
    let suite = workspace().join("dist/suite.wasm");
    let mut refused = with_module(config.clone(), &suite);
    refused["config"]["configuration"]["value"]["mode"] = json!("shadwo");
    let garbage = b"\0asm\x01\0\0\0 and no more";
    let mut rows = Rows::default();
    for (what, bytes, config) in [
        ("no answer", None, None),
        ("a refused configuration", None, Some(refused)),
        ("no file", None, Some(with_module(config.clone(), Path::new("/nowhere/suite.wasm")))),
        ("a damaged module", Some(&garbage[..]), Some(config)),
    ] {
        for (default, expected) in [(true, 200), (false, 500)] {
            // Without the default Envoy waits for an answer, so that there is nothing to ask.
            if config.is_none() && !default {
                continue;
            }
            let launch = launch().ready_within(Duration::from_secs(20));
            let module = launch.dir().join("suite.wasm");
            let answer = launch.dir().join("discovered.json");
            let typed = match (bytes, &config) {
                (Some(bytes), Some(config)) => {
                    fs::write(&module, bytes).unwrap();
                    Some(with_module(config.clone(), &module))
                }
                (_, config) => config.clone(),
            };
            let resource = typed.map(|typed| {
                json!({
                    "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                    "name": "shop.weir",
                    "typed_config": typed,
                })
            });
            let resources: Vec<Value> = resource.into_iter().collect();
            fs::write(&answer, json!({"resources": resources}).to_string()).unwrap();
            let mut filter = patches[2]["patch"]["value"].clone();
            let discovery = &mut filter["config_discovery"];
            let source = discovery["config_source"].as_object_mut().unwrap();
            source.remove("ads").unwrap();
            source.insert("path_config_source".to_owned(), json!({"path": answer}));
            if !default {
                let fields = discovery.as_object_mut().unwrap();
                fields.remove("default_config").unwrap();
                fields.remove("apply_default_config_without_warming").unwrap();
            }
            let envoy = start(launch, &[filter]);
            rows.check(format!("{what}, default: {default}"), statuses(&envoy, 5), [expected; 5]);
        }
    }
}

/// A module that takes any configuration and traps on request headers, as bytes:
///
/// ```text
/// (memory (export "memory") 2)
/// (func (export "proxy_abi_version_0_2_1"))
/// (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
/// (func (export "proxy_on_context_create") (param i32 i32))
/// (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable)
/// ```
fn traps() -> Vec<u8> {
    let section = |id: u8, body: &[u8]| [&[id, u8::try_from(body.len()).unwrap()], body].concat();
    let types = b"\x04\x60\0\0\x60\x01\x7f\x01\x7f\x60\x02\x7f\x7f\0\x60\x03\x7f\x7f\x7f\x01\x7f";
    let mut exports = vec![5];
    let names =
        ["proxy_abi_version_0_2_1", "proxy_on_memory_allocate", "proxy_on_context_create", "proxy_on_request_headers"];
    for (index, name) in (0_u8..).zip(names) {
        exports.push(u8::try_from(name.len()).unwrap());
        exports.extend_from_slice(name.as_bytes());
        exports.extend_from_slice(&[0, index]);
    }
    exports.extend_from_slice(b"\x06memory\x02\0");
    let code = b"\x04\x02\0\x0b\x05\0\x41\x80\x08\x0b\x02\0\x0b\x03\0\0\x0b";
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, types),
        section(3, b"\x04\0\x01\x02\x03"),
        section(5, b"\x01\0\x02"),
        section(7, &exports),
        section(10, code),
    ]
    .concat()
}
