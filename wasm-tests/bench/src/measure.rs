//! The three figures.

use crate::client::send;
use crate::envoy::Binary;
use crate::variants::{BASE, Variant};

/// Requests before anything is counted.
const WARM_UP: usize = 200;
/// Requests of the shorter counted run; the longer has twice as many.
const COUNTED: usize = 200;
/// Requests of one round of CPU time.
const ROUND: usize = 2_000;
/// Rounds of CPU time; each takes every variant in turn.
const ROUNDS: usize = 7;

/// The figures of one variant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Instructions a request.
    pub(crate) instructions: u64,
    /// CPU microseconds a request: smallest, median and largest round.
    pub(crate) cpu_micros: Option<[f64; 3]>,
    /// Resident KiB with two and with eight workers.
    pub(crate) resident_kib: Option<[u64; 2]>,
}

/// Counts instructions of every variant.
pub(crate) fn instructions(envoy: &Binary, variants: &[Variant]) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for variant in variants {
        eprint!("instructions  {:<48}", variant.name);
        let running = envoy.start(variant, 1, true)?;
        let port = running.ports.listener;
        send(port, WARM_UP)?;
        running.callgrind(&["-i", "on"])?;
        send(port, 20)?;
        running.callgrind(&["-z"])?;
        send(port, COUNTED)?;
        running.callgrind(&["-d"])?;
        running.callgrind(&["-z"])?;
        send(port, 2 * COUNTED)?;
        running.callgrind(&["-d"])?;
        let [short, long] = [running.dump(1)?, running.dump(2)?];
        let instructions = long.saturating_sub(short) / COUNTED as u64;
        eprintln!("{instructions:>10}");
        rows.push(Row { name: variant.name.clone(), instructions, ..Row::default() });
    }
    Ok(rows)
}

/// Measures CPU time in interleaved rounds, so that a slow moment of the machine falls on all variants alike.
pub(crate) fn cpu_time(envoy: &Binary, variants: &[Variant], rows: &mut [Row]) -> Result<(), String> {
    let mut running = Vec::new();
    for variant in variants {
        let envoy = envoy.start(variant, 1, false)?;
        send(envoy.ports.listener, WARM_UP)?;
        running.push((envoy, Vec::new()));
    }
    for round in 1..=ROUNDS {
        eprintln!("CPU time      round {round} of {ROUNDS}");
        for (envoy, rounds) in &mut running {
            let before = envoy.cpu_nanos()?;
            send(envoy.ports.listener, ROUND)?;
            let nanos = envoy.cpu_nanos()?.saturating_sub(before);
            rounds.push(nanos as f64 / 1_000.0 / ROUND as f64);
        }
    }
    for (row, (_, mut rounds)) in rows.iter_mut().zip(running) {
        rounds.sort_by(f64::total_cmp);
        let at = |index: usize| rounds.get(index).copied().unwrap_or_default();
        row.cpu_micros = Some([at(0), at(ROUNDS / 2), at(ROUNDS - 1)]);
    }
    Ok(())
}

/// Measures resident memory with two and with eight workers after the warm-up.
pub(crate) fn memory(envoy: &Binary, variants: &[Variant], rows: &mut [Row]) -> Result<(), String> {
    for (variant, row) in variants.iter().zip(rows) {
        if !variant.memory && variant.name != BASE {
            continue;
        }
        eprintln!("memory        {}", variant.name);
        let mut sizes = [0; 2];
        for (size, workers) in sizes.iter_mut().zip([2, 8]) {
            let running = envoy.start(variant, workers, false)?;
            // One connection is served by one worker, so several are needed to reach them all.
            for _ in 0..4 * workers {
                send(running.ports.listener, 20)?;
            }
            *size = running.resident_kib()?;
        }
        row.resident_kib = Some(sizes);
    }
    Ok(())
}
