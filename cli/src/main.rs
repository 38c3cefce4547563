//! `weir`: the command line, built on the same cores as the filters, so it cannot disagree with them.
//!
//! Exit codes: 0 success, 1 problems found, 2 usage error.

/// Prints a line to standard output; if its reader has gone, it is an error, so that Envoy is still stopped properly.
macro_rules! say {
    ($($words:tt)*) => {{
        let written = std::io::Write::write_fmt(&mut std::io::stdout().lock(), format_args!("{}\n", format_args!($($words)*)));
        written.map_err(|error| crate::Failure::Use(format!("standard output cannot be written: {error}")))
    }};
}

mod bootstrap;
mod capabilities;
mod check;
mod compile;
mod diagnostic;
mod diff;
mod documents;
mod field;
mod filter_state;
mod input;
mod known;
mod lint;
mod modules;
mod node;
mod object;
mod overlap;
mod plugin;
mod render;
mod report;
mod routes;
mod run;
mod validate;

use clap::{Args, Parser, Subcommand};
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
    /// Start a real Envoy with the filters on this machine and print, for each request, what was decided and why
    Run(Run),
    /// Check files as they are kept: print every error with its place, and warnings
    Validate(Validate),
    /// Print the manifests that load a module with its policies, limits and metrics in front of one workload
    Render(Box<render::Render>),
    /// Compare what is deployed with what a `weir.yaml` describes, and fail if it differs
    Diff(diff::Diff),
}

/// Options of `weir run`.
#[derive(Args)]
struct Run {
    /// An Envoy bootstrap [default: the one that comes with Weir, suite in front of one upstream]
    #[arg(long, value_name = "FILE")]
    bootstrap: Option<PathBuf>,
    /// A Weir document (YAML or JSON) that replaces the bootstrap's own
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
struct Validate {
    /// Files and folders, `-` for standard input; YAML or JSON with any number of documents and lists. Weir documents,
    /// AuthorizationPolicies, Envoy bootstraps and route configurations, EnvoyFilters, WasmPlugins, TrafficExtensions and
    /// EnvoyExtensionPolicies are read; other objects are counted
    #[arg(required = true, value_name = "PATH")]
    files: Vec<PathBuf>,
    /// The namespace of objects that name none, as for kubectl
    #[arg(long, short, value_name = "NAMESPACE")]
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

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Validate(options) => validate::validate(&options),
        Command::Render(options) => render::render(&options),
        Command::Diff(options) => diff::diff(&options),
    };
    let (message, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::No(message)) => (message, 1),
        Err(Failure::Use(message)) => (message, 2),
        Err(Failure::Quiet(code)) => return ExitCode::from(code),
    };
    eprintln!("weir: {message}");
    ExitCode::from(code)
}
