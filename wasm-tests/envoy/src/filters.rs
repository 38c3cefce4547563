//! The setup of a proxy, apart from any scenario: plugins by file, and what is around them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use weir_scenario::{Failure, FilterSpec, Scenario, Step, Surroundings};

use crate::paths;

/// One Wasm plugin in the filter chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugin {
    /// Name of the filter and the plugin, unique in its chain. The VM has the same name, so no two plugins share a VM.
    pub name: String,
    /// Envoy's `root_id`.
    pub root_id: String,
    /// The configuration of its VM, handed to the module as it is; none where empty.
    pub vm_configuration: String,
    /// The module's file.
    pub module: PathBuf,
    /// The plugin configuration, handed to the module as it is.
    pub configuration: String,
}

impl Plugin {
    /// The plugins of a scenario's filters.
    ///
    /// # Errors
    /// When a module has not been built.
    pub fn all(filters: &[FilterSpec]) -> Result<Vec<Self>, Failure> {
        let plugin = |(position, filter): (usize, &FilterSpec)| {
            Ok(Self {
                name: filter.name(position),
                root_id: filter.root_id.clone(),
                vm_configuration: filter.vm_config.clone(),
                module: paths::module(filter.module.stem())?,
                configuration: String::from_utf8_lossy(&filter.config_bytes()).into_owned(),
            })
        };
        filters.iter().enumerate().map(plugin).collect()
    }
}

/// How the plugins' configuration reaches the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// In the bootstrap: a proxy that refuses it does not start.
    #[default]
    None,
    /// Through extension configuration discovery (ECDS) over files, one per filter.
    Filters,
    /// The whole listener through listener discovery (LDS) over a file.
    Listener,
    /// The listener over a file, and the filters in it over files of their own, as istiod does it.
    Both,
}

/// What Envoy does with streams when a plugin's VM is dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing is said, which is `FAIL_CLOSED`.
    #[default]
    Unsaid,
    /// `failure_policy: FAIL_CLOSED`
    Closed,
    /// `failure_policy: FAIL_OPEN`
    Open,
    /// `failure_policy: FAIL_RELOAD`
    Reload,
    /// `fail_open: true`, the field that was there before `failure_policy`.
    FailOpen,
}

/// A server that a test runs itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether Envoy speaks HTTP/2 to it.
    pub http2: bool,
}

/// The setup of a proxy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setup {
    /// The filter chain before the router.
    pub plugins: Vec<Plugin>,
    /// Network filters of Envoy's own behind the plugins that are network filters.
    pub native_network: Vec<Value>,
    /// Plugins loaded as network filters, before the connection manager or the TCP proxy.
    pub network: Vec<Plugin>,
    /// The listener has a TCP proxy to this server instead of the connection manager.
    pub tcp_to: Option<SocketAddr>,
    /// Clusters of servers that are not of this setup's world, by name.
    pub servers: BTreeMap<String, Server>,
    /// What happens to streams when a plugin's VM is dead.
    pub on_failure: OnFailure,
    /// Filters of Envoy's own before the plugins, as its configuration has them.
    pub native_first: Vec<Value>,
    /// Filters of Envoy's own after the plugins, likewise.
    pub native: Vec<Value>,
    /// Access logs beside the one that records are read from, likewise.
    pub access_logs: Vec<Value>,
    /// Listener and identity.
    pub proxy: weir_scenario::Proxy,
    /// The transport socket of the listener, as Envoy's configuration has it, in place of what `proxy.tls` asks for.
    pub transport_socket: Option<Value>,
    /// Routes and upstreams.
    pub world: Surroundings,
    /// How the plugins' configuration reaches the proxy.
    pub discovery: Discovery,
    /// How long connections of a listener that was replaced may go on; Envoy's own default where absent.
    pub drain_time: Option<Duration>,
    /// Envoy's `--component-log-level`, such as `wasm:debug`.
    pub component_log_level: Option<String>,
    /// Whether the proxy's wall clock can be set; it is this machine's otherwise.
    pub own_wall_clock: bool,
    /// Where it runs.
    pub site: Site,
    /// Port of its listener; the system chooses one where it is 0.
    pub port: u16,
}

/// Where a proxy runs and its upstreams are.
///
/// The proxy is a process of this machine by default. It may be one of another if the Envoy that is started here
/// (`ENVOY`) stands for it, and both machines see the directory for temporary files (`TMPDIR`) and the modules at the
/// same paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// The address that the proxy and its admin interface listen on.
    pub address: IpAddr,
    /// The control of another machine's upstreams; upstreams of this machine where absent.
    pub upstreams: Option<SocketAddr>,
}

impl Default for Site {
    fn default() -> Self {
        Self { address: Ipv4Addr::LOCALHOST.into(), upstreams: None }
    }
}

impl Setup {
    /// What a scenario asks for: configuration in the bootstrap, or through discovery if a step changes it.
    ///
    /// # Errors
    /// When a module has not been built.
    pub fn of(scenario: &Scenario) -> Result<Self, Failure> {
        let changes = scenario.steps.iter().any(|step| matches!(step, Step::Configure(_)));
        let plugins = Plugin::all(&scenario.filters)?;
        let is_tcp = scenario.proxy.tcp.is_some();
        let (plugins, network) = if is_tcp { (Vec::new(), plugins) } else { (plugins, Vec::new()) };
        Ok(Self {
            plugins,
            native_network: Vec::new(),
            network,
            tcp_to: None,
            servers: BTreeMap::new(),
            on_failure: OnFailure::default(),
            native_first: Vec::new(),
            access_logs: Vec::new(),
            native: Vec::new(),
            proxy: scenario.proxy.clone(),
            transport_socket: None,
            world: scenario.world.clone(),
            discovery: match (changes, is_tcp) {
                (false, _) => Discovery::None,
                (true, false) => Discovery::Filters,
                (true, true) => Discovery::Listener,
            },
            drain_time: None,
            component_log_level: None,
            own_wall_clock: scenario.steps.iter().any(|step| matches!(step, Step::WallClock(_))),
            site: Site::default(),
            port: 0,
        })
    }
}
