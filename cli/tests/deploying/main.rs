//! `docs/deploying.md` and `docs/mixer.md` as a reader would follow them: the files of a page are written where they say, and its
//! commands run in order. `kubectl` is a stand-in that keeps what is applied to it.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends where it fails, and waits for processes"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use weir_testing::Rows;

mod cluster;

/// Keeps the files of `apply -f FOLDER` and prints them for `get`, as one stream. `delete` removes the files whose objects all have
/// the label; a ConfigMap takes no more than the API server lets it hold.
const KUBECTL: &str = r#"#!/bin/sh
set -eu
case "$1" in
apply) while [ "$1" != -f ]; do shift; done; mkdir -p .cluster; cp -r "$2" .cluster/ ;;
create) size=$(wc -c <"${*##*=}") && [ "$size" -gt 0 ] && [ "$size" -lt 1048576 ] ;;
delete)
  label=${*##* -l }
  find .cluster -name '*.yaml' | while read -r file; do
    [ "$(grep -c '^kind:' "$file")" != "$(grep -c "^    ${label%%=*}: ${label#*=}$" "$file")" ] || rm "$file"
  done ;;
get) find .cluster -name '*.yaml' | while read -r file; do echo ---; cat "$file"; echo; done ;;
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

/// A folder with the files of a page, in which its commands have run in order, and what they printed.
fn follow(page: &str, more: &[(&str, &str)], rows: &mut Rows) -> (TempDir, String) {
    let text = fs::read_to_string(workspace().join("docs").join(page)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let named = |block: &str| block.lines().next().unwrap().strip_prefix("# ").unwrap().to_owned();
    let files = blocks(&text, "yaml").into_iter().map(|block| (named(block), block));
    for (name, text) in files.chain(more.iter().map(|(name, text)| ((*name).to_owned(), *text))) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let bin = install(folder.path(), KUBECTL);
    symlink(
        std::env::var_os("WEIR_DIST").map_or_else(|| workspace().join("dist"), PathBuf::from),
        folder.path().join("dist"),
    )
    .unwrap();
    let weir = Path::new(env!("CARGO_BIN_EXE_weir")).parent().unwrap();
    let path = format!("{}:{}:{}", bin.display(), weir.display(), std::env::var("PATH").unwrap());
    let mut printed = String::new();
    for block in blocks(&text, "sh") {
        let script = format!("set -euo pipefail\n{block}\n");
        let output =
            Command::new("bash").current_dir(folder.path()).env("PATH", &path).args(["-c", &script]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        rows.check(format!("{block}\n{text}"), output.status.code(), Some(0));
        printed += &text;
    }
    (folder, printed)
}

/// The files below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn every_command_of_the_page_works() {
    let mut rows = Rows::default();
    let (folder, _) = follow("deploying.md", &[], &mut rows);
    let read = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap_or_default();
    for (file, expected) in [
        ("cart-envoyfilter.yaml", "kind: EnvoyFilter"),
        ("envoy.yaml", "static_resources:"),
        ("filters.yaml", "- name: weir-policy-cart"),
        ("telemetry.yaml", "kind: Telemetry"),
        ("edge.yaml", "kind: EnvoyExtensionPolicy"),
        ("manifests/edge/public.yaml", "targetRefs:"),
        ("emergency/cart.yaml", "mode: \"off\""),
    ] {
        rows.contains(file, &read(file), expected);
    }
    // What is left after the uninstall is not Weir's.
    let mut left = Vec::new();
    for entry in walk(&folder.path().join(".cluster")) {
        let text = fs::read_to_string(&entry).unwrap();
        rows.check(entry.display(), text.contains("managed-by: weir"), false);
        left.push(entry.file_name().unwrap().to_string_lossy().into_owned());
    }
    left.sort();
    rows.check("left", left, vec!["cart-pods.yaml".to_owned(), "cart.yaml".to_owned()]);
    // What is applied in an emergency replaces what is deployed: it has the same objects.
    let names = |file: &str| -> Vec<String> {
        read(file).lines().filter(|line| line.starts_with("  name: ")).map(str::to_owned).collect()
    };
    rows.check("names", names("emergency/cart.yaml"), names("cart-envoyfilter.yaml"));
    rows.check("names", names("emergency/cart.yaml").is_empty(), false);
}

/// An object of Mixer that was left in the folder.
const HANDLER: &str = "apiVersion: config.istio.io/v1alpha2\nkind: handler\nmetadata: {name: quotahandler, namespace: default}\n\
                       spec: {compiledAdapter: memquota}\n";

#[test]
fn the_example_of_the_page_on_mixer_decides_as_the_page_says() {
    let mut rows = Rows::default();
    let (folder, printed) = follow("mixer.md", &[("policies/handler.yaml", HANDLER)], &mut rows);
    let page = fs::read_to_string(workspace().join("docs/mixer.md")).unwrap();
    let shown: Vec<&str> = blocks(&page, "text").last().unwrap().lines().collect();
    rows.check("lines", shown.len(), 5);
    rows.contains("a match", &printed, "403  default/reviews-v3[0]");
    rows.check("v2 passes", printed.lines().any(|line| line.starts_with("v2 ") && line.contains("  200  ")), true);
    for line in shown {
        rows.contains(line, &printed, line);
    }
    let rendered = fs::read_to_string(folder.path().join("productpage-wasmplugin.yaml")).unwrap_or_default();
    rows.contains("rendered", &rendered, "kind: WasmPlugin");
}

/// The sums of "Memory" are those of the rows of the benchmarks.
#[test]
fn sizes_are_those_of_the_benchmarks() {
    let read = |page: &str| fs::read_to_string(workspace().join("docs").join(page)).unwrap();
    let (page, benchmarks) = (read("deploying.md").replace('\n', " "), read("benchmarks.md"));
    let table = benchmarks.split("## Memory and start").nth(1).unwrap();
    let mut rows = Rows::default();
    for variant in ["weir suite, 10 rules", "weir suite, 10,000 rules"] {
        let row = table.lines().find(|line| line.starts_with(&format!("| {variant} |"))).unwrap();
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (two, each): (f64, f64) = (cells.get(2).unwrap().parse().unwrap(), cells.get(5).unwrap().parse().unwrap());
        rows.contains(variant, &page, &format!("{two:.1} + 6 × {each:.1} = {:.1} MiB", two + 6.0 * each));
    }
}
