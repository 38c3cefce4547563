//! Starts the project of `envoy-configs/compose` and checks it: `make test-docker` runs this, with images of this machine, and
//! removes what it started.

use std::process::ExitCode;

use weir_test_docker::compose;

fn main() -> ExitCode {
    match compose::Project::from_environment().and_then(|project| compose::check(&project)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir: {error}");
            ExitCode::FAILURE
        }
    }
}
