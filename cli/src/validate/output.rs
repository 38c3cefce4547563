//! A report as a person reads it, and as programs do.

pub(super) mod github;
mod json;
mod sarif;
pub(super) mod text;

use super::report::Report;
use crate::{Failure, print};
use clap::ValueEnum;

/// The form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// One line for each finding, and a line that says what was read.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, which code scanners show beside the code.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
}

pub(super) fn print(report: &Report<'_>, output: Output) -> Result<(), Failure> {
    match output {
        Output::Text => print::whole(text::of(report).trim_end()),
        Output::Json => print::json(&format!("{:#}", json::of(report))),
        Output::Sarif => print::json(&format!("{:#}", sarif::of(report))),
        Output::Github => print::whole(github::of(report).trim_end()),
    }
}
