//! Where Envoy comes from: what the caller names, what is on the path, what was fetched before, what can be fetched now.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::fetch::{self, FetchError};
use crate::version::{DEFAULT_VERSION, SUPPORTED, Supported, supported};

/// Why there is no Envoy to start.
#[derive(Debug)]
pub enum FindError {
    /// `ENVOY` names something that is not a program.
    NotAProgram(PathBuf),
    /// The version is none of [`SUPPORTED`], so there is no hash to check it by.
    UnknownVersion(String),
    /// There is no pinned binary for this machine.
    Platform(String),
    /// Neither `WEIR_CACHE` nor `XDG_CACHE_HOME` nor `HOME` is set.
    NoCache,
    /// The cache could not be read or written.
    Cache(PathBuf, io::Error),
    /// Fetching failed.
    Fetch(FetchError),
    /// The binary is not the one that is pinned; it has been removed.
    Hash {
        /// The version asked for.
        version: String,
        /// What it must be.
        wanted: String,
        /// What it was.
        found: String,
    },
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAProgram(path) => write!(f, "ENVOY names `{}`, which is not a program", path.display()),
            Self::UnknownVersion(version) => {
                let known: Vec<_> = SUPPORTED.iter().map(|entry| entry.version).collect();
                write!(
                    f,
                    "no hash is pinned for Envoy `{version}` (pinned: {}): set ENVOY to its binary",
                    known.join(", ")
                )
            }
            Self::Platform(platform) => {
                write!(f, "no Envoy is pinned for {platform}: set ENVOY to the path of an envoy binary")
            }
            Self::NoCache => {
                f.write_str("no place to keep Envoy: set WEIR_CACHE, or ENVOY to the path of an envoy binary")
            }
            Self::Cache(path, error) => write!(f, "cannot use the cache `{}`: {error}", path.display()),
            Self::Fetch(error) => error.fmt(f),
            Self::Hash { version, wanted, found } => {
                write!(f, "refused Envoy {version}: its sha256 is {found}, it must be {wanted}; the file was removed")
            }
        }
    }
}

impl std::error::Error for FindError {}

/// The version asked for by `WEIR_ENVOY_VERSION`, else [`DEFAULT_VERSION`].
#[must_use]
pub fn wanted_version() -> String {
    env("WEIR_ENVOY_VERSION").and_then(|value| value.into_string().ok()).unwrap_or_else(|| DEFAULT_VERSION.to_owned())
}

/// [`find`] with [`wanted_version`].
///
/// # Errors
/// As [`find`].
pub fn find_wanted(progress: &mut dyn FnMut(&str)) -> Result<PathBuf, FindError> {
    find(&wanted_version(), progress)
}

/// Path of an Envoy binary of `version`: the one `ENVOY` names (of any version), an `envoy` of that version on the
/// path, the cached one, or one fetched into the cache now. What comes out of the cache has the pinned hash.
///
/// # Errors
/// When there is none, each in one line that says what to do.
pub fn find(version: &str, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, FindError> {
    if let Some(named) = env("ENVOY").map(PathBuf::from) {
        return if is_program(&named) { Ok(absolute(named)) } else { Err(FindError::NotAProgram(named)) };
    }
    if let Some(found) = on_path(version) {
        return Ok(found);
    }
    let pinned = supported(version).ok_or_else(|| FindError::UnknownVersion(version.to_owned()))?;
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    is_pinned_for(os, arch)?;
    from_cache(&cache_dir()?, pinned, &format!("envoy-{version}-{os}-{arch}"), progress)
}

/// The hashes are those of binaries for one platform; elsewhere the operator names a binary.
fn is_pinned_for(os: &str, arch: &str) -> Result<(), FindError> {
    match (os, arch) {
        ("linux", "x86_64") => Ok(()),
        _ => Err(FindError::Platform(format!("{os} on {arch}"))),
    }
}

/// The cached binary, fetched first where it is missing. One process fetches at a time; the others wait and find it done.
fn from_cache(
    cache: &Path,
    pinned: Supported,
    name: &str,
    progress: &mut dyn FnMut(&str),
) -> Result<PathBuf, FindError> {
    let path = cache.join(name);
    let failed = |error| FindError::Cache(cache.to_path_buf(), error);
    fs::create_dir_all(cache).map_err(failed)?;
    let lock = File::create(cache.join(format!("{name}.lock"))).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if !path.exists() {
        // The process with the lock owns this directory. A fetch that was interrupted has left what is in it.
        let work = cache.join(format!("{name}.fetch"));
        if work.exists() {
            fs::remove_dir_all(&work).map_err(failed)?;
        }
        fs::create_dir(&work).map_err(failed)?;
        let fetched = fetch::fetch(pinned.version, &work, progress).map_err(FindError::Fetch);
        let kept = fetched.and_then(|binary| {
            verify(&binary, pinned)?;
            fs::rename(&binary, &path).map_err(failed)
        });
        fs::remove_dir_all(&work).map_err(failed)?;
        return kept.map(|()| path);
    }
    verify(&path, pinned)?;
    Ok(path)
}

/// Refuses and removes a file that is not the pinned binary.
fn verify(path: &Path, pinned: Supported) -> Result<(), FindError> {
    let found = sha256(path).map_err(|error| FindError::Cache(path.to_path_buf(), error))?;
    if found == pinned.sha256 {
        return Ok(());
    }
    fs::remove_file(path).map_err(|error| FindError::Cache(path.to_path_buf(), error))?;
    Err(FindError::Hash { version: pinned.version.to_owned(), wanted: pinned.sha256.to_owned(), found })
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut block)?;
        match block.get(..read) {
            Some(bytes) if !bytes.is_empty() => hash.update(bytes),
            _ => break,
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// `$WEIR_CACHE`, else `$XDG_CACHE_HOME/weir`, else `~/.cache/weir`.
fn cache_dir() -> Result<PathBuf, FindError> {
    let own = env("WEIR_CACHE").map(PathBuf::from);
    let xdg = || env("XDG_CACHE_HOME").map(|dir| PathBuf::from(dir).join("weir"));
    let home = || env("HOME").map(|dir| PathBuf::from(dir).join(".cache").join("weir"));
    own.or_else(xdg).or_else(home).map(absolute).ok_or(FindError::NoCache)
}

/// An `envoy` on the path that says it is of `version`.
fn on_path(version: &str) -> Option<PathBuf> {
    let path = env("PATH")?;
    let found = std::env::split_paths(&path).map(|dir| dir.join("envoy")).find(|file| is_program(file))?;
    let output = Command::new(&found).arg("--version").stdin(Stdio::null()).output().ok()?;
    says_version(&String::from_utf8_lossy(&output.stdout), version).then_some(found)
}

/// Whether the answer to `--version`, `envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL`, names the version.
fn says_version(answer: &str, version: &str) -> bool {
    answer.split('/').nth(1) == Some(version)
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// A variable of the environment; one that is set to nothing counts as not set.
fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
