//! Modules as OCI images, as an operator handles them: packed, pushed to a real registry, read back by this client and by
//! skopeo, run in a real Envoy, and refused where somebody would refuse them. Needs `make build`, and docker-registry,
//! skopeo and minisign, which `scripts/install-tools` installs.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it fails")]

mod access;
mod layouts;
mod page;
mod release;
mod schema;
mod server;
mod travel;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("weir-images-").tempdir().unwrap()
}

/// The binary, in a folder, without the logins of the user who runs the test.
fn weir(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.current_dir(folder).args(arguments).env("DOCKER_CONFIG", folder).env("HOME", folder);
    command.env_remove("REGISTRY_AUTH_FILE").env_remove("XDG_RUNTIME_DIR");
    command
}

/// The exit code of a command, and what it printed to both outputs.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

/// What a command prints, which must end well.
fn printed(command: &mut Command) -> String {
    let (code, output) = run(command);
    assert_eq!(code, Some(0), "{command:?}\n{output}");
    output.trim_end().to_owned()
}

fn skopeo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("skopeo");
    command.current_dir(folder).args(arguments).env("HOME", folder).env("DOCKER_CONFIG", folder);
    command
}
