//! The policy filter decides as Envoy's own RBAC does with what Istio makes of the same policies: random policies and
//! requests, some of which no well-behaved client sends. Weir decides in mode observe, and RBAC behind it enforces, so
//! that every request shows both decisions, and Weir's own count of agreement is held against what they show.
//!
//! `WEIR_RBAC_REQUESTS=N` sends about N requests instead of a few thousand, `WEIR_RBAC_SEED=N` begins with other
//! policies, and `WEIR_RBAC_KINDS=Sidecar,Waypoint` leaves other proxies out.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::string_slice, reason = "a test fails by panicking")]

mod analyze;
mod claims;
mod compare;
mod connections;
mod golden;
mod istio;
mod owner;
mod policies;
#[path = "../../../../filters/policy/tests/generator/random.rs"]
mod random;
mod real;
mod replay;
mod requests;
mod tokens;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use compare::{Tally, compare};
use random::Random;
use serde_json::json;
use weir_scenario::Request;
use world::Kind;

/// Requests of the default run.
const REQUESTS: usize = 4_000;
/// The fewest to each proxy, and the most proxies: one takes longer to start than to answer a few hundred.
const EACH: usize = 200;
const PROXIES: usize = 120;

#[test]
fn weir_and_rbac_decide_alike() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<usize>().unwrap());
    let requests = number("WEIR_RBAC_REQUESTS").unwrap_or(REQUESTS);
    let each = EACH.max(requests.div_ceil(PROXIES));
    let seed = number("WEIR_RBAC_SEED").unwrap_or(0);
    let wanted = std::env::var("WEIR_RBAC_KINDS").ok();
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|name| name == format!("{kind:?}"))))
        .collect();
    let (tally, skipped) =
        in_pairs(requests.div_ceil(each), |number| Ok(random_set(kinds[number % kinds.len()], seed + number, each)));
    assert!(skipped.is_empty());
    eprintln!("{tally}");
    assert_eq!(tally.differences(), 0, "{tally}");
    // Each kind of decision was met often enough to mean something.
    for kind in ["allow", "deny", "deny -"] {
        assert!(tally.decisions.get(kind).copied().unwrap_or(0) * 100 >= tally.requests(), "{tally}");
    }
    assert!(tally.rates.iter().all(|sets| *sets > 0), "{tally}");
    for kind in ["allow", "deny", "shadow_allow", "shadow_deny"] {
        assert!(tally.agreed.get(kind).copied().unwrap_or(0) * 100 >= tally.requests(), "{kind}: {tally}");
    }
    // So was what each kind of proxy and of request tries.
    let worlds = kinds.iter().flat_map(|kind| ["H1", "H2"].map(|protocol| format!("{kind:?} over {protocol}")));
    let named = kinds.iter().any(|kind| kind.identities()).then_some(requests::SEVERAL_NAMES.to_owned());
    for what in worlds.chain(requests::EVERYWHERE.map(str::to_owned)).chain(named) {
        assert!(tally.tried.get(&what).copied().unwrap_or(0) * 100 >= tally.requests(), "{what}: {tally}");
    }
}

/// Random policies, and many requests to a proxy that has them twice.
fn random_set(kind: Kind, seed: usize, count: usize) -> Tally {
    let mut random = Random::new(seed as u64 + 1);
    let port = weir_launch::free_port().unwrap();
    let domains = world::bundle(&mut random);
    let policies = policies::policies(&mut random, kind, port);
    let workload = world::workload(kind, &domains);
    let has_aliases = domains.len() > 1;
    let name = format!("{kind:?} {seed}, trust domains {}", domains.join(" "));
    let proxy = world::start(kind, &workload, domains, &policies, (port, world::PEER_HEADER))
        .unwrap_or_else(|log| panic!("{name}: {log}\n{}", json!(policies)));
    let requests: Vec<Request> = (0..count).map(|_| requests::request(&mut random, kind)).collect();
    let mut tried = BTreeMap::new();
    for request in &requests {
        for what in requests::tried(request, kind, has_aliases) {
            *tried.entry(what).or_insert(0) += 1;
        }
    }
    let mut tally = compare(&name, &policies, proxy, &requests);
    tally.tried = tried;
    tally
}

/// Runs each number of a range, two at a time; the sum, and what was skipped and why.
fn in_pairs(count: usize, run: impl Fn(usize) -> Result<Tally, String> + Sync) -> (Tally, Vec<String>) {
    let next = AtomicUsize::new(0);
    let total = Mutex::new((Tally::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let result = run(number);
                    let mut total = total.lock().unwrap();
                    match result {
                        Ok(tally) => total.0.add(tally),
                        Err(skipped) => total.1.push(skipped),
                    }
                }
            });
        }
    });
    total.into_inner().unwrap()
}
