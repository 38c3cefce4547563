//! Instructions, CPU time, memory, and the time to ready.

use crate::client::Connection;
use crate::envoy::Bench;
use crate::scene::Scene;
use crate::variants::{BASE, Variant};
use std::collections::BTreeMap;

/// Requests before anything is counted.
const WARM_UP: usize = 200;
/// Requests of the shorter counted run; the longer has twice as many.
const COUNTED: usize = 200;
/// The same where each takes long.
const FEW: usize = 20;
/// Requests of one round of CPU time.
const ROUND: usize = 1_000;
/// Rounds of CPU time; each takes every variant in turn.
const ROUNDS: usize = 40;
/// Starts of which the quickest counts.
const STARTS: usize = 3;

/// What names a variant.
pub(crate) type Name = (Scene, String);

fn named(variant: &Variant) -> Name {
    (variant.scene, variant.name.clone())
}

/// Instructions a request of every variant, in their order. A request that takes millions of them is counted a few times only.
///
/// # Errors
/// An Envoy that does not start, or a request that is not answered with 200.
pub(crate) fn instructions(bench: &Bench, variants: &[Variant]) -> Result<Vec<(Name, u64)>, String> {
    let mut rows = Vec::new();
    for variant in variants {
        eprint!("instructions  {:<40} {:<48}", variant.scene.title(), variant.name);
        let running = bench.start(variant, 1, true)?;
        let mut connection = bench.connect(&running, variant)?;
        let counted = if variant.is_dear { FEW } else { COUNTED };
        connection.send(WARM_UP)?;
        running.callgrind(&["-i", "on"])?;
        connection.send(counted.min(20))?;
        running.callgrind(&["-z"])?;
        connection.send(counted)?;
        running.callgrind(&["-d"])?;
        running.callgrind(&["-z"])?;
        connection.send(2 * counted)?;
        running.callgrind(&["-d"])?;
        let [short, long] = [running.dump(1)?, running.dump(2)?];
        let instructions = long.saturating_sub(short) / counted as u64;
        eprintln!("{instructions:>10}");
        rows.push((named(variant), instructions));
    }
    Ok(rows)
}

/// CPU microseconds a request, one figure for each round.
pub(crate) type Rounds = BTreeMap<Name, Vec<f64>>;

/// Measures CPU time in interleaved rounds, so that a slow moment of the machine falls on all variants alike.
///
/// # Errors
/// As [`instructions`].
pub(crate) fn cpu_time(bench: &Bench, variants: &[Variant]) -> Result<Rounds, String> {
    let mut running = Vec::new();
    for variant in variants {
        let envoy = bench.start(variant, 1, false)?;
        let mut connection: Connection = bench.connect(&envoy, variant)?;
        connection.send(WARM_UP)?;
        running.push((named(variant), envoy, connection));
    }
    let mut rounds = Rounds::new();
    for round in 1..=ROUNDS {
        eprintln!("CPU time      round {round} of {ROUNDS}");
        for (name, envoy, connection) in &mut running {
            let before = envoy.cpu_nanos()?;
            connection.send(ROUND)?;
            let nanos = envoy.cpu_nanos()?.saturating_sub(before);
            rounds.entry(name.clone()).or_default().push(nanos as f64 / 1_000.0 / ROUND as f64);
        }
    }
    Ok(rounds)
}

/// Smallest, median and largest of some figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) middle: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of any number of figures; zeros if there is none.
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or_default();
        Self { low: at(0), middle: at(figures.len() / 2), high: at(figures.len().saturating_sub(1)) }
    }
}

/// What a variant adds to its scene's base in each round, in microseconds.
pub(crate) fn added(rounds: &Rounds, scene: Scene, name: &str) -> Option<Vec<f64>> {
    let [base, with] = [BASE, name].map(|name| rounds.get(&(scene, name.to_owned())));
    Some(with?.iter().zip(base?).map(|(with, without)| with - without).collect())
}

/// How many times as much time one variant adds as another, by round.
pub(crate) fn ratio(rounds: &Rounds, scene: Scene, ours: &str, theirs: &str) -> Option<Spread> {
    let [ours, theirs] = [ours, theirs].map(|name| added(rounds, scene, name));
    let ratios =
        ours?.iter().zip(theirs?).filter(|(_, theirs)| *theirs > 0.0).map(|(ours, theirs)| ours / theirs).collect();
    Some(Spread::of(ratios))
}

/// The memory of one variant, and what it takes to start.
#[derive(Clone, Debug)]
pub(crate) struct Weight {
    pub(crate) name: String,
    /// Resident KiB with few and with many workers ([`WORKERS`]).
    pub(crate) resident_kib: [u64; 2],
    /// KiB that are allocated and not free, with few workers.
    pub(crate) allocated_kib: u64,
    /// From start to ready with few workers, in milliseconds.
    pub(crate) ready_millis: f64,
    /// The CPU time of that with few and with many workers, in milliseconds.
    pub(crate) ready_cpu_millis: [f64; 2],
}

/// The numbers of workers with which memory and start are measured.
pub(crate) const WORKERS: [usize; 2] = [2, 8];

/// Measures resident memory after the warm-up, and what it takes to start, with few and with many workers.
///
/// # Errors
/// As [`instructions`].
pub(crate) fn weights(bench: &Bench, variants: &[Variant]) -> Result<Vec<Weight>, String> {
    let mut weights = Vec::new();
    for variant in variants {
        eprintln!("memory        {}", variant.name);
        let (mut resident_kib, mut allocated_kib) = ([0; 2], [0; 2]);
        for ((resident, allocated), workers) in resident_kib.iter_mut().zip(&mut allocated_kib).zip(WORKERS) {
            let running = bench.start(variant, workers, false)?;
            // One connection is served by one worker, so several are needed to reach them all.
            for _ in 0..4 * workers {
                bench.connect(&running, variant)?.send(20)?;
            }
            *resident = running.resident_kib()?;
            *allocated = running.allocated_kib()?;
        }
        let (mut ready_millis, mut ready_cpu_millis) = ([f64::INFINITY; 2], [f64::INFINITY; 2]);
        for ((ready, cpu), workers) in ready_millis.iter_mut().zip(&mut ready_cpu_millis).zip(WORKERS) {
            for _ in 0..STARTS {
                let running = bench.start(variant, workers, false)?;
                *ready = ready.min(running.ready_after.as_secs_f64() * 1_000.0);
                *cpu = cpu.min(running.cpu_nanos()? as f64 / 1e6);
            }
        }
        let ([ready_millis, _], [allocated_kib, _]) = (ready_millis, allocated_kib);
        weights.push(Weight {
            name: variant.name.clone(),
            resident_kib,
            allocated_kib,
            ready_millis,
            ready_cpu_millis,
        });
    }
    Ok(weights)
}

#[cfg(test)]
mod tests;
