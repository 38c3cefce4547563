//! Where the case files are.

use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// The folder of the case files. `None`, with a line on stderr, where `WEIR_CASES` is not set and the default folder is
/// absent: then a test has nothing to compare with.
///
/// # Panics
/// When `WEIR_CASES` names a folder that is absent.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("WEIR_CASES") {
        let named = PathBuf::from(named);
        assert!(named.is_dir(), "there is no folder `{}`, which WEIR_CASES names", named.display());
        return Some(named);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    if beside.is_dir() {
        return Some(beside);
    }
    eprintln!("no case files at {}: nothing to compare with", beside.display());
    None
}

/// A file or a folder among the case files. `None`, with a line on stderr, where there is none.
///
/// # Panics
/// As [`folder`].
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = folder()?.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("no {}: nothing to compare with", path.display());
    None
}

/// A case file, which is YAML. `None`, with a line on stderr, where there is none.
///
/// # Panics
/// As [`folder`], and when the file cannot be read.
#[must_use]
pub fn read<T: DeserializeOwned>(name: &str) -> Option<T> {
    let path = find(name)?;
    match parse(&path) {
        Ok(table) => Some(table),
        #[expect(clippy::panic, reason = "a test fails by panicking")]
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// A file of YAML.
///
/// # Errors
/// What is wrong with it, when it cannot be read.
pub fn parse<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_yaml_ng::from_str(&text).map_err(|error| error.to_string())
}
