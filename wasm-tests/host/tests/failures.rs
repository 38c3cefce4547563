//! What happens to streams when a VM dies, under each failure policy: the rows of `wasm-tests/probe/failures.txt`, which
//! real Envoy is tested with as well.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_scenario::{Answer, Behaviour, Cluster, Route, Span, Surroundings, Target};
use weir_test_host::{Ended, FailurePolicy, Incoming, PluginSpec, Proxy, Settings};
use weir_testing::Rows;

const TABLE: &str = include_str!("../../probe/failures.txt");

const SLOW: Duration = Duration::from_millis(700);
const PATIENCE: Duration = Duration::from_millis(1500);
const BACKOFF: Duration = Duration::from_millis(1100);

fn outcome(ended: &Ended) -> String {
    let status = ended.downstream.status.map(|status| format!("{status} {}", ended.record.details));
    status.unwrap_or_else(|| "none".to_owned())
}

fn settings() -> Settings {
    let mut surroundings = Surroundings::default();
    let slow = Answer { delay: Span(SLOW), ..Answer::default() };
    let cluster = Cluster { behaviour: Behaviour::Answer(slow), ..Cluster::default() };
    surroundings.clusters.insert("slow".to_owned(), cluster);
    let to = Target::Cluster("slow".to_owned());
    surroundings.routes.insert(0, Route::new("slow", "/slow", to));
    Settings { surroundings, ..Settings::default() }
}

fn run(policy: &str, at: &str) -> Vec<String> {
    let (failure_policy, fail_open) = match policy {
        "closed" => (FailurePolicy::FailClosed, false),
        "open" => (FailurePolicy::FailOpen, false),
        "reload" => (FailurePolicy::FailReload, false),
        "fail_open" => (FailurePolicy::default(), true),
        other => panic!("no policy is called {other}"),
    };
    let dist = std::env::var_os("WEIR_DIST");
    let dist = dist.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist"), PathBuf::from);
    let probe = std::fs::read(dist.join("probe.wasm")).unwrap();
    let callout = if at == "http_answer" { "callout=http" } else { "" };
    let plan = format!("part=once case=abort at={at} when=x-trap {callout}");
    let plugin = PluginSpec { failure_policy, fail_open, ..PluginSpec::new("probe", probe, plan) };
    let proxy = Proxy::builder().settings(settings()).plugin(plugin).build().unwrap();
    proxy.advance(BACKOFF).unwrap();
    let waiting = proxy.open(0, Incoming::get("/slow"), true).unwrap();
    let sending = proxy.open(0, Incoming::get("/"), false).unwrap();
    proxy.send(0, sending, b"half".to_vec(), false).unwrap();
    let trapping = proxy.http_stream(0, Incoming::get("/").with("x-trap", "1"), Duration::from_millis(100)).unwrap();
    proxy.send(0, sending, b"half".to_vec(), true).unwrap();
    let ended = [waiting, sending].map(|stream| proxy.finish(0, stream, PATIENCE).unwrap());
    let next = proxy.http_stream(0, Incoming::get("/"), PATIENCE).unwrap();
    [&trapping, &ended[0], &ended[1], &next].into_iter().map(outcome).collect()
}

#[test]
fn the_failure_policy_decides_over_the_streams_of_a_dead_vm() {
    let mut rows = Rows::default();
    let table = TABLE.lines().filter(|line| !line.starts_with('#'));
    for row in table.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()) {
        rows.check(format!("{} | {}", row[0], row[1]), run(row[0], row[1]).join(" | "), row[2..].join(" | "));
    }
}
