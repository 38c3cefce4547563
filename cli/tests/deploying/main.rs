//! `docs/deploying.md` as a reader would follow it: its files are written where they say, and its commands run in order.
//! `kubectl` is a stand-in that keeps what is applied to it.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends where it fails, and waits for processes"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use weir_testing::Rows;

mod cluster;

/// Keeps the files of `apply -f FOLDER` and prints them for `get`, as one stream.
const KUBECTL: &str = r#"#!/bin/sh
set -eu
case "$1" in
apply) while [ "$1" != -f ]; do shift; done; mkdir -p .cluster; find "$2" -name '*.yaml' -exec cp {} .cluster/ ';' ;;
get) for file in .cluster/*.yaml; do echo ---; cat "$file"; done ;;
*) echo "no such command: $1" >&2; exit 1 ;;
esac
"#;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Puts a stand-in for `kubectl` into `.bin` of a folder.
fn install(folder: &Path, kubectl: &str) -> PathBuf {
    let bin = folder.join(".bin");
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("kubectl"), kubectl).unwrap();
    fs::set_permissions(bin.join("kubectl"), fs::Permissions::from_mode(0o755)).unwrap();
    bin
}

/// The blocks of a page in that language, in order.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let fence = format!("\n```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

#[test]
fn every_command_of_the_page_works() {
    let page = fs::read_to_string(workspace().join("docs/deploying.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for block in blocks(&page, "yaml") {
        let name = block.lines().next().unwrap().strip_prefix("# ").unwrap();
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, block).unwrap();
    }
    let bin = install(folder.path(), KUBECTL);
    let weir = Path::new(env!("CARGO_BIN_EXE_weir")).parent().unwrap();
    let path = format!("{}:{}:{}", bin.display(), weir.display(), std::env::var("PATH").unwrap());
    let commands = blocks(&page, "sh");
    assert!(commands.iter().any(|block| block.contains("weir diff")), "the page has lost its commands");
    let mut rows = Rows::default();
    for block in commands {
        let script = format!("set -euo pipefail\n{block}\n");
        let output =
            Command::new("bash").current_dir(folder.path()).env("PATH", &path).args(["-c", &script]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        rows.check(format!("{block}\n{}{}", text(&output.stdout), text(&output.stderr)), output.status.code(), Some(0));
    }
    for (file, expected) in [
        ("cart-envoyfilter.yaml", "kind: EnvoyFilter"),
        ("envoy.yaml", "static_resources:"),
        ("filters.yaml", "- name: weir-policy-cart"),
        ("telemetry.yaml", "kind: Telemetry"),
        ("manifests/edge/public.yaml", "targetRefs:"),
    ] {
        rows.contains(file, &fs::read_to_string(folder.path().join(file)).unwrap(), expected);
    }
}
