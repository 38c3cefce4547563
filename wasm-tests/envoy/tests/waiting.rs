//! Many requests that wait for one callout, in real Envoy. Envoy acts on each decision of an answer inside the one before,
//! so that an answer which decided some three hundred of them overflowed V8's stack, or Envoy's own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set itself up fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use weir_scenario::{Answer, Behaviour, Cluster, Route, Span, Surroundings, Target};
use weir_test_envoy::{Booted, Plugin, Proxy, Setup};
use weir_testing::Rows;

/// Many more than may wait for one callout.
const REQUESTS: usize = 400;

/// Sends all requests, and then reads the status of each.
fn statuses(to: SocketAddr, plan: &str) -> Vec<String> {
    let open = |number: usize| {
        let mut client = TcpStream::connect(to).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(client, "GET / HTTP/1.1\r\nhost: a\r\nx-name: n{number}\r\nx-do: {plan}\r\n\r\n").unwrap();
        client
    };
    let clients: Vec<TcpStream> = (0..REQUESTS).map(open).collect();
    let status = |mut client: TcpStream| {
        let mut line = [0; 12];
        client.read_exact(&mut line).map_or_else(|error| error.to_string(), |()| String::from_utf8_lossy(&line).into())
    };
    clients.into_iter().map(status).collect()
}

fn run(plan: &str, upstream: Behaviour) -> Vec<String> {
    let asked = Answer { delay: Span(Duration::from_secs(2)), ..Answer::default() };
    let cluster = |behaviour| Cluster { behaviour, ..Cluster::default() };
    let world = Surroundings {
        routes: vec![Route::new("all", "/", Target::Cluster("upstream".to_owned()))],
        clusters: [("asked".to_owned(), cluster(Behaviour::Answer(asked))), ("upstream".to_owned(), cluster(upstream))]
            .into(),
    };
    let plugin = Plugin {
        name: "waits".to_owned(),
        root_id: String::new(),
        module: weir_test_envoy::module("shell-probe").unwrap(),
        configuration: "v1".to_owned(),
        vm_configuration: String::new(),
    };
    let setup = Setup { plugins: vec![plugin], world, ..Setup::default() };
    let mut proxy = match Proxy::start(setup).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}"),
    };
    let statuses = statuses(proxy.address(), plan);
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
        rows.check(format!("{plan}, {upstream:?}"), run(plan, upstream.clone()), vec![expected.to_owned(); REQUESTS]);
    }
}
