//! The server slow, answering garbage, breaking connections and gone, while requests come: each gets what `failOpen` says,
//! nothing hangs, and no request waits longer for the timeout than behind Envoy's own filter.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_scenario::{Fields, Proxy as Listener, Request, Sample, Span, Value as Number};
use weir_test_envoy::{Dialer, Proxy, Setup};
use weir_testing::Rows;
use weir_world::ExtAuthz;

use crate::compare::{ALONE, plugin, servers, started};
use crate::native;

const TIMEOUT: Duration = Duration::from_secs(1);
/// What Weir may add to it. What a busy machine adds on top is what requests take that are answered well.
const LATE: Duration = Duration::from_millis(10);
/// How many clients there are, and how many requests each sends in a phase.
const CLIENTS: usize = 8;
const REQUESTS: usize = 8;

fn policies() -> Vec<Value> {
    let metadata = json!({"name": "ask", "namespace": "shop"});
    let spec = json!({"action": "CUSTOM", "provider": {"name": "authz"}, "rules": [{}]});
    vec![json!({"kind": "AuthorizationPolicy", "metadata": metadata, "spec": spec})]
}

fn provider(kind: &str, open: bool) -> Value {
    let mut fields =
        json!({"service": "check.auth.svc.cluster.local", "port": 9000, "timeout": "1s", "failOpen": open});
    if kind == "envoyExtAuthzHttp" {
        fields["includeRequestHeadersInCheck"] = json!(["x-authz"]);
    }
    json!({kind: fields})
}

/// The statuses of all requests, and how long the slowest of a hundred took.
#[derive(Debug)]
struct Phase {
    statuses: BTreeMap<u16, usize>,
    p99: Duration,
}

fn phase(dialer: &Dialer, says: &str) -> Phase {
    let headers = Fields(vec![("x-authz".into(), says.into())]);
    let request = Request { headers, timeout: Some(Span(Duration::from_secs(20))), ..Request::default() };
    let client = || {
        let mut wire = dialer.connect(&request).unwrap();
        let mut all = Vec::new();
        for _ in 0..REQUESTS {
            if !wire.is_open() {
                wire = dialer.connect(&request).unwrap();
            }
            let began = Instant::now();
            let status = wire.send(&request).status.unwrap_or(0);
            all.push((status, began.elapsed()));
            thread::sleep(Duration::from_millis(20));
        }
        all
    };
    let all: Vec<(u16, Duration)> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let mut statuses = BTreeMap::new();
    all.iter().for_each(|(status, _)| *statuses.entry(*status).or_default() += 1);
    let mut times: Vec<Duration> = all.into_iter().map(|(_, time)| time).collect();
    times.sort();
    Phase { statuses, p99: times[times.len() * 99 / 100] }
}

/// How many checks ended so.
fn calls(proxy: &Proxy, outcome: &str) -> u64 {
    let is_it = |sample: &&Sample| {
        sample.name.ends_with("weir_policy_provider_calls_total")
            && sample.labels.get("outcome").is_some_and(|known| known == outcome)
            && sample.labels.get("authz_provider").is_some_and(|known| known == "authz")
    };
    let number = |sample: &Sample| match sample.value {
        Number::Number(number) => number as u64,
        Number::Histogram { .. } => 0,
    };
    proxy.metrics().unwrap().0.iter().filter(is_it).map(number).sum()
}

#[test]
fn a_failing_server_is_what_fail_open_says_and_nothing_hangs() {
    let mut rows = Rows::default();
    for (kind, open) in [("envoyExtAuthzGrpc", false), ("envoyExtAuthzHttp", true)] {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let provider = provider(kind, open);
        let server = ExtAuthz::start().unwrap();
        let setup = |plugins, native| {
            let filter_state = [("direct".to_owned(), weir_scenario::FilterStateValue::DirectAddress)].into();
            let proxy = Listener { workers: 2, filter_state, ..Listener::default() };
            started(Setup { plugins, native, proxy, servers: servers(&server, &provider), ..Setup::default() })
        };
        let mut weir = setup(vec![plugin("policy", "enforce", &provider, &policies())], Vec::new());
        let mut native = setup(Vec::new(), native::filters(&policies(), "authz", &provider));
        let failed = if open { 200 } else { 403 };
        let mut server = Some(server);
        let mut well = Duration::ZERO;
        let garbage = if kind == "envoyExtAuthzGrpc" { "garbage" } else { "http 500" };
        let wrong = if kind == "envoyExtAuthzGrpc" { "bad_answer" } else { "error" };
        for (title, says, status, outcome) in [
            ("well", "allow", 200, "ok"),
            ("refusing", "deny 401", 401, "denied"),
            ("slow", "delay 3000", failed, "timeout"),
            ("garbage", garbage, failed, wrong),
            ("breaking", "reset", failed, "unavailable"),
            ("gone", "allow", failed, "unavailable"),
        ] {
            if title == "gone" {
                drop(server.take());
            }
            let before = calls(&weir, outcome);
            let request = Request::default();
            let (ours, theirs) =
                (phase(&weir.dialer(&request).unwrap(), says), phase(&native.dialer(&request).unwrap(), says));
            let all = BTreeMap::from([(status, CLIENTS * REQUESTS)]);
            let described = format!("{kind} {title}: {ours:?}, Envoy's own {theirs:?}");
            eprintln!("{described}");
            rows.check(&described, (&ours.statuses, &theirs.statuses), (&all, &all));
            well = well.max(ours.p99 * u32::from(title == "well"));
            let bound = TIMEOUT.max(theirs.p99) + LATE + well;
            rows.check(format!("{described}: within {bound:?}"), ours.p99 <= bound, true);
            rows.check(
                format!("{described}: counted"),
                calls(&weir, outcome) - before,
                u64::try_from(CLIENTS * REQUESTS).unwrap(),
            );
        }
        rows.check("traps", weir.vm_failures().unwrap(), 0);
        weir.stop().unwrap();
        native.stop().unwrap();
    }
}
