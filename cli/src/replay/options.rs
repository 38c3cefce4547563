//! The command line of `weir replay`.

use crate::explain::Whose;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Options of `weir replay`.
#[derive(Args)]
#[command(after_help = "Examples:
  weir replay --config policies/ --workload shop/cart access.log
  weir replay --config policies/ --against deployed/ --workload shop/cart access-*.log.gz
  kubectl logs deploy/cart -c istio-proxy | weir replay --config policies/ --workload shop/cart -
  weir replay --config policies/ --workload shop/cart --print-format istio
  weir replay --config policies/ --workload shop/cart --output markdown access.log > comment.md
  weir replay --strict access.log

Without --against the answers are compared with those that the log has: what a policy refused has
`rbac_access_denied_...` in its response code details.

Exit codes: 0 nothing changes, 1 something changes (or would be refused, with --strict), 2 usage error.")]
pub(crate) struct Replay {
    /// Logs: lines of an access log or audit records, plain or gzip; `-` is standard input
    #[arg(value_name = "LOG", required_unless_present = "print_format")]
    pub(super) logs: Vec<PathBuf>,
    /// Files and folders with the policies that are to decide: as for `weir explain`
    #[arg(long, value_name = "NEW", required_unless_present = "strict")]
    pub(super) config: Vec<PathBuf>,
    /// The same with the policies that they replace [default: the answers in the log]
    #[arg(long, value_name = "OLD", requires = "config")]
    pub(super) against: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) whose: Whose,
    /// Say which callers would be refused, and on which paths, if mutual TLS were required (PeerAuthentication STRICT)
    #[arg(long)]
    pub(super) strict: bool,
    /// The format that wrote the logs: what is configured as text or JSON, or a file with it [default: Istio's, the one
    /// of --print-format, and audit records are known]
    #[arg(long, value_name = "FORMAT")]
    pub(super) log_format: Option<String>,
    /// Print the log format that has all that these policies ask for, and end
    #[arg(long, value_enum, value_name = "FOR", requires = "config", conflicts_with_all = ["strict", "logs"])]
    pub(super) print_format: Option<For>,
    /// How many examples are shown of each change
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    pub(super) examples: usize,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// Whose configuration a log format is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum For {
    /// An access log of Envoy.
    Envoy,
    /// MeshConfig, and a Telemetry that asks for it.
    Istio,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// For a pull request.
    Markdown,
}
