//! Where things are: the workspace, the modules that were built, the Envoy binary.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use weir_scenario::Failure;

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The module file of that name without ending: in `WEIR_DIST` where it is set, else in `dist` of the workspace.
///
/// # Errors
/// When it has not been built.
pub fn module(stem: &str) -> Result<PathBuf, Failure> {
    let dist = std::env::var_os("WEIR_DIST").map_or_else(|| workspace().join("dist"), PathBuf::from);
    let path = dist.join(format!("{stem}.wasm"));
    if path.is_file() { Ok(path) } else { Err(Failure(format!("`{}` is missing: run `make build`", path.display()))) }
}

/// The Envoy binary that tests use (`ENVOY`, `WEIR_ENVOY_VERSION`), looked for and checked once per process.
///
/// # Errors
/// When there is none.
pub fn envoy_binary() -> Result<PathBuf, Failure> {
    static BINARY: OnceLock<Result<PathBuf, Failure>> = OnceLock::new();
    let find = || weir_launch::find_wanted(&mut |line| eprintln!("{line}")).map_err(|error| Failure(error.to_string()));
    BINARY.get_or_init(find).clone()
}

/// The line of that binary, such as `1.40`: what differs between Envoy's lines differs by this.
#[must_use]
pub fn envoy_line() -> String {
    let version = weir_launch::wanted_version();
    version.rsplit_once('.').map_or(version.clone(), |(line, _)| line.to_owned())
}
