//! Prints transcripts of real Envoy, or how two of them differ: `transcript show RUN...`, `transcript twice RUN...`.
//! A run that differs from itself is no use for a comparison with anything else.

use std::process::ExitCode;
use weir_scenario::Failure;
use weir_test_envoy::RealEnvoy;
use weir_transcript::{compare, drive, runs};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(mode), names) = (arguments.first(), arguments.get(1..).unwrap_or_default()) else {
        eprintln!("transcript show|twice RUN...");
        return ExitCode::FAILURE;
    };
    match print(mode == "twice", names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print(twice: bool, names: &[String]) -> Result<(), Failure> {
    for run in runs().into_iter().filter(|run| names.is_empty() || names.iter().any(|name| name == run.name)) {
        let lines = drive(&mut RealEnvoy, &run)?;
        if twice {
            let comparison = compare(&lines, &drive(&mut RealEnvoy, &run)?);
            println!("{}: {} lines, {} differ", run.name, comparison.lines, comparison.differences.len());
            for difference in comparison.differences {
                println!(
                    "  {}: {} -> {:?} / {:?}",
                    difference.place, difference.call, difference.envoy, difference.host
                );
            }
        } else {
            println!("# {} | {} | {}", run.name, run.requests, run.plan);
            for line in lines {
                println!("{} {} -> {}", line.place, line.call, line.outcome);
            }
        }
    }
    Ok(())
}
