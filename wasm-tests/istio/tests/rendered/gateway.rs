//! Envoy Gateway: what its controller makes of a rendered EnvoyExtensionPolicy, in a real Envoy that fetches the module over
//! HTTP, as its proxies do.
//!
//! The rules are those of `buildWasm` of `internal/gatewayapi/envoyextensionpolicy.go`, and of
//! `internal/xds/translator/wasm.go`, of Envoy Gateway at d32f2829 (August 2026). Left out: TLS between proxy and controller,
//! and which routes a target has.

use std::error::Error;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::{Map, Value, json};
use weir_launch::{Client, Envoy, Launch, Protocol, Reply, Request, Response, Upstream, echo};
use weir_test_envoy::{envoy_binary, module};
use weir_test_istio::{render, sha256};
use weir_testing::Rows;

use crate::contexts::{CONTEXTS, Outcome, image};

/// Where the controller serves a module, and the sum of its bytes: neither the image's address nor its digest.
struct Served {
    url: String,
    sha256: String,
}

/// The filters that the controller puts into the listener, and what turns them on in each route of the target.
fn translate(policy: &Value, served: &Served) -> (Vec<Value>, Map<String, Value>) {
    let metadata = &policy["metadata"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
    let (mut filters, mut routes) = (Vec::new(), Map::new());
    for (index, entry) in policy["spec"]["wasm"].as_array().unwrap().iter().enumerate() {
        let own = format!("envoyextensionpolicy/{namespace}/{name}/wasm/{index}");
        let mut config = json!({
            "name": entry.get("name").cloned().unwrap_or_else(|| json!(own)),
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": entry.get("config").map(Value::to_string).unwrap_or_default(),
            },
            "vm_config": {
                "vm_id": own,
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"remote": {
                    "http_uri": {"uri": served.url, "cluster": "wasm_cluster", "timeout": "10s"},
                    "sha256": served.sha256,
                    "retry_policy": {
                        "num_retries": 10,
                        "retry_back_off": {"base_interval": "1s", "max_interval": "30s"},
                    },
                }},
            },
        });
        if let Some(root) = entry.get("rootID") {
            config["root_id"] = root.clone();
        }
        if entry.get("failOpen") == Some(&json!(true)) {
            config["fail_open"] = json!(true);
        }
        let filter = format!("envoy.filters.http.wasm/{own}");
        let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
        filters.push(json!({
            "name": filter,
            "disabled": true,
            "typed_config": {"@type": wasm, "config": config},
        }));
        let enabled = json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}});
        routes.insert(filter, enabled);
    }
    (filters, routes)
}

/// The proxy of a Gateway with one route.
pub(crate) struct Edge {
    envoy: Envoy,
    modules: Upstream,
    _backend: Upstream,
    served: Served,
}

const LISTENER: &str = "infra/edge/http";
const ROUTE: &str = "httproute/infra/cart/rule/0";

impl Edge {
    /// With a policy on its route, and that module file in the image.
    pub(crate) fn start(policy: &Value, file: &Path) -> Result<Self, Box<dyn Error>> {
        let code = fs::read(file)?;
        let sum = sha256(&code);
        let modules = Upstream::start(0, move |_| Reply { status: 200, body: code.clone(), ..Reply::default() })?;
        let backend = Upstream::start(0, echo)?;
        let served = Served { url: format!("http://{}/{sum}.wasm", modules.address()), sha256: sum };
        let cluster = |name: &str, to: SocketAddr| {
            let endpoint = json!({"endpoint": {"address": address(to)}});
            json!({"name": name, "type": "STATIC",
                   "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}})
        };
        let launch = Launch::new(&envoy_binary()?)?.concurrency(1);
        serve(launch.dir(), &listener(policy, &served))?;
        let bootstrap = json!({
            "node": {"id": "envoy-infra-edge-7f9c", "cluster": "infra/edge"},
            "admin": {"address": address(FREE)},
            "static_resources": {"clusters": [
                cluster("wasm_cluster", modules.address()),
                cluster(ROUTE, backend.address()),
            ]},
            "dynamic_resources": {"lds_config": {
                "resource_api_version": "V3",
                "path_config_source": {"path": launch.dir().join(FILE)},
            }},
        });
        let envoy = launch.start(&bootstrap.to_string())?;
        Ok(Self { envoy, modules, _backend: backend, served })
    }

    /// Serves the listener with another policy.
    pub(crate) fn edit(&self, policy: &Value) -> Outcome {
        Ok(serve(self.envoy.dir(), &listener(policy, &self.served))?)
    }

    /// Sends a request, with headers.
    pub(crate) fn send(&self, path: &str, headers: &[(&str, &str)]) -> Result<Response, Box<dyn Error>> {
        let request = Request::new("GET", "shop.example.com", path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let to = self.envoy.listeners()?[LISTENER];
        Ok(Client::new()?.send(to, Protocol::Http1, &request)?)
    }

    /// What Envoy has logged.
    pub(crate) fn log(&self) -> Result<String, Box<dyn Error>> {
        Ok(self.envoy.log().lines()?.join("\n"))
    }
}

const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// The file of listener discovery.
const FILE: &str = "listeners.json";

fn address(to: SocketAddr) -> Value {
    json!({"socket_address": {"address": to.ip(), "port_value": to.port()}})
}

/// Envoy reads a file when it is moved to its place.
fn serve(directory: &Path, listener: &Value) -> io::Result<()> {
    let next = directory.join("next.json");
    fs::write(&next, json!({"resources": [listener]}).to_string())?;
    fs::rename(&next, directory.join(FILE))
}

/// The listener, with the options that the controller gives it.
fn listener(policy: &Value, served: &Served) -> Value {
    let (mut filters, routes) = translate(policy, served);
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    }));
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http-10080",
        "use_remote_address": true,
        "normalize_path": true,
        "merge_slashes": true,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "server_header_transformation": "PASS_THROUGH",
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "http_filters": filters,
        "route_config": {"name": LISTENER, "ignore_port_in_host_matching": true, "virtual_hosts": [{
            "name": "infra/edge/http/shop_example_com",
            "domains": ["shop.example.com"],
            "routes": [{
                "name": format!("{ROUTE}/match/0/shop_example_com"),
                "match": {"prefix": "/"},
                "route": {"cluster": ROUTE},
                "typed_per_filter_config": routes,
            }],
        }]},
    });
    json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": LISTENER,
        "address": address(FREE),
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }]}],
    })
}

/// The policy that is rendered for the Gateway, in a mode.
pub(crate) fn rendered(mode: &str) -> Result<Value, Box<dyn Error>> {
    let mut files = CONTEXTS[5].files();
    files[0].1 =
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: public, namespace: infra}\n\
                  spec: {rules: [{to: [{operation: {paths: [/cart, /cart/*]}}]}]}\n"
            .to_owned();
    let image = image();
    let target = ["--workload", "infra/edge", "--proxy", "gateway", "--target-ref", "Gateway/edge"];
    let common = ["envoy-gateway", "--module", "suite", "--mode", mode, "--image", &image];
    let config = ["--config", "policies.yaml", "limits.yaml", "cart.yaml"];
    let mut rendered = render(&files, &[&common[..], &target, &config].concat())?;
    assert_eq!(rendered.trees.len(), 1);
    Ok(rendered.trees.remove(0))
}

/// Facts of `internal/xds/translator/testdata/out/xds-ir/wasm.listeners.yaml` and of
/// `internal/gatewayapi/testdata/envoyextensionpolicy-with-wasm.in.yaml`, from which they are made.
#[test]
fn entries_become_filters_as_in_envoy_gateways_own_tests() {
    let of = |namespace: &str, name: &str, wasm: Value| json!({"metadata": {"namespace": namespace, "name": name}, "spec": {"wasm": wasm}});
    let gateway = of(
        "envoy-gateway",
        "policy-for-gateway",
        json!([
            {"name": "wasm-filter-1", "config": {"parameter1": {"key1": "value1", "key2": "value2"}, "parameter2": "value3"}},
            {"name": "wasm-filter-2", "rootID": "my-root-id", "config": {"parameter1": "value1", "parameter2": "value2"}},
            {},
        ]),
    );
    let route = of(
        "default",
        "policy-for-http-route",
        json!([{"name": "wasm-filter-4", "failOpen": true, "config": {"parameter1": {"key1": "value1"}}}]),
    );
    let mut rows = Rows::default();
    for (policy, index, id, name, root, open, config) in [
        (
            &gateway,
            0,
            "envoyextensionpolicy/envoy-gateway/policy-for-gateway/wasm/0",
            "wasm-filter-1",
            None,
            None,
            r#"{"parameter1":{"key1":"value1","key2":"value2"},"parameter2":"value3"}"#,
        ),
        (
            &gateway,
            1,
            "envoyextensionpolicy/envoy-gateway/policy-for-gateway/wasm/1",
            "wasm-filter-2",
            Some("my-root-id"),
            None,
            r#"{"parameter1":"value1","parameter2":"value2"}"#,
        ),
        (
            &gateway,
            2,
            "envoyextensionpolicy/envoy-gateway/policy-for-gateway/wasm/2",
            "envoyextensionpolicy/envoy-gateway/policy-for-gateway/wasm/2",
            None,
            None,
            "",
        ),
        (
            &route,
            0,
            "envoyextensionpolicy/default/policy-for-http-route/wasm/0",
            "wasm-filter-4",
            None,
            Some(true),
            r#"{"parameter1":{"key1":"value1"}}"#,
        ),
    ] {
        let served = Served { url: "http://envoy-gateway:18002/a.wasm".to_owned(), sha256: "0".repeat(64) };
        let (filters, routes) = translate(policy, &served);
        let filter = format!("envoy.filters.http.wasm/{id}");
        rows.check(id, (&filters[index]["name"], &filters[index]["disabled"]), (&json!(filter), &json!(true)));
        rows.check(id, routes.contains_key(&filter), true);
        let made = &filters[index]["typed_config"]["config"];
        let text = |field: &str| made.get(field).and_then(Value::as_str);
        rows.check(id, (text("name"), text("root_id")), (Some(name), root));
        rows.check(id, made.get("fail_open").and_then(Value::as_bool), open);
        rows.check(id, made["vm_config"]["vm_id"].as_str(), Some(id));
        rows.check(id, made["configuration"]["value"].as_str(), Some(config));
    }
}

#[test]
fn an_extension_policy_decides() -> Outcome {
    let mut rows = Rows::default();
    for (mode, fails_open, expected) in [("enforce", false, [200, 403, 200, 429]), ("shadow", true, [200; 4])] {
        let policy = rendered(mode)?;
        rows.check(mode, &policy["spec"]["wasm"][0]["failOpen"], &json!(fails_open));
        let edge = Edge::start(&policy, &module("suite")?)?;
        let mut found = Vec::new();
        for (path, headers) in
            [("/cart", &[][..]), ("/admin", &[]), ("/cart", &[("x-user", "ann")]), ("/cart", &[("x-user", "ann")])]
        {
            found.push(edge.send(path, headers)?.status);
        }
        rows.check(mode, found, expected.to_vec());
        rows.check(format!("{mode}: fetched"), edge.modules.received().len(), 1);
        // In shadow mode too the module decides: it is there and counts.
        let counted = edge.envoy.counted("/stats")?;
        rows.check(format!("{mode}: counted"), counted.contains("weir_policy_decisions_total"), true);
    }
    Ok(())
}
