//! The proxy a scenario asks for: its identity, its listener, and the filters in it.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One of the modules that ship, or a test module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Module {
    /// `policy.wasm`
    Policy,
    /// `policy-audit.wasm`, which sees the end of a configuration
    PolicyAudit,
    /// `rate-limit.wasm`
    RateLimit,
    /// `rate-limit-lean.wasm`, which does not see responses pass
    RateLimitLean,
    /// `telemetry.wasm`
    Telemetry,
    /// `telemetry-response.wasm`, which sees responses pass
    TelemetryResponse,
    /// `suite.wasm`
    Suite,
    /// `suite-lean.wasm`, which does not see responses pass
    SuiteLean,
    /// `suite-audit.wasm`, which sees the end of a configuration
    SuiteAudit,
    /// `probe.wasm`, which does not ship: it tries every hostcall and logs the outcome.
    Probe,
    /// `shell-probe.wasm`, which does not ship: a filter that does what each request asks for and logs what it is shown.
    ShellProbe,
    /// `sdk-body.wasm`, which does not ship, like the four that follow: a filter on the plain SDK that rewrites bodies.
    SdkBody,
    /// `sdk-trailers.wasm`: reads, changes and makes trailers.
    SdkTrailers,
    /// `sdk-callout.wasm`: asks other services.
    SdkCallout,
    /// `sdk-log.wasm`: logs how streams end.
    SdkLog,
    /// `sdk-properties.wasm`: properties, shared data and local replies.
    SdkProperties,
}

impl Module {
    /// The file name without its ending, as in `dist/`.
    #[must_use]
    pub fn stem(self) -> &'static str {
        match self {
            Module::Policy => "policy",
            Module::PolicyAudit => "policy-audit",
            Module::RateLimit => "rate-limit",
            Module::RateLimitLean => "rate-limit-lean",
            Module::Telemetry => "telemetry",
            Module::TelemetryResponse => "telemetry-response",
            Module::Suite => "suite",
            Module::SuiteLean => "suite-lean",
            Module::SuiteAudit => "suite-audit",
            Module::Probe => "probe",
            Module::ShellProbe => "shell-probe",
            Module::SdkBody => "sdk-body",
            Module::SdkTrailers => "sdk-trailers",
            Module::SdkCallout => "sdk-callout",
            Module::SdkLog => "sdk-log",
            Module::SdkProperties => "sdk-properties",
        }
    }
}

/// One Wasm filter in the chain, in the order of the list.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FilterSpec {
    /// Which module.
    pub module: Module,
    /// Its document. A map is given to the module as JSON; a string is given as it is, so that broken text can be tried.
    pub config: Value,
    /// Envoy's `root_id`; empty when absent.
    #[serde(default)]
    pub root_id: String,
    /// The configuration of its VM, as text; none when absent.
    #[serde(default)]
    pub vm_config: String,
}

impl FilterSpec {
    /// The bytes of the plugin configuration.
    #[must_use]
    pub fn config_bytes(&self) -> Vec<u8> {
        match &self.config {
            Value::String(text) => text.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        }
    }

    /// A name for the filter that is unique in its chain: the module and its position.
    #[must_use]
    pub fn name(&self, position: usize) -> String {
        format!("{}-{position}", self.module.stem())
    }
}

/// The proxy's identity, which modules read as `xds.node`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Node {
    /// Node id.
    pub id: String,
    /// Service cluster.
    pub cluster: String,
    /// Node metadata, as Istio writes it (`NAMESPACE`, `LABELS`, `WORKLOAD_NAME`, ...).
    pub metadata: Map<String, Value>,
}

impl Default for Node {
    fn default() -> Self {
        Node { id: "weir-test".to_owned(), cluster: "weir-test".to_owned(), metadata: Map::new() }
    }
}

/// Envoy's `traffic_direction` of the listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// `UNSPECIFIED`
    Unspecified,
    /// `INBOUND`, the default of scenarios.
    #[default]
    Inbound,
    /// `OUTBOUND`
    Outbound,
}

/// Envoy's `path_with_escaped_slashes_action`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EscapedSlashes {
    /// Leave `%2F` and `%5C` as they are.
    #[default]
    Keep,
    /// Answer 400.
    Reject,
    /// Unescape and answer 307.
    UnescapeAndRedirect,
    /// Unescape and go on.
    UnescapeAndForward,
}

/// What the connection manager does to a path before filters see it. Everything is off by default, as in plain Envoy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct PathNormalization {
    /// `normalize_path`: RFC 3986 dot segments and percent-encoded unreserved characters.
    pub normalize_path: bool,
    /// `merge_slashes`
    pub merge_slashes: bool,
    /// `path_with_escaped_slashes_action`
    pub escaped_slashes: EscapedSlashes,
}

/// What the listener speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Tls {
    /// Plain text.
    #[default]
    None,
    /// TLS with the given SPIFFE URI as the server's SAN; a client certificate is required.
    Mtls(String),
    /// Two filter chains on one port: TLS as in `mtls`, and plain text for clients that offer none (Istio's PERMISSIVE).
    Permissive(String),
}

/// What a filter before the first writes into filter state: Envoy's `set_filter_state`, without a value that is empty.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FilterStateValue {
    /// `%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%`
    DirectAddress,
    /// `%DOWNSTREAM_PEER_URI_SAN%`
    PeerUriSans,
    /// `%REQ(NAME)%`: the first value of that request header.
    Header(String),
    /// These bytes.
    Value(crate::Bytes),
}

/// The proxy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Proxy {
    /// Its identity.
    pub node: Node,
    /// Worker threads, at least one.
    pub workers: u32,
    /// The listener's direction.
    pub direction: Direction,
    /// What happens to paths before the filters.
    pub path_normalization: PathNormalization,
    /// Envoy's `use_remote_address`.
    pub use_remote_address: bool,
    /// Envoy's `xff_num_trusted_hops`.
    pub xff_trusted_hops: u32,
    /// What the listener speaks.
    pub tls: Tls,
    /// Whether the listener believes a PROXY protocol header, where a connection begins with one.
    pub proxy_protocol: bool,
    /// Filter state that is there before the filters, by its key.
    pub filter_state: BTreeMap<String, FilterStateValue>,
    /// Filter state of the connection, by its key: what the network filter `set_filter_state` writes for a new connection.
    pub connection_filter_state: BTreeMap<String, String>,
    /// Whether Envoy's JWT filter stands before the modules, set up as Istio does it: a JWT may be absent, and the claims of
    /// one become dynamic metadata, with `scope` and `permission` split at spaces. It knows the key of [`crate::jwt`].
    pub jwt_authn: bool,
    /// Dynamic metadata that is there before the filters, as Envoy's `set_metadata` writes it, by filter name.
    pub dynamic_metadata: Map<String, Value>,
    /// The route configuration's `ignore_path_parameters_in_path_matching`.
    pub ignore_path_parameters: bool,
    /// Envoy's `max_request_headers_kb`; its own default (60) when absent.
    pub max_request_headers_kb: Option<u32>,
    /// Envoy's `request_timeout`, off when absent.
    pub request_timeout: Option<crate::Span>,
    /// Upgrades that are let through, as Envoy's `upgrade_configs` name them: `websocket`, `CONNECT`.
    pub upgrades: Vec<String>,
    /// Envoy's `access_log_flush_interval`: a stream that lasts is logged again and again. Off when absent.
    pub access_log_flush_interval: Option<crate::Span>,
    /// Whether Envoy's gRPC-Web filter stands before the modules.
    pub grpc_web: bool,
}

impl Default for Proxy {
    fn default() -> Self {
        Proxy {
            node: Node::default(),
            workers: 1,
            direction: Direction::default(),
            path_normalization: PathNormalization::default(),
            use_remote_address: false,
            xff_trusted_hops: 0,
            tls: Tls::default(),
            proxy_protocol: false,
            filter_state: BTreeMap::new(),
            connection_filter_state: BTreeMap::new(),
            jwt_authn: false,
            dynamic_metadata: Map::new(),
            ignore_path_parameters: false,
            max_request_headers_kb: None,
            request_timeout: None,
            upgrades: Vec::new(),
            access_log_flush_interval: None,
            grpc_web: false,
        }
    }
}
