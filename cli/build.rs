//! Puts the built modules inside the binary, so that it alone is enough to try Weir. A module that has not been built
//! is put in as empty bytes, and the binary says so when it is asked for it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

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

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=WEIR_DIST");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let dist = env::var_os("WEIR_DIST").map_or(default, PathBuf::from);
    for module in MODULES {
        let built = dist.join(format!("{module}.wasm"));
        println!("cargo::rerun-if-changed={}", built.display());
        let bytes = fs::read(&built).unwrap_or_default();
        fs::write(out.join(format!("{module}.wasm")), bytes)?;
    }
    Ok(())
}
