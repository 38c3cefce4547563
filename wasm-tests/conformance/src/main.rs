//! Runs the rows of other projects' case files through the modules, in the in-process host or in real Envoy, and reports
//! the outcome of the files in any world. `scripts/conformance` calls it.
//!
//! ```text
//! weir-conformance run host|envoy            runs the rows that have requests
//! weir-conformance report core|host|envoy    prints what was run, and what was not and why
//! ```
//!
//! `WEIR_CASES` names the folder of the case files, `WEIR_CASES_REPORT` the file between the two commands.
//! Each kind of case file has one file here, which makes [`Batch`]es of its rows.

mod actions;
mod batch;
mod decisions;
mod headers;
mod json;
mod paths;
mod report;
mod service;
mod templates;
mod trust_domains;

use batch::{Batch, run_all};
use report::World;
use std::panic::catch_unwind;
use std::process::ExitCode;
use weir_scenario::Gateway;
use weir_test_envoy::{RealEnvoy, module};
use weir_test_host::InProcess;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["run", "host"] => run(World::Host),
        ["run", "envoy"] => run(World::Envoy),
        ["report", world] => World::named(world).and_then(report::print),
        _ => Err("usage: weir-conformance run host|envoy, or report core|host|envoy".to_owned()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("weir: {problem}");
            ExitCode::from(2)
        }
    }
}

/// What makes batches of each case file.
const KINDS: [fn() -> Vec<Batch>; 7] = [
    decisions::batches,
    paths::batches,
    templates::batches,
    trust_domains::batches,
    actions::batches,
    headers::batches,
    service::batches,
];

/// Runs the rows of all files and reports them; whether none failed.
fn run(world: World) -> Result<bool, String> {
    let modules = module("policy").map_err(|failure| failure.to_string())?;
    let dist = modules.parent().map(ToOwned::to_owned).unwrap_or_default();
    let gateway = || -> Box<dyn Gateway> {
        match world {
            World::Envoy => Box::new(RealEnvoy),
            World::Core | World::Host => Box::new(InProcess::new(&dist)),
        }
    };
    let mut good = true;
    let mut batches: Vec<Batch> = Vec::new();
    for kind in KINDS {
        // The report says that nothing ran a file that cannot be read; the others are run.
        match catch_unwind(kind) {
            Ok(more) => batches.extend(more),
            Err(_) => good = false,
        }
    }
    for score in run_all(&gateway, &batches) {
        good &= score.failed().is_empty();
        score.report().map_err(|error| format!("the report cannot be written: {error}"))?;
    }
    Ok(good)
}
