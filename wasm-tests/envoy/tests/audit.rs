//! Audit records in a real Envoy with a real collector: each refusal arrives once or is counted as lost, also where the collector
//! is slow, hangs or is gone, and where the configuration changes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot set itself up fails, and the time is this machine's"
)]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use weir_scenario::{Node, Proxy as Listener};
use weir_test_envoy::{Booted, Discovery, Plugin, Proxy, Server, Setup, module};
use weir_world::{Collector, Habit};

/// How many clients send at a time.
const CLIENTS: usize = 16;
/// How long records may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the records go. A call that is late is made again or given up, though its records may have arrived: so only a test
/// whose collector answers late or never has a short time.
fn otlp(timeout: &str) -> Value {
    json!({"otlp": {"cluster": "otel", "timeout": timeout}})
}

/// A document that refuses everything and records it; `more` is added to the section `audit`.
fn document(more: &Value) -> String {
    let mut audit = json!({"to": otlp("60s"), "record": ["deny"]});
    audit.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let policy = json!({
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "closed", "namespace": "shop"},
        "spec": {"action": "DENY", "rules": [{}]},
    });
    json!({"schema": 1, "name": "cart", "audit": audit, "policies": [policy]}).to_string()
}

fn plugins(more: &Value) -> Vec<Plugin> {
    vec![Plugin {
        name: "policy".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("policy").unwrap(),
        configuration: document(more),
    }]
}

fn start(collector: &Collector, more: &Value) -> Box<Proxy> {
    let metadata = json!({"NAMESPACE": "shop", "WORKLOAD_NAME": "cart", "LABELS": {"app": "cart"}});
    let node = Node { metadata: metadata.as_object().cloned().unwrap(), ..Node::default() };
    let setup = Setup {
        plugins: plugins(more),
        proxy: Listener { node, workers: 2, ..Listener::default() },
        servers: BTreeMap::from([("otel".to_owned(), Server { address: collector.address(), http2: true })]),
        discovery: Discovery::Filters,
        ..Setup::default()
    };
    match Proxy::start(setup).unwrap() {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => panic!("{log}"),
    }
}

/// Sends so many requests, each of which must be refused. Returns how many were answered before the connection broke.
fn send(to: SocketAddr, requests: usize) -> usize {
    let Ok(mut client) = TcpStream::connect(to) else { return 0 };
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    for refused in 0..requests {
        let request = b"GET /admin?token=secret HTTP/1.1\r\nhost: shop.example\r\nx-request-id: r\r\n\r\n";
        let (mut answer, mut part) = (Vec::new(), [0; 1024]);
        if client.write_all(request).is_err() {
            return refused;
        }
        while !answer.ends_with(b"RBAC: access denied") {
            match client.read(&mut part) {
                Ok(count) if count > 0 => answer.extend_from_slice(&part[..count]),
                _ => return refused,
            }
        }
        assert!(answer.starts_with(b"HTTP/1.1 403 "), "{}", String::from_utf8_lossy(&answer));
    }
    requests
}

/// The same from several clients at a time.
fn load(to: SocketAddr, requests: usize) -> usize {
    thread::scope(|scope| {
        let clients = [(); CLIENTS].map(|()| scope.spawn(move || send(to, requests / CLIENTS)));
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    })
}

/// What arrived: how often each record did, by its writer and number.
fn arrived(collector: &Collector) -> BTreeMap<(String, u64), usize> {
    let mut found = BTreeMap::new();
    for record in collector.records() {
        let (id, number) = (record["id"].as_str().unwrap(), record["sequence"].as_u64().unwrap());
        let (writer, last) = id.rsplit_once('-').unwrap();
        assert_eq!(last, number.to_string(), "{record}");
        *found.entry((writer.to_owned(), number)).or_default() += 1;
    }
    found
}

/// How many records were lost, by reason.
fn lost(proxy: &Proxy) -> BTreeMap<String, u64> {
    counted(proxy, "weir_dropped_total", "reason")
}

/// How many records were made.
fn made(proxy: &Proxy) -> u64 {
    counted(proxy, "weir_records_total", "stream").get("audit").copied().unwrap_or(0)
}

fn counted(proxy: &Proxy, name: &str, label: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for sample in proxy.metrics().unwrap().0.iter().filter(|sample| sample.name == name) {
        assert_eq!(sample.labels.get("stream").map(String::as_str), Some("audit"), "{sample:?}");
        let weir_scenario::Value::Number(number) = sample.value else { panic!("{sample:?}") };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a count")]
        let number = number as u64;
        *counts.entry(sample.labels.get(label).cloned().unwrap_or_default()).or_default() += number;
    }
    counts
}

/// Waits until so many different records have arrived or are counted as lost. Returns those that arrived, and those lost.
fn accounted(proxy: &Proxy, collector: &Collector, sent: usize) -> (BTreeMap<(String, u64), usize>, u64) {
    let begun = Instant::now();
    loop {
        let lost = lost(proxy).values().sum::<u64>();
        let is_late = begun.elapsed() > PATIENCE;
        if is_late || collector.len() as u64 + lost >= sent as u64 {
            let arrived = arrived(collector);
            if is_late || arrived.len() as u64 + lost >= sent as u64 {
                return (arrived, lost);
            }
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// The numbers of each writer that did not arrive, below the last that did.
fn gaps(arrived: &BTreeMap<(String, u64), usize>) -> u64 {
    let mut last: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (writer, number) in arrived.keys() {
        let entry = last.entry(writer).or_default();
        *entry = (entry.0.max(*number), entry.1 + 1);
    }
    last.values().map(|(last, count)| last - count).sum()
}

#[test]
fn every_refusal_of_a_hundred_thousand_arrives_once() {
    let collector = Collector::start().unwrap();
    let mut proxy = start(&collector, &json!({"queue": {"records": 65_536, "bytes": "64MiB"}}));
    let sent = load(proxy.address(), 100_000);
    assert_eq!(sent, 100_000);
    let (arrived, lost) = accounted(&proxy, &collector, sent);
    let twice = arrived.values().filter(|count| **count > 1).count();
    assert_eq!((arrived.len(), lost, twice, gaps(&arrived)), (sent, 0, 0, 0));
    assert_eq!(made(&proxy), sent as u64);
    let (calls, faults) = collector.calls();
    assert_eq!(faults, Vec::<String>::new());
    assert!(calls < sent / 100, "{calls} calls");
    let records = collector.records();
    let record = &records[0];
    for (field, expected) in [
        ("schema", json!(1)),
        ("decision", json!("deny")),
        ("mode", json!("enforced")),
        ("policy", json!("shop/closed")),
        ("rule", json!(0)),
        ("response_code", json!(403)),
        ("plugin", json!("cart")),
        ("workload", json!("shop/cart")),
        ("path", json!("/admin")),
        ("host", json!("shop.example")),
        ("method", json!("GET")),
        ("mtls", json!(false)),
    ] {
        assert_eq!(record[field], expected, "{field} of {record}");
    }
    let address: Option<SocketAddr> = record["source"].as_str().and_then(|source| source.parse().ok());
    assert!(address.is_some_and(|address| address.ip().is_loopback()), "{record}");
    assert_eq!(proxy.vm_failures().unwrap(), 0);
    proxy.stop().unwrap();
}

/// Sends while configurations are swapped. Returns how many were refused.
fn load_with_swaps(proxy: &mut Proxy, requests: usize) -> usize {
    let to = proxy.address();
    thread::scope(|scope| {
        let load = scope.spawn(move || load(to, requests));
        let mut round = 0;
        while !load.is_finished() {
            round += 1;
            let change = proxy.swap(plugins(&json!({"batch": {"records": 500 + round}})), None).unwrap();
            assert_eq!(change.refused, None);
        }
        assert!(round > 3, "only {round} swaps");
        load.join().unwrap()
    })
}

#[test]
fn across_configurations_each_refusal_arrives_or_is_counted_as_lost() {
    let collector = Collector::start().unwrap();
    let mut proxy = start(&collector, &json!({}));
    let sent = load_with_swaps(&mut proxy, 100_000);
    assert_eq!(sent, 100_000);
    let (arrived, lost) = accounted(&proxy, &collector, sent);
    assert_eq!(arrived.len() as u64 + lost, sent as u64, "{:?}", self::lost(&proxy));
    let reasons = self::lost(&proxy);
    assert!(reasons.keys().all(|reason| reason == "queue_full"), "{reasons:?}");
    assert_eq!(gaps(&arrived), lost, "each one that is lost is a gap");
    assert_eq!(proxy.vm_failures().unwrap(), 0);
    proxy.stop().unwrap();
}

#[test]
fn what_waits_when_a_configuration_ends_is_sent_though_the_next_makes_no_records() {
    let mut collector = Collector::start().unwrap();
    let mut proxy = start(&collector, &json!({"batch": {"records": 100, "interval": "60s"}}));
    // Of each worker a call is on its way, or nothing is; the rest waits.
    collector.set_habit(Habit::Slow(Duration::from_millis(500)));
    assert_eq!(load(proxy.address(), 1600), 1600);
    let mut next = plugins(&json!({}));
    next[0].configuration = json!({"schema": 1, "name": "cart"}).to_string();
    assert_eq!(proxy.swap(next, None).unwrap().refused, None);
    collector.set_habit(Habit::Keeps);
    let (arrived, lost) = accounted(&proxy, &collector, 1600);
    assert_eq!((arrived.len(), lost, gaps(&arrived)), (1600, 0, 0));
    assert_eq!((made(&proxy), proxy.vm_failures().unwrap()), (1600, 0));
    assert!(collector.calls().1.is_empty());
    collector.go();
    proxy.stop().unwrap();
}

#[test]
fn a_proxy_that_ends_orderly_ends_whatever_waits() {
    let collector = Collector::start().unwrap();
    collector.set_habit(Habit::Hangs);
    let more = |records: usize| json!({"to": otlp("2s"), "batch": {"records": records, "interval": "60s"}});
    let mut proxy = start(&collector, &more(50));
    assert_eq!(load(proxy.address(), 800), 800);
    // What the first configuration holds now waits with the second one.
    assert_eq!(proxy.swap(plugins(&more(51)), None).unwrap().refused, None);
    assert_eq!(load(proxy.address(), 800), 800);
    let (pid, begun) = (proxy.pid(), Instant::now());
    assert!(Command::new("kill").arg(pid.to_string()).status().unwrap().success());
    let is_over = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    while !is_over() {
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        thread::sleep(Duration::from_millis(50));
    }
    let ended = proxy.stop().unwrap_err().0;
    assert!(ended.starts_with("envoy ended by itself (exit status: 0)"), "{ended}");
}

/// The resident memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_collector_that_is_gone_or_hangs_or_refuses_costs_a_bounded_queue_and_no_request() {
    for (title, habit, gone, timeout, reasons) in [
        ("gone", Habit::Keeps, true, "60s", &["queue_full", "unavailable"][..]),
        ("hung", Habit::Hangs, false, "2s", &["queue_full", "unavailable"]),
        ("refusing", Habit::Refuses(7), false, "60s", &["queue_full", "rejected"]),
        ("busy", Habit::Refuses(14), false, "60s", &["queue_full", "unavailable"]),
        ("slow", Habit::Slow(Duration::from_millis(100)), false, "60s", &["queue_full"]),
        ("picky", Habit::KeepsLess(3), false, "60s", &["queue_full", "rejected"]),
    ] {
        let queue = json!({
            "to": otlp(timeout),
            "queue": {"records": 1024, "bytes": "1MiB"},
            "batch": {"records": 128, "interval": "200ms"},
        });
        let mut collector = Collector::start().unwrap();
        let mut proxy = start(&collector, &queue);
        collector.set_habit(habit);
        if gone {
            collector.go();
        }
        let warmed = load(proxy.address(), 4_000);
        let before = resident(proxy.pid());
        let sent = warmed + load(proxy.address(), 8_000);
        let grown = resident(proxy.pid()).saturating_sub(before);
        assert_eq!(sent, 12_000, "{title}: each request is answered");
        assert!(grown < 8 << 10, "{title}: {grown} KiB more");
        // The configuration ends, and what is left goes out or is lost.
        let change = proxy.swap(plugins(&json!({"to": otlp(timeout), "record": ["error"]})), None).unwrap();
        assert_eq!(change.refused, None);
        let (arrived, lost) = accounted(&proxy, &collector, sent);
        let found = self::lost(&proxy);
        assert_eq!(arrived.len() as u64 + lost, sent as u64, "{title}: {} arrived, lost {found:?}", arrived.len());
        assert!(found.keys().all(|reason| reasons.contains(&reason.as_str())), "{title}: {found:?}");
        assert_eq!(made(&proxy), sent as u64, "{title}");
        assert_eq!(proxy.vm_failures().unwrap(), 0, "{title}");
        proxy.stop().unwrap();
    }
}

#[test]
fn a_collector_that_comes_back_gets_what_was_kept() {
    let mut collector = Collector::start().unwrap();
    let proxy = start(&collector, &json!({"batch": {"records": 100, "interval": "1s"}}));
    collector.go();
    assert_eq!(send(proxy.address(), 200), 200);
    thread::sleep(Duration::from_millis(300));
    assert!(collector.is_empty());
    collector.come_back().unwrap();
    let (arrived, lost) = accounted(&proxy, &collector, 200);
    assert_eq!((arrived.len(), lost, gaps(&arrived)), (200, 0, 0));
    proxy.stop().unwrap();
}

#[test]
fn of_a_proxy_that_is_killed_at_most_an_interval_is_missing() {
    let collector = Collector::start().unwrap();
    let interval = Duration::from_millis(500);
    let more =
        json!({"batch": {"records": 65_536, "interval": "500ms"}, "queue": {"records": 65_536, "bytes": "64MiB"}});
    let proxy = start(&collector, &more);
    let (to, begun) = (proxy.address(), Instant::now());
    // About a thousand requests a second, until the proxy is gone.
    let (sent, times) = thread::scope(|scope| {
        let load = scope.spawn(move || {
            let mut times = Vec::new();
            loop {
                let answered = send(to, 10);
                times.extend(std::iter::repeat_n(begun.elapsed(), answered));
                if answered < 10 {
                    return times;
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        thread::sleep(Duration::from_secs(3));
        assert!(Command::new("kill").args(["-9", &proxy.pid().to_string()]).status().unwrap().success());
        let times = load.join().unwrap();
        (times.len(), times)
    });
    let killed = times.last().copied().unwrap();
    thread::sleep(Duration::from_millis(300));
    let arrived = arrived(&collector);
    assert_eq!(gaps(&arrived), 0, "what is missing is the last of each writer");
    let missing = sent.saturating_sub(arrived.len());
    // A tick may be late by half of the interval on a busy machine.
    let late = times.iter().filter(|time| **time + interval * 2 > killed).count();
    assert!(
        missing <= late,
        "{missing} of {sent} are missing, and {late} were sent within two intervals before the end"
    );
    assert!(missing > 0, "nothing was on its way, so nothing was tried");
    drop(proxy);
}
