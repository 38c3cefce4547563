//! Manifests as `weir render` prints them, to be applied here.

use std::fs;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;
use weir_scenario::Failure;
use weir_test_envoy::module;

/// What a call of `weir render` gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The documents of its output, in their order.
    pub trees: Vec<Value>,
    /// The bytes of its output.
    pub bytes: usize,
    /// What it says on standard error.
    pub notes: String,
}

/// Writes the files, by name and text, and calls `weir render` with these arguments beside them. `weir` is the one that lies
/// with the modules (`WEIR_DIST`, `dist`).
///
/// # Errors
/// What it prints when it renders nothing, and when this machine fails.
pub fn render(files: &[(&str, String)], arguments: &[&str]) -> Result<Rendered, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure(error.to_string());
    let folder = tempfile::Builder::new().prefix("weir-rendered-").tempdir().map_err(|error| failed(&error))?;
    for (name, text) in files {
        fs::write(folder.path().join(name), text).map_err(|error| failed(&error))?;
    }
    let weir = module("suite")?.with_file_name("weir");
    let mut command = Command::new(&weir);
    command.current_dir(folder.path()).arg("render").args(arguments);
    let output = command.output().map_err(|error| Failure(format!("{}: {error}", weir.display())))?;
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(Failure(format!("weir render {}: {notes}", arguments.join(" "))));
    }
    let text = std::str::from_utf8(&output.stdout).map_err(|error| failed(&error))?;
    let trees: Result<Vec<_>, _> = serde_yaml_ng::Deserializer::from_str(text).map(Value::deserialize).collect();
    Ok(Rendered { trees: trees.map_err(|error| failed(&error))?, bytes: text.len(), notes })
}
