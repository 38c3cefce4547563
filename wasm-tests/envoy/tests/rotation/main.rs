//! Who the peer is, while certificates, trust bundles and the trust domain are rotated under load.
//!
//! Envoy reads certificate and trust bundle of the workload, and those of the sidecar of its callers, from files that are
//! replaced at once. The certificate on a connection says who calls, so the answer to each request is known: no request may be
//! lost, and none may be decided as another peer's, on the connections of before as on the new ones.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod callers;
mod ledger;
mod mesh;
mod secrets;
mod strict;
mod trust_domain;

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use weir_scenario::Protocol;
use weir_testing::Rows;

use callers::{Credentials, Held, Sent, Shared, call_through, keep_calling};
use mesh::Mesh;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const WORKERS: u32 = 4;
/// Clients with certificates of their own, and clients of the callers' sidecar.
const CLIENTS: usize = 6;
const THROUGH: usize = 2;
/// Rotations of one cycle.
const EACH: usize = 5;

/// Ends the loads however the work ends.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What clients sent while `work` was done, and what that gave.
fn under_load<T>(mesh: &mut Mesh, work: impl FnOnce(&mut Mesh) -> Outcome<T>) -> Outcome<(T, Vec<Sent>)> {
    let ended = AtomicBool::new(false);
    let (shared, sidecar) = (mesh.shared.clone(), mesh.sidecar_address);
    thread::scope(|scope| {
        let (shared, ended) = (&*shared, &ended);
        let mut loads: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || keep_calling(shared, client, ended))).collect();
        loads.extend((0..THROUGH).map(|client| scope.spawn(move || call_through(sidecar, client, ended))));
        let done = {
            let _end = End(ended);
            work(mesh)?
        };
        let mut sent = Vec::new();
        for load in loads {
            sent.extend(load.join().map_err(|_| "a load ended badly")??);
        }
        Ok((done, sent))
    })
}

/// A new connection with each certificate: the first that are still good, the others not.
fn probe(
    rows: &mut Rows,
    shared: &Shared,
    (good, retired): &(Credentials, Option<Credentials>),
    sent: &mut Vec<Sent>,
) -> Outcome {
    let generation = good.generation;
    let mut open = Held::open(shared, good.caller(generation), Protocol::H1)?;
    sent.push(open.send(format!("good-{generation}")));
    if let Some(retired) = retired {
        let mut refused = Held::open(shared, retired.caller(generation), Protocol::H1)?;
        let Sent { status, server, .. } = refused.send(format!("retired-{generation}"));
        // The client took the server's certificate, so it was the server that refused.
        let title = format!("a certificate of an authority that has gone, generation {generation}");
        rows.check(title, (status, server.is_some()), (None, true));
    }
    Ok(())
}

fn rotated(cycles: usize) -> Outcome {
    let mut rows = Rows::default();
    let mut mesh = Mesh::start(WORKERS)?;
    let before = mesh.taken()?;
    let (probed, mut sent) = under_load(&mut mesh, |mesh| {
        let mut probed = Vec::new();
        for _ in 0..cycles {
            let issued = mesh.cycle()?;
            probe(&mut rows, &mesh.shared, &issued, &mut probed)?;
        }
        Ok(probed)
    })?;
    sent.extend(probed);
    let taken = mesh.taken()? - before;
    println!("{taken} rotations, {} requests", sent.len());
    rows.check("rotations", usize::try_from(taken)?, cycles * EACH);
    ledger::check(&mut rows, &mesh, &sent)?;
    rows.check("traps", mesh.proxy.vm_failures()?, 0);
    mesh.stop()
}

#[test]
fn no_request_is_lost_and_no_peer_taken_for_another_in_a_thousand_rotations() -> Outcome {
    rotated(1_000 / EACH)
}
