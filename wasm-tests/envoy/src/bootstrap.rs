//! Envoy's bootstrap for a [`Setup`], as JSON. The stats tags are those of `envoy-configs/envoy.yaml`, so that the file an
//! operator copies is the one that tests prove.

mod before;

pub use before::jwt_authn;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_launch::Identity;
use weir_scenario::{Cluster, Direction, EscapedSlashes, Failure, Span, Surroundings, Target, Tls};

use crate::filters::{Discovery, OnFailure, Plugin, Setup};
use crate::paths::workspace;

/// What the proxy needs to speak TLS.
#[derive(Clone, Debug)]
pub(crate) struct ServerTls {
    /// Certificate and key of the proxy.
    pub(crate) identity: Identity,
    /// The certificate authority that clients are checked by.
    pub(crate) authority_pem: String,
}

/// Name of the one listener.
pub(crate) const LISTENER: &str = "ingress";
/// The cluster that connections go to.
const TCP_SERVER: &str = "tcp-server";
/// File of the access log in the run's directory.
pub(crate) const ACCESS_LOG: &str = "access.log";
/// Directory of the discovery files in the run's directory, each in one of its own: any move into it makes Envoy look.
const DISCOVERY: &str = "discovery";

/// The whole bootstrap.
pub(crate) fn bootstrap(
    setup: &Setup,
    address_of: &dyn Fn(&str) -> SocketAddr,
    tls: Option<&ServerTls>,
    dir: &Path,
) -> Result<Value, Failure> {
    let node = &setup.proxy.node;
    let clusters = setup.world.clusters.iter();
    let mut clusters: Vec<_> = clusters.map(|(name, spec)| cluster(name, spec, address_of(name))).collect();
    clusters.extend(setup.tcp_to.map(|server| cluster(TCP_SERVER, &Cluster::default(), server)));
    clusters.extend(setup.servers.iter().map(|(name, server)| {
        let spec = Cluster { http2: server.http2, ..Cluster::default() };
        cluster(name, &spec, server.address)
    }));
    let mut tree = json!({
        "node": {"id": node.id, "cluster": node.cluster, "metadata": node.metadata},
        "admin": {"address": {"socket_address": {"address": setup.site.address, "port_value": 0}}},
        "stats_config": {"stats_tags": stats_tags()?},
        // Histograms show once they are flushed; a test has no five seconds.
        "stats_flush_interval": "0.2s",
        "static_resources": {"clusters": clusters},
    });
    if matches!(setup.discovery, Discovery::Listener | Discovery::Both) {
        merge(&mut tree, json!({"dynamic_resources": {"lds_config": source(&listener_file(dir))}}));
    } else {
        merge(&mut tree, json!({"static_resources": {"listeners": [listener(setup, tls, dir)]}}));
    }
    Ok(tree)
}

/// The listener with its filters.
pub(crate) fn listener(setup: &Setup, tls: Option<&ServerTls>, dir: &Path) -> Value {
    let plain = || {
        let before = before::of_connections(&setup.proxy);
        let network = setup.network.iter().map(|plugin| {
            let mut config = wasm(plugin, setup.on_failure);
            merge(&mut config, json!({"@type": WASM.replace(".http.", ".network.")}));
            json!({"name": "envoy.filters.network.wasm", "typed_config": config})
        });
        let last = match setup.tcp_to {
            Some(_) => tcp_proxy(dir),
            None => connection_manager(setup, dir),
        };
        let filters = before.into_iter().chain(network).chain(setup.native_network.iter().cloned()).chain([last]);
        json!({"filters": filters.collect::<Vec<_>>()})
    };
    let secure = |tls: &ServerTls| {
        let mut chain = plain();
        merge(&mut chain, json!({"transport_socket": transport_socket(tls)}));
        chain
    };
    let own = || {
        let mut chain = plain();
        merge(&mut chain, json!({"transport_socket": setup.transport_socket}));
        chain
    };
    let (chains, inspected) = match (&setup.proxy.tls, tls) {
        _ if setup.transport_socket.is_some() => (vec![own()], false),
        (Tls::Mtls(_), Some(tls)) => (vec![secure(tls)], false),
        (Tls::Permissive(_), Some(tls)) => {
            let mut chain = secure(tls);
            merge(&mut chain, json!({"filter_chain_match": {"transport_protocol": "tls"}}));
            (vec![chain, plain()], true)
        }
        _ => (vec![plain()], false),
    };
    let inspector = json!({
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"},
    });
    let proxied = json!({
        "name": "envoy.filters.listener.proxy_protocol",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
            "allow_requests_without_proxy_protocol": true,
        },
    });
    let all = [(setup.proxy.proxy_protocol, proxied), (inspected, inspector)];
    let listener_filters: Vec<Value> =
        all.into_iter().filter_map(|(enabled, filter)| enabled.then_some(filter)).collect();
    json!({
        "name": LISTENER,
        "traffic_direction": match setup.proxy.direction {
            Direction::Unspecified => "UNSPECIFIED",
            Direction::Inbound => "INBOUND",
            Direction::Outbound => "OUTBOUND",
        },
        "address": {"socket_address": {"address": setup.site.address, "port_value": setup.port}},
        "listener_filters": listener_filters,
        "filter_chains": chains,
    })
}

fn tcp_proxy(dir: &Path) -> Value {
    json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": LISTENER,
            "cluster": TCP_SERVER,
            "max_connect_attempts": 1,
            "access_log": [crate::access::logger_of_connections(&dir.join(ACCESS_LOG))],
        },
    })
}

fn connection_manager(setup: &Setup, dir: &Path) -> Value {
    let proxy = &setup.proxy;
    let filter = |plugin: &Plugin| match setup.discovery {
        Discovery::Filters | Discovery::Both => json!({
            "name": plugin.name,
            "config_discovery": {"config_source": source(&filter_file(dir, &plugin.name)), "type_urls": [WASM]},
        }),
        Discovery::None | Discovery::Listener => {
            json!({"name": plugin.name, "typed_config": wasm(plugin, setup.on_failure)})
        }
    };
    let grpc_web = proxy.grpc_web.then(|| {
        json!({
            "name": "envoy.filters.http.grpc_web",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb"},
        })
    });
    let before = before::filters(proxy).into_iter().chain(setup.native_first.iter().cloned()).chain(grpc_web);
    let mut filters: Vec<_> = before.chain(setup.plugins.iter().map(filter)).collect();
    filters.extend(setup.native.iter().cloned());
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }));
    let mut manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": LISTENER,
        "use_remote_address": proxy.use_remote_address,
        "xff_num_trusted_hops": proxy.xff_trusted_hops,
        "normalize_path": proxy.path_normalization.normalize_path,
        "merge_slashes": proxy.path_normalization.merge_slashes,
        "path_with_escaped_slashes_action": match proxy.path_normalization.escaped_slashes {
            EscapedSlashes::Keep => "KEEP_UNCHANGED",
            EscapedSlashes::Reject => "REJECT_REQUEST",
            EscapedSlashes::UnescapeAndRedirect => "UNESCAPE_AND_REDIRECT",
            EscapedSlashes::UnescapeAndForward => "UNESCAPE_AND_FORWARD",
        },
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes(&setup.world)}],
            "ignore_path_parameters_in_path_matching": proxy.ignore_path_parameters,
        },
        "http_filters": filters,
        "access_log": [crate::access::logger(&dir.join(ACCESS_LOG))],
    });
    if !setup.access_logs.is_empty() {
        let own = crate::access::logger(&dir.join(ACCESS_LOG));
        let logs: Vec<Value> = std::iter::once(own).chain(setup.access_logs.iter().cloned()).collect();
        merge(&mut manager, json!({"access_log": logs}));
    }
    if let Some(limit) = proxy.max_request_headers_kb {
        merge(&mut manager, json!({"max_request_headers_kb": limit}));
    }
    if let Some(timeout) = proxy.request_timeout {
        merge(&mut manager, json!({"request_timeout": seconds(timeout)}));
    }
    if let Some(interval) = proxy.access_log_flush_interval {
        merge(&mut manager, json!({"access_log_options": {"access_log_flush_interval": seconds(interval)}}));
    }
    let upgrades: Vec<Value> = proxy.upgrades.iter().map(|kind| json!({"upgrade_type": kind})).collect();
    if !upgrades.is_empty() {
        merge(&mut manager, json!({"upgrade_configs": upgrades}));
    }
    json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": manager})
}

/// A duration as protobuf's JSON has it.
fn seconds(span: Span) -> String {
    format!("{:.3}s", span.0.as_secs_f64())
}

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// The filter configuration of a plugin.
pub(crate) fn wasm(plugin: &Plugin, on_failure: OnFailure) -> Value {
    let on_failure = match on_failure {
        OnFailure::Unsaid => json!({}),
        OnFailure::Closed => json!({"failure_policy": "FAIL_CLOSED"}),
        OnFailure::Open => json!({"failure_policy": "FAIL_OPEN"}),
        OnFailure::Reload => json!({"failure_policy": "FAIL_RELOAD"}),
        OnFailure::FailOpen => json!({"fail_open": true}),
    };
    let mut config = json!({
        "@type": WASM,
        "config": {
            "name": plugin.name,
            "root_id": plugin.root_id,
            "vm_config": {
                "vm_id": plugin.name,
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": plugin.module}},
            },
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": plugin.configuration,
            },
        },
    });
    merge(&mut config, json!({"config": on_failure}));
    if !plugin.vm_configuration.is_empty() {
        let text = json!({
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": plugin.vm_configuration,
        });
        merge(&mut config, json!({"config": {"vm_config": {"configuration": text}}}));
    }
    config
}

/// The discovery file of a filter.
pub(crate) fn filter_file(dir: &Path, name: &str) -> PathBuf {
    dir.join(DISCOVERY).join(name).join("filter.json")
}

/// The discovery file of the listener.
pub(crate) fn listener_file(dir: &Path) -> PathBuf {
    dir.join(DISCOVERY).join(LISTENER).join("listener.json")
}

fn source(file: &Path) -> Value {
    let watched = file.parent().unwrap_or(file);
    json!({
        "path_config_source": {"path": file, "watched_directory": {"path": watched}},
        "resource_api_version": "V3",
    })
}

fn routes(world: &Surroundings) -> Vec<Value> {
    let route = |route: &weir_scenario::Route| {
        let matched = if route.connect { json!({"connect_matcher": {}}) } else { json!({"prefix": route.prefix}) };
        let mut tree = json!({"name": route.name, "match": matched});
        merge(
            &mut tree,
            match &route.to {
                Target::Cluster(name) => json!({"route": {"cluster": name}}),
                Target::DirectResponse { status, body } => {
                    json!({"direct_response": {"status": status, "body": {"inline_string": String::from_utf8_lossy(&body.0)}}})
                }
            },
        );
        if route.internal_redirects > 0 {
            let policy = json!({"max_internal_redirects": route.internal_redirects});
            merge(&mut tree, json!({"route": {"internal_redirect_policy": policy}}));
        }
        tree
    };
    world.routes.iter().map(route).collect()
}

fn cluster(name: &str, spec: &Cluster, address: SocketAddr) -> Value {
    let address = json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}});
    let protocol = if spec.http2 { "http2_protocol_options" } else { "http_protocol_options" };
    json!({
        "name": name,
        "connect_timeout": "1s",
        "metadata": {"filter_metadata": spec.metadata},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {protocol: {}},
            },
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": address},
                "metadata": {"filter_metadata": spec.endpoint_metadata},
            }]}],
        },
    })
}

fn transport_socket(tls: &ServerTls) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": true,
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": {"inline_string": tls.identity.certificate_pem},
                    "private_key": {"inline_string": tls.identity.key_pem},
                }],
                "validation_context": {"trusted_ca": {"inline_string": tls.authority_pem}},
            },
        },
    })
}

/// The stats tags that ship.
fn stats_tags() -> Result<Value, Failure> {
    let file = workspace().join("envoy-configs/envoy.yaml");
    let failed = |what: String| Failure(format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(&file).map_err(|error| failed(error.to_string()))?;
    let tree: Value = serde_yaml_ng::from_str(&text).map_err(|error| failed(error.to_string()))?;
    tree.pointer("/stats_config/stats_tags").cloned().ok_or_else(|| failed("it has no stats tags".to_owned()))
}

/// Adds the fields of one object to another, objects within them likewise.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
