//! What `weir render envoy` prints, in a real Envoy: the whole bootstrap and the filters alone, in each direction, decide
//! requests as their files say. Needs `make build`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends where it fails")]

use serde::Deserialize;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;
use weir_launch::{Client, Envoy, Launch, Protocol, Request};
use weir_testing::Rows;

const FILES: [(&str, &str); 3] = [
    (
        "policies.yaml",
        r#"kind: AuthorizationPolicy
metadata: {name: public, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  rules: [{to: [{operation: {paths: ["/cart*"]}}]}]
---
kind: AuthorizationPolicy
metadata: {name: local, namespace: shop}
spec: {action: DENY, rules: [{from: [{source: {notIpBlocks: ["127.0.0.0/8"]}}]}]}
---
kind: AuthorizationPolicy
metadata: {name: stock, namespace: shop}
spec: {selector: {matchLabels: {app: stock}}, action: DENY, rules: [{}]}
"#,
    ),
    (
        "limits.yaml",
        "domain: shop
descriptors:
- {key: user, rate_limit: {name: per-user, unit: year, requests_per_unit: 1}}
",
    ),
    (
        "cart.yaml",
        "schema: 1
name: cart
rateLimit:
  rate_limits: [{actions: [{request_headers: {header_name: x-user, descriptor_key: user}}]}]
telemetry: {}
",
    ),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// What is rendered of the files for the suite in this Envoy.
fn render(context: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let version = weir_launch::wanted_version();
    let line = version.rsplit_once('.').unwrap().0.to_owned();
    let module = workspace().join("dist/suite.wasm");
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(folder.path())
        .args(["render", "envoy", "--module", "suite", "--workload", "shop/cart", "--selector", "app=cart"])
        .args(["--config", "policies.yaml", "limits.yaml", "cart.yaml", "--envoy", &line])
        .arg("--module-file")
        .arg(module)
        .args(context)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Value::deserialize(serde_yaml_ng::Deserializer::from_slice(&output.stdout)).unwrap()
}

/// Starts a bootstrap on free ports, with an answer of its own in place of an upstream.
fn start(mut bootstrap: Value) -> Envoy {
    bootstrap["admin"]["address"]["socket_address"]["port_value"] = json!(0);
    for listener in bootstrap["static_resources"]["listeners"].as_array_mut().unwrap() {
        listener["address"]["socket_address"]["port_value"] = json!(0);
        let route = json!({"match": {"prefix": "/"}, "direct_response": {"status": 200}});
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        manager["route_config"]["virtual_hosts"][0]["routes"] = json!([route]);
    }
    let binary = weir_launch::find_wanted(&mut |line| eprintln!("{line}")).unwrap();
    Launch::new(&binary).unwrap().start(&bootstrap.to_string()).unwrap()
}

/// The statuses of a request that a policy allows, one that none allows, and two of one user.
fn statuses(envoy: &Envoy, listener: &str) -> [u16; 4] {
    let address = envoy.listeners().unwrap()[listener];
    let client = Client::new().unwrap();
    let send = |path: &str, user: Option<&str>| {
        let mut request = Request::new("GET", "cart.shop.example", path);
        if let Some(user) = user {
            request = request.header("x-user", user);
        }
        client.send(address, Protocol::Http1, &request).unwrap().status
    };
    [send("/cart", None), send("/admin", None), send("/cart", Some("ann")), send("/cart", Some("ann"))]
}

/// The rows of Envoy's metrics, as Prometheus gets them, that begin so.
fn series(envoy: &Envoy, start: &str) -> usize {
    envoy.counted("/stats/prometheus").unwrap().lines().filter(|line| line.starts_with(start)).count()
}

#[test]
fn a_bootstrap_decides_in_each_direction() {
    // Policies are for what comes in: on a sidecar's outbound listener there are none.
    let inbound = [200, 403, 200, 429];
    let outbound = [200, 200, 200, 429];
    let mut rows = Rows::default();
    for (context, listeners) in [
        (&["--proxy", "sidecar"][..], &[("inbound", inbound)][..]),
        (&["--proxy", "sidecar", "--direction", "outbound"], &[("outbound", outbound)]),
        (&["--proxy", "sidecar", "--direction", "both"], &[("inbound", inbound), ("outbound", outbound)]),
        (&["--proxy", "gateway"], &[("outbound", inbound)]),
    ] {
        let envoy = start(render(context));
        for (listener, expected) in listeners {
            rows.check(format!("{context:?} {listener}"), statuses(&envoy, listener), *expected);
        }
        // Labels are labels, and every reporter counts.
        rows.check(format!("{context:?}"), series(&envoy, "istio_requests_total{reporter=") >= listeners.len(), true);
        // Both directions share the VMs.
        rows.check(format!("{context:?}: VMs"), vms(&envoy), 3);
    }
}

/// How many VMs there are. For each VM id and module Envoy has one for the code, one on the main thread and one for each worker.
fn vms(envoy: &Envoy) -> u64 {
    let text = envoy.admin_get("/stats?filter=wasm.envoy.wasm.runtime.v8.active").unwrap();
    text.trim().rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_snippet_decides_in_another_bootstrap() {
    let filters = render(&["--proxy", "sidecar", "--snippet"]);
    let text = fs::read_to_string(workspace().join("envoy-configs/envoy.yaml")).unwrap();
    let mut bootstrap = Value::deserialize(serde_yaml_ng::Deserializer::from_str(&text)).unwrap();
    // Another workload's Envoy: what the filter is for stands in its own document.
    bootstrap["node"] = json!({"id": "other", "cluster": "other"});
    let manager = &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let router = manager["http_filters"].as_array().unwrap().last().unwrap().clone();
    let mut chain = filters.as_array().unwrap().clone();
    chain.push(router);
    manager["http_filters"] = json!(chain);
    assert_eq!(statuses(&start(bootstrap), "inbound"), [200, 403, 200, 429]);
}

/// What comes back of `hello`, through the listener of a bootstrap whose only cluster is a server that sends back what it gets.
fn echoed(mut bootstrap: Value) -> String {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in server.incoming().map_while(Result::ok) {
            let mut buffer = [0; 64];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                let _ = stream.write_all(&buffer[..length]);
            }
        }
    });
    bootstrap["admin"]["address"]["socket_address"]["port_value"] = json!(0);
    bootstrap["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] = json!(0);
    let endpoints = &mut bootstrap["static_resources"]["clusters"][0]["load_assignment"]["endpoints"];
    endpoints[0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] = json!(port);
    let binary = weir_launch::find_wanted(&mut |line| eprintln!("{line}")).unwrap();
    let envoy = Launch::new(&binary).unwrap().start(&bootstrap.to_string()).unwrap();
    let mut client = TcpStream::connect(envoy.listeners().unwrap()["inbound"]).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    // A refusal may be a reset.
    let _ = client.read_to_end(&mut got);
    String::from_utf8(got).unwrap()
}

#[test]
fn connections_are_decided_by_what_is_rendered_for_them() {
    let mut rows = Rows::default();
    let version = weir_launch::wanted_version();
    let line = version.rsplit_once('.').unwrap().0;
    for (blocks, expected) in [("127.0.0.0/8", "hello"), ("10.0.0.0/8", "")] {
        let folder = tempfile::tempdir().unwrap();
        let policy = format!(
            "kind: AuthorizationPolicy\nmetadata: {{name: near, namespace: shop}}\n\
             spec: {{rules: [{{from: [{{source: {{ipBlocks: [\"{blocks}\"]}}}}]}}]}}\n"
        );
        fs::write(folder.path().join("policies.yaml"), policy).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .current_dir(folder.path())
            .args(["render", "envoy", "--protocol", "tcp", "--module", "policy", "--workload", "shop/redis"])
            .args(["--proxy", "sidecar", "--selector", "app=redis", "--config", "policies.yaml", "--envoy", line])
            .arg("--module-file")
            .arg(workspace().join("dist/policy.wasm"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let bootstrap = Value::deserialize(serde_yaml_ng::Deserializer::from_slice(&output.stdout)).unwrap();
        rows.check(blocks, echoed(bootstrap), expected);
    }
}
