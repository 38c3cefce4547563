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
mod check;
mod compile;
mod documents;
mod field;
mod filter_state;
mod modules;
mod node;
mod oci;
mod plugin;
mod report;
mod routes;
mod run;
mod validate;
mod yaml;

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
    /// Check documents: print every problem with its JSON path, and warnings
    Validate(Validate),
    #[command(flatten)]
    Image(oci::Command),
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
    /// Weir documents, AuthorizationPolicies, Envoy bootstraps and route configurations, EnvoyFilters, WasmPlugins and
    /// TrafficExtensions; YAML or JSON
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The module that the documents are for [default: the one that the plugin's file or image is named after, else the one
    /// whose fields the document has]
    #[arg(long, value_enum)]
    module: Option<compile::Module>,
}

/// Why a command did not end well.
enum Failure {
    /// Problems were found.
    No(String),
    /// A usage error, or something that is needed is missing.
    Use(String),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Validate(options) => validate::validate(&options.files, options.module),
        Command::Image(command) => oci::run(&command),
    };
    let (message, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::No(message)) => (message, 1),
        Err(Failure::Use(message)) => (message, 2),
    };
    eprintln!("weir: {message}");
    ExitCode::from(code)
}
