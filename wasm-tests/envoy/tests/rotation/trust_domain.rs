//! The rotation of a mesh's trust domain: the new one becomes an alias of the old one, then its name, then the old one goes.
//! Peers of both keep their connections throughout. At each step those whose answer stays the same never stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use weir_scenario::Protocol;
use weir_testing::Rows;

use crate::callers::{CALLERS, Caller, Held, Sent};
use crate::mesh::{Mesh, document, plugins};
use crate::{End, Outcome};

const OLD: &str = "old.example";
const NEW: &str = "new.example";

/// The mesh's trust domain and its aliases, step by step.
const STEPS: [(&str, &[&str]); 4] = [(OLD, &[]), (OLD, &[NEW]), (NEW, &[OLD]), (NEW, &[])];

/// What is answered to a caller in a mesh of those trust domains: no rule names a peer of another one.
fn status(caller: &Caller, (domain, aliases): (&str, &[&str])) -> u16 {
    let own = caller.san.trim_start_matches("spiffe://").split('/').next().unwrap_or_default();
    if own == domain || aliases.contains(&own) { caller.status } else { 403 }
}

/// Sends on every connection in turn until `ended`.
fn keep_sending(held: &mut [Held], step: usize, ended: &AtomicBool) -> Vec<Sent> {
    let mut sent = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        for (number, one) in held.iter_mut().enumerate() {
            sent.push(one.send(format!("{step}-{number}-{}", sent.len())));
        }
    }
    sent
}

#[test]
fn a_trust_domain_is_rotated_and_no_peer_is_refused_meanwhile() -> Outcome {
    let mut rows = Rows::default();
    let mut mesh = Mesh::start(crate::WORKERS)?;
    let shared = mesh.shared.clone();
    let (domain, aliases) = STEPS[0];
    rows.check("the first step", mesh.proxy.swap(plugins(&document(domain, aliases))?, None)?.refused, None);
    let credentials = shared.credentials().clone();
    let open = |protocol: Protocol| -> Result<Vec<Held>, weir_scenario::Failure> {
        (0..CALLERS.len()).map(|number| Held::open(&shared, credentials.caller(number), protocol)).collect()
    };
    let mut held = open(Protocol::H1)?;
    held.extend(open(Protocol::H2)?);
    let caller = |number: usize| &CALLERS[number % CALLERS.len()];
    for (step, pair) in STEPS.windows(2).enumerate() {
        let [from, to] = [pair[0], pair[1]];
        for (number, one) in held.iter_mut().enumerate() {
            let found = one.send(format!("before-{step}-{number}")).status;
            rows.check(format!("{from:?}: {:?}", caller(number)), found, Some(status(caller(number), from)));
        }
        // Those whose answer changes wait until the step is done.
        let (mut steady, mut waiting) = (Vec::new(), Vec::new());
        for (number, one) in held.drain(..).enumerate() {
            let same = status(caller(number), from) == status(caller(number), to);
            if same { steady.push((number, one)) } else { waiting.push((number, one)) }
        }
        let (numbers, mut kept): (Vec<usize>, Vec<Held>) = steady.into_iter().unzip();
        let ended = AtomicBool::new(false);
        let sent = thread::scope(|scope| -> Outcome<Vec<Sent>> {
            let load = scope.spawn(|| keep_sending(&mut kept, step, &ended));
            {
                let _end = End(&ended);
                let change = mesh.proxy.swap(plugins(&document(to.0, to.1))?, None)?;
                rows.check(format!("{to:?} is taken"), change.refused, None);
            }
            load.join().map_err(|_| "a load ended badly".into())
        })?;
        rows.check(format!("{to:?}: {} requests meanwhile", sent.len()), sent.len() > 50, true);
        for one in &sent {
            let expected = one.caller.map(|caller| status(&caller, to));
            if one.status != expected {
                rows.check(format!("{from:?} to {to:?}: {one:?}"), one.status, expected);
                break;
            }
        }
        waiting.extend(numbers.into_iter().zip(kept));
        waiting.sort_by_key(|(number, _)| *number);
        held = waiting.into_iter().map(|(_, one)| one).collect();
        for (number, one) in held.iter_mut().enumerate() {
            let found = one.send(format!("after-{step}-{number}")).status;
            rows.check(format!("{to:?}: {:?}", caller(number)), found, Some(status(caller(number), to)));
        }
    }
    rows.check("traps", mesh.proxy.vm_failures()?, 0);
    mesh.stop()
}
