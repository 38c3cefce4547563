//! Which root contexts there are when a configuration comes back: the rows of `wasm-tests/probe/roots.txt`, which the
//! in-process host is tested with as well.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;
use weir_scenario::{Proxy as Listener, Session};
use weir_test_envoy::{Booted, Discovery, Plugin, Proxy, Setup, module};

const TABLE: &str = include_str!("../../probe/roots.txt");

/// How long a step may take to show in the log.
const STEP: Duration = Duration::from_millis(300);

fn probe(configuration: &str) -> Vec<Plugin> {
    let word = if configuration == "refused" { "refuse=configure" } else { "" };
    let configuration = format!("part=none as={configuration} {word}");
    let module = module("probe").unwrap();
    vec![Plugin {
        name: "probe".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module,
        configuration,
    }]
}

/// How often the module has said so far that it began, got a root, was configured, and lost a context.
fn counts(proxy: &mut Proxy) -> Vec<usize> {
    thread::sleep(STEP);
    let log = proxy.logs().unwrap();
    let said =
        |word: &&str| log.iter().filter(|line| line.text.contains("weir-probe") && line.text.contains(word)).count();
    [" start begin ", " create_root enter ", " configure enter ", " delete enter "].iter().map(said).collect()
}

/// A request of which half a body is sent, and the rest of it.
struct Stream(TcpStream);

impl Stream {
    fn begin(proxy: &Proxy) -> Self {
        let mut tcp = TcpStream::connect(proxy.address()).unwrap();
        tcp.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\nhalf").unwrap();
        Self(tcp)
    }

    fn end(mut self) {
        self.0.write_all(b"half").unwrap();
        self.0.read_exact(&mut [0; 12]).unwrap();
    }
}

fn run(rows: &[Vec<&str>]) -> Vec<String> {
    let proxy = Listener { workers: 1, ..Listener::default() };
    let setup = Setup { plugins: probe("a"), discovery: Discovery::Filters, proxy, ..Setup::default() };
    let mut proxy = match Proxy::start(setup).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}"),
    };
    let mut stream = Some(Stream::begin(&proxy));
    let mut before = vec![0; 4];
    let mut actual = Vec::new();
    for row in rows {
        match row[1] {
            "start" => {}
            "end" => stream.take().unwrap().end(),
            next => assert_eq!(proxy.swap(probe(next), None).unwrap().refused.is_some(), next == "refused"),
        }
        let now = counts(&mut proxy);
        let new = now.iter().zip(&before).map(|(now, before)| (now - before).to_string());
        actual.push(format!("{} | {} | {}", row[0], row[1], new.collect::<Vec<_>>().join(" | ")));
        before = now;
    }
    proxy.stop().unwrap();
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
