//! Side-by-side costs of Weir's modules, of empty filters, and of Envoy's own filters on the same work.
//!
//! Figures are of the whole Envoy process with one worker on a core of its own: instructions a request (callgrind; the
//! difference between a run of 2N and one of N requests, over N, after a warm-up), CPU time a request as ratios between
//! variants of one interleaved run, what clients wait, resident memory, and the time to ready.
//!
//! `weir-bench [--write] [--only instructions|sources|hostile|time|latency|memory] [NAME...]`: `--write` also writes
//! `docs/benchmarks.md` and its picture, or with `--only` that part of the page; names choose variants of the instructions and
//! rows of the hostile configurations by prefix.

mod client;
mod envoy;
mod hostile;
#[path = "../../envoy/tests/rbac/istio/mod.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "the differential tests beside it use more of it, and fail by panicking"
)]
mod istio;
mod latency;
mod measure;
mod native;
mod report;
mod rules;
mod scene;
mod variants;
mod wasm;

use envoy::Bench;
use report::Figures;
use std::process::ExitCode;
use variants::{BASE, Modules};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let (mut write, mut only, mut names) = (false, None, Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--write" => write = true,
            "--only" => only = arguments.next().cloned(),
            name if !name.starts_with("--") => names.push(name),
            other => return Err(format!("unknown option `{other}`")),
        }
    }
    if write && !names.is_empty() {
        return Err("`--write` needs all variants: leave out the names".to_owned());
    }
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let bench = Bench::new()?;
    let modules = Modules::find(&envoy::dist()?)?;
    let mut figures = Figures::default();
    if wanted("instructions") {
        let mut counted = modules.counted();
        counted.retain(|variant| {
            variant.name == BASE || names.is_empty() || names.iter().any(|name| variant.name.starts_with(name))
        });
        figures.instructions = measure::instructions(&bench, &counted)?;
    }
    if wanted("sources") {
        let (variants, sources) = modules.priced();
        figures.prices = measure::instructions(&bench, &variants)?;
        figures.sources = sources;
    }
    if wanted("hostile") {
        let (mut variants, mut rows) = hostile::rows(&modules);
        let is_named = |name: &str| names.is_empty() || names.iter().any(|start| name.starts_with(start));
        variants.retain(|variant| is_named(&variant.name));
        rows.retain(|row| is_named(&row.title));
        figures.hostile = measure::instructions(&bench, &variants)?;
        figures.rows = rows;
    }
    if wanted("time") {
        let (compared, pairs) = modules.compared();
        figures.rounds = measure::cpu_time(&bench, &compared)?;
        figures.pairs = pairs;
    }
    if wanted("latency") {
        figures.latencies = latency::latencies(&bench, &modules.awaited())?;
    }
    if wanted("memory") {
        figures.weights = measure::weights(&bench, &modules.weighed())?;
    }
    print!("{}", report::text(&figures));
    if write {
        report::write(&bench.version, &figures, only.is_none())?;
    }
    Ok(())
}
