//! Puts the built modules, and the page of `weir serve`, inside the binary, so that it alone is enough to try Weir. What has
//! not been built is put in as empty bytes, and the binary says so when it is asked for it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const MODULES: [&str; 8] = [
    "policy",
    "policy-observe",
    "rate-limit",
    "rate-limit-lean",
    "telemetry",
    "telemetry-response",
    "suite",
    "suite-lean",
];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=WEIR_DIST");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let dist = env::var_os("WEIR_DIST").map_or(default, PathBuf::from);
    for file in MODULES.map(|module| format!("{module}.wasm")).into_iter().chain(["page.html".to_owned()]) {
        let built = dist.join(&file);
        println!("cargo::rerun-if-changed={}", built.display());
        let bytes = fs::read(&built).unwrap_or_default();
        fs::write(out.join(file), bytes)?;
    }
    Ok(())
}
