//! What the shell does about callouts that fail before the call returns: no scenario can bring that about.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_test_host::{GrpcCall, GrpcPlan, HttpCall, HttpPlan, Incoming, PluginSpec, Proxy, World};

const PATIENCE: Duration = Duration::from_secs(1);

/// A world whose every callout ends inside the call; a gRPC call is closed all the same, with a token that was
/// never handed out.
struct Inline;

impl World for Inline {
    fn http(&mut self, _: &HttpCall) -> HttpPlan {
        HttpPlan::Inline
    }

    fn grpc(&mut self, _: &GrpcCall) -> GrpcPlan {
        GrpcPlan::Inline { status: 14 }
    }
}

/// Sends a request with that plan, lets time pass, and gives the answers that the filter logged, and what came of it.
fn run(plan: &str) -> (Vec<String>, Option<u16>, u64) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dist = std::env::var_os("WEIR_DIST").map_or_else(|| root.join("dist"), PathBuf::from);
    let module = std::fs::read(dist.join("shell-probe.wasm")).unwrap();
    let proxy = Proxy::builder().plugin(PluginSpec::new("shell", module, "v1")).world(Inline).build().unwrap();
    let ended = proxy.http_stream(0, Incoming::get("/").with("x-do", plan), PATIENCE).unwrap();
    proxy.advance(PATIENCE).unwrap();
    let lines = proxy.log().into_iter().filter_map(|line| Some(line.text.split_once("answer: ")?.1.to_owned()));
    (lines.collect(), ended.downstream.status, proxy.vm_failures())
}

#[test]
fn a_callout_that_fails_inside_the_call_has_one_answer() {
    let failed = |times: usize| vec!["failed with 0".to_owned(); times];
    for (plan, answers, status) in [
        ("http a", 1, 200),
        ("grpc a", 1, 200),
        ("grpc a; http a", 2, 200),
        ("grpc a; grpc a; reply 403", 2, 403),
        ("http a; reply 429", 1, 429),
    ] {
        assert_eq!(run(plan), (failed(answers), Some(status), 0), "{plan}");
    }
}
