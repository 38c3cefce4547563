//! Prints transcripts: `transcript envoy RUN...`, `transcript process RUN...`; or how two transcripts of the same real
//! Envoy differ: `transcript twice RUN...`. A run that differs from itself cannot be compared with another.

use std::process::ExitCode;
use weir_scenario::Failure;
use weir_transcript::{compare, envoy, process, runs};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mode, names) = match arguments.split_first() {
        Some((mode, names)) if ["envoy", "process", "twice"].contains(&mode.as_str()) => (mode.as_str(), names),
        _ => {
            eprintln!("transcript envoy|process|twice RUN...");
            return ExitCode::FAILURE;
        }
    };
    match print(mode, names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print(mode: &str, names: &[String]) -> Result<(), Failure> {
    for run in runs().into_iter().filter(|run| names.is_empty() || names.iter().any(|name| name == run.name)) {
        if mode == "twice" {
            let comparison = compare(&envoy(&run)?, &envoy(&run)?);
            println!("{}: {} lines, {} differ", run.name, comparison.lines, comparison.differences.len());
            for difference in comparison.differences {
                println!(
                    "  {}: {} -> {:?} / {:?}",
                    difference.location, difference.call, difference.envoy, difference.host
                );
            }
            continue;
        }
        println!("# {} | {} | {}", run.name, run.requests, run.plan);
        for line in if mode == "envoy" { envoy(&run)? } else { process(&run)? } {
            println!("{} {} -> {}", line.location, line.call, line.outcome);
        }
    }
    Ok(())
}
