//! Every scenario in real Envoy, two at a time.
//!
//! `WEIR_SCENARIOS=a,b` runs those whose names contain one of the texts.

use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use weir_scenario::{Summary, load_dir, run_all};
use weir_test_envoy::{RealEnvoy, envoy_binary, module, workspace};

#[test]
fn every_scenario_holds_in_real_envoy() -> Result<(), Box<dyn Error>> {
    let mut scenarios = load_dir(&workspace().join("wasm-tests/scenarios"))?;
    if let Ok(only) = std::env::var("WEIR_SCENARIOS") {
        scenarios.retain(|scenario| only.split(',').any(|part| scenario.name.contains(part)));
    }
    for filter in scenarios.iter().flat_map(|scenario| &scenario.filters) {
        module(filter.module.stem()).map_err(|missing| missing.to_string())?;
    }
    eprintln!("envoy: {}", envoy_binary()?.display());
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Summary::default());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut text = Vec::new();
                    let summary = run_all(&mut RealEnvoy, std::slice::from_ref(scenario), &mut text).unwrap();
                    let text = String::from_utf8_lossy(&text);
                    // The last lines are the summary of this one scenario; there is one for all below.
                    let verdict =
                        text.rsplit_once(" passed, ").map_or(&*text, |(before, _)| before.trim_end_matches(['0', '1']));
                    eprint!("{verdict}");
                    let mut total = total.lock().unwrap();
                    total.passed += summary.passed;
                    total.failed.extend(summary.failed);
                    total.skipped.extend(summary.skipped);
                }
            });
        }
    });
    let total = total.into_inner()?;
    eprintln!("{total}");
    if total.good() { Ok(()) } else { Err("scenarios differ in real Envoy".into()) }
}
