//! Side-by-side costs of Weir's modules, of empty filters, and of Envoy's own filters on the same work.
//!
//! Three figures for each variant, all of the whole Envoy process: instructions a request (callgrind; the difference
//! between a run of 2N and one of N requests, over N, after a warm-up), CPU time a request (interleaved rounds without
//! callgrind, median and spread), and resident memory. One worker, one connection, a small direct response.
//!
//! `weir-bench [--write] [--quick] [NAME...]`: `--write` also writes `docs/benchmarks.md` and its picture; `--quick`
//! leaves out CPU time and memory; names choose variants by prefix.

mod bootstrap;
mod client;
mod envoy;
mod measure;
mod report;
mod rules;
mod variants;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let names: Vec<&str> = arguments.iter().map(String::as_str).filter(|name| !name.starts_with("--")).collect();
    match run(flag("--quick"), flag("--write"), &names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(quick: bool, write: bool, names: &[&str]) -> Result<(), String> {
    let envoy = envoy::Binary::find()?;
    let mut variants = variants::all(&envoy::dist()?)?;
    variants.retain(|variant| {
        variant.name == variants::BASE || names.is_empty() || names.iter().any(|name| variant.name.starts_with(name))
    });
    let mut rows = measure::instructions(&envoy, &variants)?;
    if !quick {
        measure::cpu_time(&envoy, &variants, &mut rows)?;
        measure::memory(&envoy, &variants, &mut rows)?;
    }
    print!("{}", report::text(&rows));
    if write {
        report::write(&envoy, &rows)?;
    }
    Ok(())
}
