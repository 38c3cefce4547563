//! Every scenario through one kind of gateway, several at a time: most of a scenario is waiting.

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use weir_scenario::{Gateway, Scenario, Summary, load_dir, run_all};

use crate::paths::{module, workspace};

/// How many scenarios run at a time.
const SIDE_BY_SIDE: usize = 4;

/// Runs every scenario of the workspace, or those whose names contain one of the comma-separated texts in
/// `WEIR_SCENARIOS`, and prints the outcome of each and a summary.
///
/// # Errors
/// When a scenario cannot be read or a module has not been built. That scenarios fail is in the summary.
pub fn run_side_by_side<G: Gateway + Clone + Sync>(gateway: &G) -> Result<Summary, Box<dyn Error>> {
    let mut scenarios = load_dir(&workspace().join("wasm-tests/scenarios"))?;
    if let Ok(only) = std::env::var("WEIR_SCENARIOS") {
        scenarios.retain(|scenario| only.split(',').any(|part| scenario.name.contains(part)));
    }
    for filter in scenarios.iter().flat_map(|scenario| &scenario.filters) {
        module(filter.module.stem())?;
    }
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Summary::default());
    let take_turns = || {
        while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (summary, text) = run(&mut gateway.clone(), scenario)?;
            eprint!("{text}");
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            total.passed += summary.passed;
            total.failed.extend(summary.failed);
            total.skipped.extend(summary.skipped);
        }
        Ok::<_, io::Error>(())
    };
    thread::scope(|scope| {
        let all = [(); SIDE_BY_SIDE].map(|()| scope.spawn(take_turns));
        all.into_iter().try_for_each(|turns| turns.join().unwrap_or_else(|_| Err(io::Error::other("a run panicked"))))
    })?;
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    eprintln!("{total}");
    Ok(total)
}

/// The outcome of one scenario, and its text without the summary: there is one for all.
fn run(gateway: &mut impl Gateway, scenario: &Scenario) -> io::Result<(Summary, String)> {
    let mut text = Vec::new();
    let summary = run_all(gateway, std::slice::from_ref(scenario), &mut text)?;
    let text = String::from_utf8_lossy(&text);
    let verdict = text.rsplit_once(" passed, ").map_or(&*text, |(before, _)| before.trim_end_matches(['0', '1']));
    Ok((summary, verdict.to_owned()))
}
