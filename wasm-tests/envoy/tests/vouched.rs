//! After a configuration swap, the series of peers that a certificate vouches for come back within seconds, while others
//! invent peers. All 1,000 of them are in the long form, because their names take minutes to create: `make soak`.

#![expect(clippy::disallowed_methods, reason = "what is measured here is time")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_scenario::{Bytes, Client, Direction, Fields, Metrics, Node, Proxy as Listener, Request, Tls, Value as Held};
use weir_test_envoy::{Booted, Dialer, Discovery, Plugin, Proxy, Setup, module};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const PRINCIPALS: usize = 8;
/// The bound for all of them after a swap.
const WITHIN: Duration = Duration::from_secs(10);

/// A peer's description of itself: `NAMESPACE` and `WORKLOAD_NAME`.
fn peer(workload: &str) -> Fields {
    let field = |key: &str, value: &str| {
        let size = |bytes: usize| u8::try_from(bytes).unwrap_or(u8::MAX);
        let value = [&[0x12, size(value.len() + 2), 0x1a, size(value.len())], value.as_bytes()].concat();
        let entry = [&[0x0a, size(key.len())], key.as_bytes(), &value].concat();
        [vec![0x0a, size(entry.len())], entry].concat()
    };
    let text = Bytes([field("NAMESPACE", "web"), field("WORKLOAD_NAME", workload)].concat()).base64();
    Fields(vec![("x-envoy-peer-metadata".into(), text.as_str().into())])
}

fn request(client: Client, workload: &str) -> Request {
    Request { client, headers: peer(workload), ..Request::default() }
}

fn principal(number: usize) -> Client {
    Client::Identity(format!("spiffe://td/ns/web/sa/p{number}"))
}

fn plugins(cardinality: &Value) -> Outcome<Vec<Plugin>> {
    let document = json!({"schema": 1, "name": "mesh", "reporter": "destination",
        "peerMetadata": {"trust": "always"}, "cardinality": cardinality});
    Ok(vec![Plugin {
        name: "telemetry".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("telemetry")?,
        configuration: document.to_string(),
    }])
}

/// The legitimate workloads that have a request counter, with its value.
fn named(metrics: &Metrics) -> BTreeMap<String, u64> {
    let own = metrics.0.iter().filter(|sample| sample.name == "istio_requests_total");
    let counted = own.filter_map(|sample| match (sample.labels.get("source_workload"), &sample.value) {
        (Some(workload), Held::Number(count)) if workload.starts_with("real-") => {
            Some((workload.clone(), *count as u64))
        }
        _ => None,
    });
    counted.collect()
}

/// Every legitimate workload sends one request.
fn all_send(dialers: &[Dialer], workloads: usize) -> Outcome {
    for (number, dialer) in dialers.iter().enumerate() {
        let of = |workload: usize| request(principal(number), &format!("real-{number}-{workload}"));
        let mut wire = dialer.connect(&of(0))?;
        for workload in 0..workloads {
            let response = wire.send(&of(workload));
            if response.status != Some(200) {
                return Err(format!("{response:?}").into());
            }
        }
    }
    Ok(())
}

/// One client that describes itself differently with each request.
fn invent(dialer: &Dialer, client: &Client, prefix: &str, ended: &AtomicBool) -> Outcome<usize> {
    let mut wire = dialer.connect(&request(client.clone(), ""))?;
    for number in 0..100_000 {
        if ended.load(Ordering::Relaxed) {
            return Ok(number);
        }
        wire.send(&request(client.clone(), &format!("{prefix}-{number}")));
        thread::sleep(Duration::from_millis(2));
    }
    Ok(100_000)
}

#[test]
fn vouched_series_are_named_within_seconds_of_a_swap_while_others_invent_peers() -> Outcome {
    swapped(25, Duration::from_secs(60))
}

#[test]
#[ignore = "takes minutes: make soak"]
fn a_thousand_vouched_series_are_named_within_seconds_of_a_swap() -> Outcome {
    swapped(125, Duration::from_secs(300))
}

/// `workloads` of each principal; their names are created within `patience` before the swap.
fn swapped(workloads: usize, patience: Duration) -> Outcome {
    let setup = Setup {
        plugins: plugins(&json!({"newStatsPerTick": 1000}))?,
        proxy: Listener {
            node: Node::default(),
            direction: Direction::Inbound,
            tls: Tls::Permissive("spiffe://td/ns/shop/sa/cart".to_owned()),
            ..Listener::default()
        },
        discovery: Discovery::Filters,
        ..Setup::default()
    };
    let mut proxy = match Proxy::start(setup)? {
        Booted::Ready(proxy) => proxy,
        Booted::Refused(log) => return Err(log.into()),
    };
    let clients: Vec<Client> = (0..PRINCIPALS).map(principal).collect();
    let mut dialers = Vec::new();
    for client in &clients {
        dialers.push(proxy.dialer(&request(client.clone(), ""))?);
    }
    // The series exist before the swap, as they do in a proxy that has been running.
    all_send(&dialers, workloads)?;
    let all = PRINCIPALS * workloads;
    let before = weir_launch::wait_until(patience, || {
        thread::sleep(Duration::from_millis(200));
        Some(named(&proxy.metrics().ok()?)).filter(|named| named.len() == all)
    });
    let before = before.ok_or_else(|| {
        let found = proxy.metrics().map(|metrics| named(&metrics).len());
        format!("{found:?} of {all} series are named before the swap")
    })?;

    let attackers = [(principal(PRINCIPALS), "certified"), (Client::Plain, "plain")];
    let mut attacks = Vec::new();
    for (client, prefix) in &attackers {
        attacks.push((proxy.dialer(&request(client.clone(), ""))?, client, *prefix));
    }
    let ended = AtomicBool::new(false);
    let (took, missing, invented) = thread::scope(|scope| -> Outcome<_> {
        let running: Vec<_> = attacks
            .iter()
            .map(|(dialer, client, prefix)| {
                let ended = &ended;
                scope.spawn(move || invent(dialer, client, prefix, ended).map_err(|error| error.to_string()))
            })
            .collect();
        let outcome = || -> Outcome<(Duration, usize)> {
            let change = proxy.swap(plugins(&json!({}))?, None)?;
            assert_eq!(change.refused, None);
            let begun = Instant::now();
            loop {
                all_send(&dialers, workloads)?;
                let counted = named(&proxy.metrics()?);
                let more = |(workload, count): (&String, &u64)| counted.get(workload).is_some_and(|now| now > count);
                let missing = all - before.iter().filter(|counter| more(*counter)).count();
                let took = begun.elapsed();
                if missing == 0 || took > WITHIN {
                    return Ok((took, missing));
                }
            }
        };
        let mut outcome = outcome;
        let outcome = outcome();
        ended.store(true, Ordering::Relaxed);
        let mut invented = Vec::new();
        for attack in running {
            invented.push(attack.join().map_err(|_| "an attacker panicked")??);
        }
        let (took, missing) = outcome?;
        Ok((took, missing, invented))
    })?;
    println!("{all} series are named again after {took:?}, {missing} are missing; invented meanwhile: {invented:?}");
    assert!(missing == 0 && took <= WITHIN, "{missing} of {all} series are not named after {took:?}");
    assert!(invented.iter().all(|count| *count > 100), "the attackers sent {invented:?}");
    proxy.stop()?;
    Ok(())
}
