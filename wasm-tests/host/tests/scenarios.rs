//! Every scenario, in the in-process host, with the modules as they ship.

use std::path::{Path, PathBuf};
use weir_scenario::run_dir;
use weir_test_host::InProcess;

#[test]
fn scenarios() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dist = std::env::var_os("WEIR_DIST").map_or_else(|| root.join("dist"), PathBuf::from);
    let only = std::env::var("WEIR_SCENARIOS").ok().filter(|only| !only.is_empty());
    let mut gateway = InProcess::new(dist);
    let mut out = Vec::new();
    let summary = run_dir(&mut gateway, &root.join("wasm-tests/scenarios"), only.as_deref(), &mut out);
    let text = String::from_utf8_lossy(&out);
    println!("{text}");
    assert!(summary.as_ref().is_ok_and(|summary| summary.good()), "scenarios failed in process: {summary:?}\n{text}");
}
