//! `weir replay`: what recorded requests would meet under other policies, before anything is rolled out.
//!
//! The policy core decides each request as the proxy would. What the log lacks is not known, and where a decision hangs on it
//! there is none: it is counted as undecidable, and the log format is printed that would carry it.

mod input;
mod needed;
mod options;
mod report;
mod side;
mod strict;
mod tally;

pub(crate) use options::Replay;

use crate::log::Format;
use crate::{Failure, explain};
use options::Output;
use report::Report;
use side::Side;
use std::path::{Path, PathBuf};
use tally::Tally;
use weir_config::Mode;

/// Replays what the options name.
pub(crate) fn replay(options: &Replay) -> Result<(), Failure> {
    let is_stdin = |path: &Path| path.as_os_str() == "-";
    let all = options.logs.iter().chain(&options.config).chain(&options.against);
    if all.filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::Use("standard input is one of the files, and not several".to_owned()));
    }
    let format = match &options.log_format {
        None => Format::default(),
        Some(text) => Format::read(&input::text_or_file(text)?)
            .map_err(|problem| Failure::Use(format!("--log-format: {problem}")))?,
    };
    let mut new = side(&options.config, options)?;
    let mut old = side(&options.against, options)?;
    if let (Some(is_for), Some(new)) = (options.print_format, &new) {
        let sides = std::iter::once(new).chain(&old);
        let fields = needed::fields(sides.flat_map(|side| side.policies.requests.looked_at()));
        return crate::print::whole(needed::configuration(&fields, is_for).trim_end());
    }
    let mut tally = Tally::new(options.examples, options.strict);
    input::each_line(&options.logs, |file, number, line| {
        tally.lines += 1;
        match line.map_err(str::to_owned).and_then(|line| format.record(line)) {
            Ok(record) => tally.count(&record, new.as_mut(), old.as_mut(), (file, number)),
            Err(problem) => tally.broken(file, number, &problem),
        }
    })?;
    if tally.requests == 0 && tally.broken > 0 {
        let places = tally.broken_at.iter().map(|(place, why)| format!("{}:{}: {why}", place.file, place.line));
        return Err(Failure::Use(format!("no line can be read:\n{}", places.collect::<Vec<_>>().join("\n"))));
    }
    let report = Report::of(&tally, new.as_mut(), old.as_mut());
    match options.output {
        Output::Text => crate::print::whole(report.text().trim_end())?,
        Output::Markdown => crate::print::whole(report.markdown().trim_end())?,
        Output::Json => crate::print::json(&format!("{:#}", report.json()))?,
    }
    match report.changes() {
        0 => Ok(()),
        _ => Err(Failure::Quiet(1)),
    }
}

/// The policies in files; none without files.
fn side(paths: &[PathBuf], options: &Replay) -> Result<Option<Side>, Failure> {
    if paths.is_empty() {
        return Ok(None);
    }
    // Refused files do not count as a change.
    let policies = explain::read_policies(paths, &options.whose).map_err(|failure| match failure {
        Failure::No(message) => Failure::Use(message),
        failure => failure,
    })?;
    if policies.mode == Mode::Off {
        note!("weir: {}: the policies are off, so every request is allowed", policies.of);
    }
    Ok(Some(Side::new(policies)))
}
