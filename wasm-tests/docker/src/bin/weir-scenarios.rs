//! The container for the tests: every scenario, with Envoy in the container `WEIR_MACHINE` and its upstreams in
//! `WEIR_UPSTREAMS`. A program, not a test, because it needs those containers: `make test-docker` runs it.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use weir_test_docker::Containers;
use weir_test_envoy::run_side_by_side;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("weir: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let name = |variable| env::var(variable).map_err(|error| format!("{variable}: {error}: run `make test-docker`"));
    let containers = Containers::reach(&name("WEIR_MACHINE")?, &name("WEIR_UPSTREAMS")?)?;
    Ok(run_side_by_side(&containers)?.good())
}
