//! The command line of `weir analyze`.

use crate::explain::Whose;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;
use weir_config::units::parse_duration;

/// Options of `weir analyze`.
#[derive(Args)]
#[command(after_help = "Examples:
  weir analyze policies/ --workload shop/cart
  weir analyze policies/ --against deployed/ --workload shop/cart
  kubectl get authorizationpolicies,deployments -A -o yaml | weir analyze -
  weir analyze policies/ --workload shop/cart --reach --graph reach.svg
  weir analyze policies/ --workload shop/cart --examples --output json
  weir analyze policies/ --output github

Every request that is printed can be given to `weir explain --request`.

Exit codes: 0 every rule can decide, and with --against both sets decide every request alike; 1 otherwise, or not all is known;
2 usage error, or refused files.")]
pub(crate) struct Analyze {
    /// Files and folders with policies, `-` for standard input: as for `weir explain`
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The same
    #[arg(long, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// The policies that these replace: say whether both decide every request alike, with a request for each difference
    #[arg(long, value_name = "OLD")]
    pub(super) against: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) whose: Whose,
    /// What is decided about
    #[arg(long, value_enum, default_value_t)]
    pub(super) protocol: Protocol,
    /// How long it may take; then what is not known is named
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(super) budget: Duration,
    /// Print who can reach which paths with which methods
    #[arg(long)]
    pub(super) reach: bool,
    /// Write a picture of that into a file, as SVG
    #[arg(long, value_name = "FILE")]
    pub(super) graph: Option<PathBuf>,
    /// Print for each rule a request that it decides
    #[arg(long)]
    pub(super) examples: bool,
    /// The form of the output
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Output,
}

/// What is decided about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// Requests.
    #[default]
    Http,
    /// Connections that are not HTTP.
    Tcp,
}

impl Protocol {
    pub(super) fn decided_as(self) -> weir_policy::Protocol {
        match self {
            Self::Http => weir_policy::Protocol::Http,
            Self::Tcp => weir_policy::Protocol::Tcp,
        }
    }
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
    /// Annotations of GitHub Actions.
    Github,
}

impl Analyze {
    /// What is read, in the order in which it is given.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.paths.iter().chain(&self.config).cloned().collect()
    }
}

/// A time such as `500ms`, `10s` or `2m`.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("`{text}` is not a time such as `500ms`, `10s` or `2m`"))
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;
    use weir_testing::Rows;

    #[test]
    fn a_time_has_a_unit() {
        let mut rows = Rows::default();
        for (text, expected) in [
            ("10s", Some(Duration::from_secs(10))),
            ("500ms", Some(Duration::from_millis(500))),
            ("2m", Some(Duration::from_secs(120))),
            ("0s", Some(Duration::ZERO)),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("1h", Some(Duration::from_secs(3600))),
            ("99999999999999999999m", None),
        ] {
            rows.check(text, duration(text).ok(), expected);
        }
    }
}
