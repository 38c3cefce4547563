//! `weir`: the command line, built on the same cores as the filters, so it cannot disagree with them.
//!
//! Exit codes: 0 success, 1 problems found, 2 usage error.
//!
//! In a browser a page runs it on files of its own: [`answer`].

#[macro_use]
mod print;

mod analyze;
mod attachment;
#[cfg(not(target_family = "wasm"))]
mod bootstrap;
mod capabilities;
mod check;
mod chosen;
mod clusters;
mod compile;
mod diagnostic;
mod diff;
mod documents;
mod explain;
mod field;
mod filter_state;
mod input;
mod known;
mod lint;
mod log;
mod manifest;
#[cfg(not(target_family = "wasm"))]
mod modules;
mod names;
mod node;
mod object;
#[cfg(not(target_family = "wasm"))]
mod oci;
mod overlap;
mod packed;
mod page;
mod plugin;
mod render;
mod replay;
#[cfg(not(target_family = "wasm"))]
mod report;
mod routes;
#[cfg(not(target_family = "wasm"))]
mod run;
#[cfg(not(target_family = "wasm"))]
mod serve;
mod tree;
mod validate;

pub use page::{Answer, answer};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "weir", version, about = "Telemetry, policy and rate limit filters for an unmodified Envoy")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(not(target_family = "wasm"))]
    /// Start a real Envoy with the filters on this machine and print, for each request, what was decided and why
    Run(Run),
    /// Check files as they are kept: print every error with its place, and warnings
    Validate(Validate),
    /// Print the manifests that load a module with its policies, limits and metrics in front of one workload
    Render(Box<render::Render>),
    /// Say what the policies of a workload decide about a request and why, clause by clause
    Explain(Box<explain::Explain>),
    /// Say what recorded requests would meet under other policies: which change, by rule and caller
    Replay(Box<replay::Replay>),
    /// Say what policies mean, without traffic: rules that can never decide, how two sets differ, who can reach what
    Analyze(Box<analyze::Analyze>),
    /// Open a page on this machine, or write it, that explains and analyzes in a browser
    #[cfg(not(target_family = "wasm"))]
    Serve(serve::Serve),
    /// Compare what is deployed with what a `weir.yaml` describes, and fail if it differs
    Diff(diff::Diff),
    /// Print a script by which a shell completes these commands and options
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    #[cfg(not(target_family = "wasm"))]
    #[command(flatten)]
    Image(oci::Command),
}

/// Options of `weir run`.
#[cfg(not(target_family = "wasm"))]
#[derive(Args)]
#[command(after_help = "Examples:
  weir run                                          the built-in configuration and requests
  weir run policies/ limits.yaml --workload shop/cart
  weir run cart.yaml --upstream 127.0.0.1:8080      one Weir document in front of your service
  weir run --bootstrap envoy.yaml --requests requests.yaml --exit")]
struct Run {
    /// Files and folders with what is to run: AuthorizationPolicies, Weir documents, an envoyproxy/ratelimit configuration and
    /// the `rate_limits` that it counts, or one Envoy bootstrap. Edits are taken while it runs
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The workload that runs: namespace and name [default: the one that all policies are for]
    #[arg(long, value_name = "NAMESPACE/NAME")]
    workload: Option<String>,
    /// Labels of its pods [default: those of the workload's object in the files, else app=NAME]
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', requires = "workload")]
    labels: Vec<String>,
    /// What its proxy is for [default: sidecar]
    #[arg(long, value_enum, value_name = "KIND")]
    proxy: Option<render::Proxy>,
    /// The namespace of objects that name none [default: that of the workload]
    #[arg(long, short, value_name = "NAMESPACE", value_parser = names::namespace_option)]
    namespace: Option<String>,
    /// Run also if the files have AuthorizationPolicies and none is for the workload
    #[arg(long)]
    allow_no_policies: bool,
    /// An Envoy bootstrap [default: the one that comes with Weir, suite in front of one upstream]
    #[arg(long, value_name = "FILE")]
    bootstrap: Option<PathBuf>,
    /// A Weir document (YAML or JSON) that replaces the bootstrap's own; it may also be a PATH
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The upstream that replaces the loopback clusters that the first listener routes to [default: a built-in upstream that
    /// echoes what it received]
    #[arg(long, value_name = "HOST:PORT")]
    upstream: Option<String>,
    /// Requests to send once Envoy is up [default: those that come with Weir, with the default bootstrap]
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
    /// Port to listen on, 0 for any free one [default: the bootstrap's]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Port of Envoy's admin interface, 0 for any free one [default: the bootstrap's]
    #[arg(long, value_name = "PORT")]
    admin_port: Option<u16>,
    /// Exit after the requests instead of staying up
    #[arg(long)]
    exit: bool,
}

/// Options of `weir validate`.
#[derive(Args)]
#[command(after_help = "Examples:
  weir validate .
  kustomize build overlays/prod | weir validate --namespace shop -
  kubectl get authorizationpolicies -A -o yaml | weir validate --output json -
  weir validate --require --warnings-as-errors --silence refuses-all deploy/")]
struct Validate {
    /// Files and folders, `-` for standard input; YAML or JSON with any number of documents and lists. Weir documents,
    /// AuthorizationPolicies, limits and `rate_limits`, Envoy bootstraps and route configurations, EnvoyFilters, WasmPlugins, TrafficExtensions and
    /// EnvoyExtensionPolicies are read; other objects are counted
    #[arg(required = true, value_name = "PATH")]
    files: Vec<PathBuf>,
    /// The namespace of objects that name none, as for kubectl
    #[arg(long, short, value_name = "NAMESPACE", value_parser = names::namespace_option)]
    namespace: Option<String>,
    /// The module that the documents are for [default: the one that the plugin's file or image is named after, else the one
    /// whose fields the document has]
    #[arg(long, value_enum)]
    module: Option<compile::Module>,
    /// Warnings and notes to leave out, by the id behind them; repeat it, or separate ids by commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    silence: Vec<String>,
    /// Exit with 1 if nothing of Weir is in the files
    #[arg(long)]
    require: bool,
    /// Exit with 1 on warnings too
    #[arg(long)]
    warnings_as_errors: bool,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    output: validate::Output,
}

/// Why a command did not end well.
enum Failure {
    /// Problems were found.
    No(String),
    /// A usage error, or something that is needed is missing.
    Use(String),
    /// All has been said; the exit code.
    Quiet(u8),
}

/// What a shell says of a program that the reader of its output ended.
const CLOSED_PIPE: u8 = 141;

/// The end of a reader that has what it wants, such as `head`, is not worth a message.
fn unwritable(error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::Quiet(CLOSED_PIPE),
        _ => Failure::Use(format!("standard output cannot be written: {error}")),
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    ExitCode::from(code(run_command(Cli::parse().command)))
}

fn run_command(command: Command) -> Result<(), Failure> {
    match command {
        #[cfg(not(target_family = "wasm"))]
        Command::Run(options) => run::run(&options),
        Command::Validate(options) => validate::validate(&options),
        Command::Render(options) => render::render(&options),
        Command::Explain(options) => explain::explain(&options),
        Command::Replay(options) => replay::replay(&options),
        Command::Analyze(options) => analyze::analyze(&options),
        #[cfg(not(target_family = "wasm"))]
        Command::Serve(options) => serve::serve(&options),
        Command::Diff(options) => diff::diff(&options),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "weir", &mut script);
            print::whole(String::from_utf8_lossy(&script).trim_end())
        }
        #[cfg(not(target_family = "wasm"))]
        Command::Image(command) => oci::run(&command),
    }
}

/// Says why a command did not end well. Returns its exit code.
fn code(result: Result<(), Failure>) -> u8 {
    let (message, code) = match result {
        Ok(()) => return 0,
        Err(Failure::No(message)) => (message, 1),
        Err(Failure::Use(message)) => (message, 2),
        Err(Failure::Quiet(code)) => return code,
    };
    note!("weir: {message}");
    code
}
