//! What every scenario costs in the in-process host, against `wasm-tests/budgets.toml`: exact counts, the same on every
//! machine, because the host's clock, its random bytes and the order of its threads are. If your change alters a
//! filter's cost, update the file in the same commit: `WEIR_BUDGET=write make budget` rewrites it.

mod budgets;

use budgets::{Budgets, Price};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use weir_scenario::run_dir;
use weir_test_host::InProcess;

/// The modules that ship, whose panic paths are counted.
const MODULES: [&str; 9] = [
    "policy",
    "policy-audit",
    "rate-limit",
    "rate-limit-lean",
    "telemetry",
    "telemetry-response",
    "suite",
    "suite-lean",
    "suite-audit",
];

#[test]
fn budget() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dist = std::env::var_os("WEIR_DIST").map_or_else(|| root.join("dist"), PathBuf::from);
    let actual = Budgets { panics: panics(&root, &dist)?, scenarios: scenarios(&root, &dist)? };
    let file = root.join("wasm-tests/budgets.toml");
    if std::env::var_os("WEIR_BUDGET").is_some_and(|word| word == "write") {
        return std::fs::write(&file, actual.to_string()).map_err(|e| format!("{}: {e}", file.display()));
    }
    let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let diff = Budgets::parse(&text)?.diff(&actual);
    assert!(
        diff.is_empty(),
        "costs differ from wasm-tests/budgets.toml:\n{}\nIf that is meant: WEIR_BUDGET=write make budget",
        diff.join("\n")
    );
    Ok(())
}

/// What each scenario costs. One that fails has no price.
fn scenarios(root: &Path, dist: &Path) -> Result<BTreeMap<String, Price>, String> {
    let mut gateway = InProcess::new(dist);
    let mut out = Vec::new();
    let summary = run_dir(&mut gateway, &root.join("wasm-tests/scenarios"), None, &mut out);
    if !summary.as_ref().is_ok_and(|summary| summary.good()) {
        return Err(format!("scenarios failed: {summary:?}\n{}", String::from_utf8_lossy(&out)));
    }
    Ok(gateway.bills().into_iter().map(|(name, bill)| (name, Price::of(&bill))).collect())
}

/// How many functions of each module can reach a panic. `WEIR_LINK` names the tool where the target directory is another.
fn panics(root: &Path, dist: &Path) -> Result<BTreeMap<String, u64>, String> {
    let tool = std::env::var_os("WEIR_LINK").map_or_else(|| root.join("target/release/weir-link"), PathBuf::from);
    let count = |module: &str| {
        let output = Command::new(&tool).arg("--panics").arg(dist.join(format!("{module}.wasm"))).output();
        let output = output.map_err(|e| format!("{}: {e}: make modules builds it", tool.display()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let count = said.trim().parse().map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok((module.to_owned(), count))
    };
    MODULES.into_iter().map(count).collect()
}
