//! What happens to streams when a VM dies, under each failure policy: the rows of `wasm-tests/probe/failures.txt`, which the
//! in-process host is tested with as well.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;
use weir_scenario::{
    Answer, Behaviour, Cluster, Fields, Proxy as Listener, Request, Route, Session, Span, Surroundings, Target,
};
use weir_test_envoy::{Booted, OnFailure, Plugin, Proxy, Setup, module};
use weir_testing::Rows;

const TABLE: &str = include_str!("../../probe/failures.txt");

/// How long the upstream of `/slow` takes.
const SLOW: Duration = Duration::from_millis(700);
/// How long a step takes to reach the filter.
const STEP: Duration = Duration::from_millis(100);
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Longer than the back-off of a new VM, so that the next stream gets one.
const BACKOFF: Duration = Duration::from_millis(1100);

/// A request that is under way on a connection of its own.
struct Flight {
    tcp: TcpStream,
    port: u16,
}

impl Flight {
    fn begin(to: SocketAddr, bytes: &str) -> Self {
        let mut tcp = TcpStream::connect(to).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.write_all(bytes.as_bytes()).unwrap();
        let port = tcp.local_addr().unwrap().port();
        Self { tcp, port }
    }

    /// The outcome.
    fn end(mut self, proxy: &mut Proxy) -> String {
        let mut first = [0; 12];
        let status = self.tcp.read_exact(&mut first).ok().map(|()| String::from_utf8_lossy(&first[9..]).into_owned());
        drop(self.tcp);
        outcome(status, &proxy.record_of(self.port).unwrap().details.to_string())
    }
}

fn outcome(status: Option<String>, details: &str) -> String {
    status.map_or_else(|| "none".to_owned(), |status| format!("{status} {details}"))
}

fn send(proxy: &mut Proxy, request: &Request) -> String {
    let request = Request { timeout: Some(Span(PATIENCE)), ..request.clone() };
    let status = proxy.send(&request).unwrap().status;
    let details = proxy.record().unwrap().details.to_string();
    outcome(status.map(|status| status.to_string()), &details)
}

fn world() -> Surroundings {
    let mut world = Surroundings::default();
    let slow = Answer { delay: Span(SLOW), ..Answer::default() };
    let cluster = Cluster { behaviour: Behaviour::Answer(slow), ..Cluster::default() };
    world.clusters.insert("slow".to_owned(), cluster);
    let to = Target::Cluster("slow".to_owned());
    world.routes.insert(0, Route::new("slow", "/slow", to));
    world
}

fn probe(configuration: String) -> Plugin {
    Plugin {
        name: "probe".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("probe").unwrap(),
        configuration,
    }
}

fn started(setup: Setup) -> Box<Proxy> {
    match Proxy::start(setup).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}"),
    }
}

/// The four outcomes of one row.
fn run(policy: &str, at: &str) -> Vec<String> {
    let on_failure = match policy {
        "closed" => OnFailure::Closed,
        "open" => OnFailure::Open,
        "reload" => OnFailure::Reload,
        "fail_open" => OnFailure::FailOpen,
        other => panic!("no policy is called {other}"),
    };
    let callout = if at == "http_answer" { "callout=http" } else { "" };
    let plugin = probe(format!("part=once case=abort at={at} when=x-trap {callout}"));
    let proxy = Listener { workers: 1, ..Listener::default() };
    let mut proxy = started(Setup { plugins: vec![plugin], on_failure, proxy, world: world(), ..Setup::default() });
    if on_failure == OnFailure::Reload {
        thread::sleep(BACKOFF);
    }
    let to = proxy.address();
    let waiting = Flight::begin(to, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut sending = Flight::begin(to, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\nhalf");
    thread::sleep(STEP);
    let headers = Fields(vec![("x-trap".into(), "1".into())]);
    let trap = Request { headers, ..Request::default() };
    let trapping = send(&mut proxy, &trap);
    sending.tcp.write_all(b"half").unwrap();
    let (waiting, sending) = (waiting.end(&mut proxy), sending.end(&mut proxy));
    let next = send(&mut proxy, &Request::default());
    proxy.stop().unwrap();
    vec![trapping, waiting, sending, next]
}

#[test]
fn the_failure_policy_decides_over_the_streams_of_a_dead_vm() {
    let rows: Vec<Vec<&str>> = TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let half = rows.len() / 2;
    let check = |rows: &[Vec<&str>]| -> Vec<String> {
        let differs = |row: &Vec<&str>| {
            let actual = run(row[0], row[1]);
            (actual != row[2..]).then(|| format!("{} | {} | {}", row[0], row[1], actual.join(" | ")))
        };
        rows.iter().filter_map(differs).collect()
    };
    let wrong = thread::scope(|scope| {
        let first = scope.spawn(|| check(&rows[..half]));
        let mut wrong = check(&rows[half..]);
        wrong.extend(first.join().unwrap());
        wrong
    });
    assert!(rows.len() > 12, "{} rows", rows.len());
    assert!(wrong.is_empty(), "Envoy does:\n{}", wrong.join("\n"));
}

#[test]
fn a_grpc_callout_to_a_message_without_a_target_ends_envoy() {
    let mut rows = Rows::default();
    for target in ["no-target", "empty-word", "nothing"] {
        let plugin = probe(format!("part=none callout=grpc target={target}"));
        let mut proxy = started(Setup { plugins: vec![plugin], ..Setup::default() });
        let response = proxy.send(&Request::default()).unwrap();
        rows.check(target, response.status, None);
        rows.check(format!("{target}: Envoy has ended"), proxy.stop().is_err(), true);
    }
}
