//! Callouts of the shell that need more than one request: several streams that wait for one callout, streams and VMs that
//! end while they wait, answers that come twice.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_test_host::{GrpcCall, GrpcPlan, HeaderMap, HttpCall, HttpPlan, Incoming, PluginSpec, Proxy, Settings, World};

const DELAY: Duration = Duration::from_millis(100);

/// A world that answers every HTTP callout after a while, and no gRPC callout.
struct Slow;

impl World for Slow {
    fn http(&mut self, _: &HttpCall) -> HttpPlan {
        let headers = HeaderMap::new([(":status", "200")]);
        HttpPlan::Answer { after: DELAY, headers, body: b"fine".to_vec(), trailers: HeaderMap::default() }
    }

    fn grpc(&mut self, _: &GrpcCall) -> GrpcPlan {
        GrpcPlan::Never
    }
}

fn proxy(settings: Settings) -> Proxy {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dist = std::env::var_os("WEIR_DIST").map_or_else(|| root.join("dist"), PathBuf::from);
    let module = std::fs::read(dist.join("shell-probe.wasm")).unwrap();
    Proxy::builder().settings(settings).plugin(PluginSpec::new("shell", module, "v1")).world(Slow).build().unwrap()
}

fn open(proxy: &Proxy, name: &str, plan: &str) -> u64 {
    proxy.open(0, Incoming::get("/").with("x-name", name).with("x-do", plan), true).unwrap()
}

/// What the filter logged about callouts and streams that wait for them.
fn lines(proxy: &Proxy) -> Vec<String> {
    let said = |text: String| {
        let (_node, line) = text.split_once("shell v1/")?.1.split_once(' ')?;
        let line = line.to_owned();
        [" answer: ", "called: ", " gone, "].iter().any(|part| line.contains(part)).then_some(line)
    };
    proxy.log().into_iter().filter_map(|line| said(line.text)).collect()
}

#[test]
fn several_streams_wait_for_one_callout_and_go_on_in_the_order_in_which_they_came() {
    let proxy = proxy(Settings::default());
    let streams = ["a", "b", "c"].map(|name| open(&proxy, name, "shared x 5000"));
    assert_eq!(lines(&proxy), Vec::<String>::new());
    let statuses = streams.map(|stream| proxy.finish(0, stream, 2 * DELAY).unwrap().downstream.status);
    assert_eq!(statuses, [Some(200); 3]);
    let answer = |name| format!("{name} answer: http 200 with fine");
    assert_eq!(lines(&proxy), ["called: http 200 with fine".to_owned(), answer("a"), answer("b"), answer("c")]);
}

#[test]
fn the_stream_that_asked_may_leave_before_the_others() {
    let proxy = proxy(Settings::default());
    let (first, second) = (open(&proxy, "asks", "shared x 5000"), open(&proxy, "stays", "shared x 5000"));
    proxy.abort(0, first).unwrap();
    assert_eq!(proxy.finish(0, second, 2 * DELAY).unwrap().downstream.status, Some(200));
    assert_eq!(lines(&proxy), ["asks gone, 1 left", "called: http 200 with fine", "stays answer: http 200 with fine"]);
    let third = open(&proxy, "later", "shared x 5000");
    assert_eq!(proxy.finish(0, third, 2 * DELAY).unwrap().downstream.status, Some(200));
}

#[test]
fn no_more_streams_wait_than_the_bound() {
    let proxy = proxy(Settings::default());
    let waiting: Vec<u64> = (0..64).map(|_| open(&proxy, "waits", "shared x 5000")).collect();
    let more = open(&proxy, "more", "shared x 5000; reply 429");
    assert_eq!(proxy.finish(0, more, Duration::ZERO).unwrap().downstream.status, Some(429));
    assert_eq!(lines(&proxy), ["more answer: too many wait"]);
    for stream in waiting {
        assert_eq!(proxy.finish(0, stream, 2 * DELAY).unwrap().downstream.status, Some(200));
    }
    assert_eq!(lines(&proxy).len(), 1 + 1 + 64);
}

#[test]
fn a_stream_whose_vm_dies_while_it_waits_never_goes_upstream() {
    let proxy = proxy(Settings::default());
    let held = open(&proxy, "held", "http x 5000");
    assert_eq!(proxy.finish(0, open(&proxy, "kills", "trap"), DELAY).unwrap().downstream.status, Some(503));
    assert_eq!(proxy.vm_failures(), 1);
    proxy.advance(2 * DELAY).unwrap();
    let ended = proxy.finish(0, held, 2 * DELAY);
    assert!(ended.as_ref().map_or(true, |ended| ended.seen.is_none()), "{ended:?}");
    assert_eq!(lines(&proxy), Vec::<String>::new());
}

#[test]
fn a_callout_that_is_one_too_many_is_answered_at_once() {
    let proxy = proxy(Settings::default());
    let waiting: Vec<u64> = (0..1024).map(|_| open(&proxy, "waits", "http x 5000")).collect();
    assert_eq!(lines(&proxy), Vec::<String>::new());
    let more = open(&proxy, "more", "http x 5000; reply 429");
    assert_eq!(proxy.finish(0, more, Duration::ZERO).unwrap().downstream.status, Some(429));
    assert_eq!(lines(&proxy), ["called: failed with 0", "more answer: failed with 0"]);
    for stream in waiting {
        assert_eq!(proxy.finish(0, stream, 2 * DELAY).unwrap().downstream.status, Some(200));
    }
    assert_eq!(proxy.vm_failures(), 0);
}
