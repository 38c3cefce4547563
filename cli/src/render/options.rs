//! The command line of `weir render`.

use super::form::Form;
use super::plan::{EnvoyLine, Phase, Sections, Wanted};
use super::schema::Istio;
use super::workload::{Direction, Proxy, labels};
use crate::compile::Module;
use crate::names;
use clap::{Args, ValueEnum};
use serde_json::Map;
use std::path::PathBuf;
use weir_config::Mode;
use weir_policy::Protocol;

/// What a `weir.yaml` says, so that the command line must not.
const ALONE: [&str; 23] = [
    "form",
    "module",
    "workload",
    "proxy",
    "selector",
    "labels",
    "target_ref",
    "protocol",
    "ports",
    "direction",
    "image",
    "sha256",
    "module_file",
    "pull_secret",
    "phase",
    "priority",
    "istio",
    "envoy",
    "mode",
    "replace_native",
    "snippet",
    "namespace",
    "allow_no_policies",
];

/// Options of `weir render`.
#[derive(Args)]
#[command(after_help = "Examples:
  weir render wasmplugin --module suite --workload shop/cart --proxy sidecar --selector app=cart \\
    --config policies limits.yaml --image oci://REGISTRY/weir/suite@sha256:DIGEST > cart.yaml
  weir render envoyfilter --module policy --workload shop/cart --proxy sidecar --selector app=cart \\
    --config policies --mode shadow --module-file /opt/weir/policy.wasm > cart.yaml
  weir render envoy --module suite --workload shop/cart --proxy sidecar --labels app=cart \\
    --config policies --module-file /opt/weir/suite.wasm > envoy.yaml
  weir render envoyfilter --protocol tcp --module policy --workload shop/cart --proxy sidecar \\
    --selector app=cart --config policies --module-file /opt/weir/policy.wasm > cart-tcp.yaml
  weir render --all manifests --config weir.yaml")]
pub(crate) struct Render {
    /// How the proxy gets the module
    #[arg(value_enum, required_unless_present = "all")]
    form: Option<Form>,
    /// Render every workload of a `weir.yaml`, which --config names, into a file of its own below this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ALONE)]
    pub(crate) all: Option<PathBuf>,
    /// The module that is loaded
    #[arg(long, value_enum, required_unless_present = "all")]
    module: Option<Module>,
    /// Weir documents, AuthorizationPolicies (also in a List), envoyproxy/ratelimit configurations, files with `rate_limits` or
    /// `apply`; folders of such files
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    pub(crate) config: Vec<PathBuf>,
    /// Namespace and name of the workload
    #[arg(long, value_name = "NAMESPACE/NAME", required_unless_present = "all")]
    workload: Option<String>,
    /// What the proxy is for
    #[arg(long, value_enum, required_unless_present = "all")]
    proxy: Option<Proxy>,
    /// Labels that the manifests select pods by
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    selector: Vec<String>,
    /// All labels of the pods but those that Istio adds: policies that ask for others are left out
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    labels: Option<Vec<String>>,
    /// What the manifests select in place of labels, such as `Gateway/edge`
    #[arg(long, value_name = "KIND/NAME")]
    target_ref: Option<String>,
    /// What is decided: requests, or connections that are not HTTP, by the policies alone
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    protocol: Option<ProtocolWord>,
    /// A port of the pods that is not HTTP, for --protocol tcp in a form that Istio loads for all connections; repeat it for more
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<u16>,
    /// Listeners that the module is loaded for [default: both for telemetry on a sidecar, else the one that requests come in by]
    #[arg(long, value_enum)]
    direction: Option<Directions>,
    /// The image of the module, by the digest of its manifest: `oci://REGISTRY/NAME@sha256:DIGEST`
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// The digest of the image manifest, if --image has a tag
    #[arg(long, value_name = "DIGEST")]
    sha256: Option<String>,
    /// The file of the module in the proxy's container
    #[arg(long, value_name = "PATH")]
    module_file: Option<String>,
    /// A Secret of the workload's namespace for the registry
    #[arg(long, value_name = "NAME")]
    pull_secret: Option<String>,
    /// Where the module stands among Istio's filters [default: AUTHZ for policy and suite, else STATS]
    #[arg(long, value_enum)]
    phase: Option<Phase>,
    /// The order among several: of WasmPlugins a greater one is earlier, of EnvoyFilters a smaller one
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// The Istio line whose schemas must hold [default: all that have the form]
    #[arg(long, value_enum)]
    istio: Option<Istio>,
    /// The Envoy line, for form envoy [default: 1.40]
    #[arg(long, value_enum)]
    envoy: Option<EnvoyLine>,
    /// The mode of all sections [default: as the documents say]
    #[arg(long, value_enum)]
    mode: Option<ModeWord>,
    /// Also render the Telemetry object that turns off those of Istio's metrics that Weir counts
    #[arg(long)]
    replace_native: bool,
    /// Only the HTTP filters, to be put before `envoy.filters.http.router`; for form envoy
    #[arg(long)]
    snippet: bool,
    /// Render also if the files have AuthorizationPolicies and none is for the workload
    #[arg(long)]
    allow_no_policies: bool,
    /// The namespace of objects that name none
    #[arg(long, value_name = "NAMESPACE", value_parser = names::namespace_option)]
    pub(crate) namespace: Option<String>,
}

/// Words of `--protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProtocolWord {
    Http,
    Tcp,
}

/// Words of `--direction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Directions {
    Inbound,
    Outbound,
    Both,
}

/// Words of `--mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeWord {
    Off,
    Observe,
    Shadow,
    Enforce,
}

impl Render {
    /// The options in the form that they are checked in.
    ///
    /// # Errors
    /// Labels that are none.
    pub(crate) fn wanted(&self) -> Result<Wanted, Vec<String>> {
        let (Some(form), Some(module), Some(workload), Some(proxy)) =
            (self.form, self.module, self.workload.clone(), self.proxy)
        else {
            return Err(vec!["a form, --module, --workload and --proxy are needed without --all".to_owned()]);
        };
        let named = |option: &str, problem: String| vec![format!("--{option}: {problem}")];
        let selector = labels(&self.selector).map_err(|problem| named("selector", problem))?;
        let all = self.labels.as_deref().map(labels).transpose().map_err(|problem| named("labels", problem))?;
        Ok(Wanted {
            form,
            module,
            workload,
            selector,
            labels: all,
            proxy,
            target: self.target_ref.clone(),
            protocol: match self.protocol {
                Some(ProtocolWord::Tcp) => Protocol::Tcp,
                Some(ProtocolWord::Http) | None => Protocol::Http,
            },
            ports: self.ports.clone(),
            directions: self.direction.map(|direction| match direction {
                Directions::Inbound => vec![Direction::Inbound],
                Directions::Outbound => vec![Direction::Outbound],
                Directions::Both => vec![Direction::Inbound, Direction::Outbound],
            }),
            image: self.image.clone(),
            sha256: self.sha256.clone(),
            module_file: self.module_file.clone(),
            pull_secret: self.pull_secret.clone(),
            phase: self.phase,
            priority: self.priority,
            istio: self.istio,
            envoy: self.envoy,
            mode: self.mode.map(|mode| match mode {
                ModeWord::Off => Mode::Off,
                ModeWord::Observe => Mode::Observe,
                ModeWord::Shadow => Mode::Shadow,
                ModeWord::Enforce => Mode::Enforce,
            }),
            sections: Sections::default(),
            allows_no_policies: self.allow_no_policies,
            mesh: Map::new(),
            replaces_native: self.replace_native,
            is_snippet: self.snippet,
        })
    }
}
