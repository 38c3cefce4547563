//! Requests that wait for callouts, in real Envoy. Envoy acts on each decision of an answer inside the one before, so that
//! an answer which decided some three hundred of them overflowed V8's stack, or Envoy's own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up fails")]

use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use weir_scenario::{Answer, Behaviour, Cluster, Fields, Payload, Request, Route, Span, Surroundings, Target};
use weir_test_envoy::{Booted, Plugin, Proxy, Setup};
use weir_testing::Rows;

/// Many more than may wait for one callout.
const REQUESTS: usize = 400;
/// More than may be in flight at a time.
const CALLOUTS: usize = 1100;

/// Sends so many requests, and then reads the status of each.
fn statuses(to: SocketAddr, requests: usize, plan: &str) -> Vec<String> {
    let open = |number: usize| {
        let mut client = TcpStream::connect(to).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(client, "GET / HTTP/1.1\r\nhost: a\r\nx-name: n{number}\r\nx-do: {plan}\r\n\r\n").unwrap();
        client
    };
    let clients: Vec<TcpStream> = (0..requests).map(open).collect();
    let status = |mut client: TcpStream| {
        let mut line = [0; 12];
        client.read_exact(&mut line).map_or_else(|error| error.to_string(), |()| String::from_utf8_lossy(&line).into())
    };
    clients.into_iter().map(status).collect()
}

/// A service that answers callouts after two seconds, and an upstream.
fn world(upstream: Behaviour) -> Surroundings {
    let asked = Answer { delay: Span(Duration::from_secs(2)), ..Answer::default() };
    let cluster = |behaviour| Cluster { behaviour, ..Cluster::default() };
    Surroundings {
        routes: vec![Route::new("all", "/", Target::Cluster("upstream".to_owned()))],
        clusters: [("asked".to_owned(), cluster(Behaviour::Answer(asked))), ("upstream".to_owned(), cluster(upstream))]
            .into(),
    }
}

fn started(setup: Setup) -> Box<Proxy> {
    match Proxy::start(setup).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}"),
    }
}

fn run(requests: usize, plan: &str, upstream: Behaviour) -> Vec<String> {
    let plugin = Plugin {
        name: "waits".to_owned(),
        root_id: String::new(),
        module: weir_test_envoy::module("shell-probe").unwrap(),
        configuration: "v1".to_owned(),
        vm_configuration: String::new(),
    };
    let mut proxy = started(Setup { plugins: vec![plugin], world: world(upstream), ..Setup::default() });
    let statuses = statuses(proxy.address(), requests, plan);
    assert_eq!(proxy.vm_failures().unwrap(), 0, "{plan}");
    proxy.stop().unwrap();
    statuses
}

#[test]
fn one_answer_decides_as_many_requests_as_envoy_can_bear() {
    let mut rows = Rows::default();
    for (plan, upstream, expected) in [
        ("shared asked 20000; reply 403", Behaviour::default(), "HTTP/1.1 403"),
        ("shared asked 20000", Behaviour::default(), "HTTP/1.1 200"),
        ("shared asked 20000", Behaviour::Unreachable, "HTTP/1.1 503"),
    ] {
        // Those for which there is no room go on at once.
        let statuses = run(REQUESTS, plan, upstream.clone());
        rows.check(format!("{plan}, {upstream:?}"), statuses, vec![expected.to_owned(); REQUESTS]);
    }
}

#[test]
fn more_callouts_than_may_be_in_flight_are_answered_all_the_same() {
    let statuses = run(CALLOUTS, "http asked 20000; reply 403", Behaviour::default());
    assert_eq!(statuses, vec!["HTTP/1.1 403".to_owned(); CALLOUTS]);
}

/// With this option Envoy would send the headers on with the first byte of a body, however the filter holds them.
#[test]
fn a_body_does_not_take_held_headers_with_it() {
    let module = weir_test_envoy::module("shell-probe").unwrap();
    let config = json!({
        "name": "holds",
        "allow_on_headers_stop_iteration": true,
        "vm_config": {"vm_id": "holds", "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}},
        "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "v1"},
    });
    let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    let filter = json!({"name": "holds", "typed_config": {"@type": wasm, "config": config}});
    let native = vec![filter];
    let mut proxy = started(Setup { native, world: world(Behaviour::default()), ..Setup::default() });
    let mut rows = Rows::default();
    for (plan, expected) in
        [("http asked 20000; reply 403", (Some(403), false)), ("http asked 20000", (Some(200), true))]
    {
        let headers = Fields(vec![("x-do".into(), plan.into())]);
        let body = Payload::Size(20_000);
        let request = Request { method: "POST".to_owned(), headers, body, ..Request::default() };
        let response = proxy.send(&request).unwrap();
        rows.check(plan, (response.status, response.seen.is_some()), expected);
    }
    proxy.stop().unwrap();
}
