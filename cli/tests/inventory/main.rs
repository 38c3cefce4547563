//! `cli/inventory/crates.json` lists what is linked into each module, with licences. `weir pack` makes the SBOM and the
//! licences of an image of it. This test makes it again from the lock file and the crates' own files and compares;
//! `make inventory` writes it.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends where it fails")]

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod crd;
mod examples;
mod reference;

const MODULES: [&str; 4] = ["policy", "rate-limit", "telemetry", "suite"];
const TARGET: &str = "wasm32-wasip1";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = Command::new(env!("CARGO")).current_dir(workspace()).args(arguments).output().unwrap();
    assert!(cargo.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&cargo.stderr));
    String::from_utf8(cargo.stdout).unwrap()
}

/// The crates that each crate is linked with, by `name version`, as the modules are built: all of them at once.
fn edges() -> BTreeMap<String, BTreeSet<String>> {
    let mut arguments = vec!["tree", "--locked", "--target", TARGET, "-e", "normal,no-proc-macro"];
    arguments.extend(["--prefix", "depth", "--no-dedupe", "--format", " {p}"]);
    let packages: Vec<String> = MODULES.iter().map(|module| format!("weir-{module}-module")).collect();
    arguments.extend(packages.iter().flat_map(|package| ["-p", package.as_str()]));
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut path: Vec<String> = Vec::new();
    for line in cargo(&arguments).lines().filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let depth: usize = words.next().unwrap().parse().unwrap();
        let name = format!("{} {}", words.next().unwrap(), words.next().unwrap().trim_start_matches('v'));
        path.truncate(depth);
        edges.entry(name.clone()).or_default();
        if let Some(above) = path.last() {
            edges.get_mut(above).unwrap().insert(name.clone());
        }
        path.push(name);
    }
    edges
}

/// The texts of a crate's licences and notices, without that of the Apache License, which is Weir's own and lies beside.
fn texts(folder: &Path) -> Vec<String> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy().to_uppercase();
        path.is_file() && ["LICEN", "COPYING", "NOTICE", "UNLICENSE"].iter().any(|begin| name.starts_with(begin))
    });
    names.sort();
    let texts = names.iter().map(|path| fs::read_to_string(path).unwrap().trim_end().replace("\r\n", "\n"));
    texts.filter(|text| !text.contains("TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION")).collect()
}

fn inventory() -> Value {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--locked", "--format-version", "1", "--filter-platform", TARGET]))
            .unwrap();
    let lock: Value = toml::from_str(&fs::read_to_string(workspace().join("Cargo.lock")).unwrap()).unwrap();
    let named = |package: &Value, name: &str| {
        format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap()) == name
    };
    let of = |list: &Value, name: &str| {
        list.as_array().unwrap().iter().find(|package| named(package, name)).unwrap().clone()
    };
    let mut crates = BTreeMap::new();
    for (name, uses) in edges() {
        let package = of(&metadata["packages"], &name);
        assert!(package["license"].is_string(), "{name} names no licence");
        let license = package["license"].as_str().unwrap();
        let checksum = of(&lock["package"], &name)["checksum"].clone();
        let is_own = checksum.is_null();
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
        let texts = if is_own { Vec::new() } else { texts(&folder) };
        assert!(
            is_own || !texts.is_empty() || license.contains("Apache-2.0"),
            "{name}: there is no text of its licence {license}"
        );
        let mut entry = json!({"license": license, "uses": uses});
        if !is_own {
            entry["sha256"] = checksum;
            entry["texts"] = json!(texts);
        }
        crates.insert(name, entry);
    }
    let toolchain: Value =
        toml::from_str(&fs::read_to_string(workspace().join("rust-toolchain.toml")).unwrap()).unwrap();
    json!({"rust": toolchain["toolchain"]["channel"], "crates": crates})
}

#[test]
fn the_inventory_is_that_of_the_modules() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("inventory/crates.json");
    let made = serde_json::to_string_pretty(&inventory()).unwrap() + "\n";
    if std::env::var_os("WEIR_INVENTORY").is_some_and(|value| value == "write") {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "{} is not current: run `make inventory`, and commit it", path.display());
}
