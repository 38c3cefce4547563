//! The two hosts.

use crate::drive::{Transcript, drive};
use crate::runs::Run;
use std::io;
use std::path::PathBuf;
use tempfile::TempDir;
use weir_scenario::{Failure, Gateway, Scenario, Started};
use weir_test_envoy::{Booted, Proxy, Setup};
use weir_test_host::InProcess;

/// A directory with the probe as a run wants it.
fn modules(run: &Run) -> Result<(TempDir, PathBuf), Failure> {
    let failure = |error: io::Error| Failure(error.to_string());
    let probe = std::fs::read(weir_test_envoy::module("probe")?).map_err(failure)?;
    let directory = tempfile::tempdir().map_err(failure)?;
    let file = directory.path().join("probe.wasm");
    std::fs::write(&file, run.module(&probe)?).map_err(failure)?;
    Ok((directory, file))
}

/// A run in real Envoy.
///
/// # Errors
/// When the machinery fails, or the probe has not been built.
pub fn envoy(run: &Run) -> Result<Transcript, Failure> {
    let (_directory, file) = modules(run)?;
    let start = |scenario: &Scenario| {
        let mut setup = Setup::of(scenario)?;
        setup.plugins.iter_mut().for_each(|plugin| plugin.module.clone_from(&file));
        Ok(match Proxy::start(setup)? {
            Booted::Ready(proxy) => Started::Ready(proxy),
            Booted::Refused(log) => Started::Refused(log),
        })
    };
    drive(start, run)
}

/// A run in the in-process host.
///
/// # Errors
/// As for [`envoy`].
pub fn process(run: &Run) -> Result<Transcript, Failure> {
    let (directory, _file) = modules(run)?;
    drive(|scenario| InProcess::new(directory.path()).start(scenario), run)
}
