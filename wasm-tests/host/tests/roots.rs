//! Which root contexts there are when a configuration comes back: the rows of `wasm-tests/probe/roots.txt`, which real Envoy
//! is tested with as well.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_test_host::{Incoming, PluginSpec, Proxy};

const TABLE: &str = include_str!("../../probe/roots.txt");

fn probe(configuration: &str) -> PluginSpec {
    let dist = std::env::var_os("WEIR_DIST");
    let dist = dist.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist"), PathBuf::from);
    let word = if configuration == "refused" { "refuse=configure" } else { "" };
    let module = std::fs::read(dist.join("probe.wasm")).unwrap();
    PluginSpec::new("probe", module, format!("part=none as={configuration} {word}"))
}

/// How often the module has said so far that it began, got a root, was configured, and lost a context.
fn counts(proxy: &Proxy) -> Vec<usize> {
    let log = proxy.log();
    let said = |word: &&str| log.iter().filter(|line| line.text.contains(word)).count();
    [" start begin ", " create_root enter ", " configure enter ", " delete enter "].iter().map(said).collect()
}

fn run(rows: &[Vec<&str>]) -> Vec<String> {
    let proxy = Proxy::builder().plugin(probe("a")).build().unwrap();
    let stream = proxy.open(0, Incoming::get("/"), false).unwrap();
    let mut before = vec![0; 4];
    let mut actual = Vec::new();
    for row in rows {
        match row[1] {
            "start" => {}
            "end" => {
                proxy.send(0, stream, b"all".to_vec(), true).unwrap();
                proxy.finish(0, stream, Duration::from_secs(1)).unwrap();
            }
            next => assert_eq!(proxy.reconfigure(vec![probe(next)]).is_err(), next == "refused"),
        }
        let now = counts(&proxy);
        let new = now.iter().zip(&before).map(|(now, before)| (now - before).to_string());
        actual.push(format!("{} | {} | {}", row[0], row[1], new.collect::<Vec<_>>().join(" | ")));
        before = now;
    }
    actual
}

#[test]
fn a_root_that_is_held_is_used_again() {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<Vec<&str>> = rows.map(|line| line.split('|').map(str::trim).collect()).collect();
    for stream in ["held", "free"] {
        let rows: Vec<Vec<&str>> = rows.iter().filter(|row| row[0] == stream).cloned().collect();
        let expected: Vec<String> = rows.iter().map(|row| row.join(" | ")).collect();
        assert_eq!(run(&rows), expected, "{stream}");
    }
}
