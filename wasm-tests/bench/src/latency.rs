//! What a client waits at a steady rate, and the highest rate that is held.
//!
//! Requests are sent when they are due, whatever became of those before (open loop): a response that comes late makes the
//! requests behind it late, and that counts. Envoy has a core of its own; the clients, and what stands for services, share
//! the other.

#![expect(clippy::disallowed_methods, reason = "what is measured here is time")]

use crate::client::Connection;
use crate::envoy::Bench;
use crate::variants::Variant;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many connections share the requests.
const CONNECTIONS: u32 = 8;
/// Requests a second at which the wait is measured.
pub(crate) const STEADY: u32 = 1_000;
/// How long one measurement takes.
const SPAN: Duration = Duration::from_secs(2);
/// Rounds at the steady rate; each takes every variant in turn.
const ROUNDS: usize = 7;
/// A rate is held while a hundredth of the requests at most waits longer than this.
pub(crate) const HELD: Duration = Duration::from_millis(10);

/// What clients of one variant wait.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    pub(crate) name: String,
    /// Microseconds that half of the requests and all but a hundredth take at most, median of the rounds.
    pub(crate) half_micros: f64,
    pub(crate) most_micros: f64,
    /// Requests a second.
    pub(crate) held: u32,
}

/// Measures every variant.
///
/// # Errors
/// An Envoy that does not start, or a request that is not answered with 200.
pub(crate) fn latencies(bench: &Bench, variants: &[Variant]) -> Result<Vec<Latency>, String> {
    let running: Vec<_> = variants.iter().map(|variant| bench.start(variant, 1, false)).collect::<Result<_, _>>()?;
    let open = |at: usize| -> Result<Vec<Connection>, String> {
        let (Some(running), Some(variant)) = (running.get(at), variants.get(at)) else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut connection = bench.connect(running, variant.scene)?;
            connection.send(50)?;
            all.push(connection);
        }
        Ok(all)
    };
    let mut rounds = vec![Vec::new(); variants.len()];
    for round in 1..=ROUNDS {
        eprintln!("latency       round {round} of {ROUNDS}");
        for (at, of_variant) in rounds.iter_mut().enumerate() {
            of_variant.push(waits(open(at)?, STEADY)?);
        }
    }
    let mut found = Vec::new();
    for ((at, variant), of_variant) in variants.iter().enumerate().zip(&rounds) {
        eprintln!("latency       highest rate of {}", variant.name);
        let held = highest(|rate| waits(open(at)?, rate))?;
        let median = |share: f64| {
            let mut all: Vec<f64> = of_variant.iter().map(|waits| waits.within(share).as_secs_f64() * 1e6).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        let name = variant.name.clone();
        found.push(Latency { name, half_micros: median(0.5), most_micros: median(0.99), held });
    }
    Ok(found)
}

/// The highest rate that is held, in steps of a tenth.
fn highest(mut at: impl FnMut(u32) -> Result<Waits, String>) -> Result<u32, String> {
    let (mut held, mut rate) = (0, STEADY);
    while at(rate)?.within(0.99) <= HELD {
        held = rate;
        rate += (rate / 10).max(1);
    }
    Ok(held)
}

/// How long each request took, in order of length.
#[derive(Clone, Debug, Default)]
struct Waits(Vec<Duration>);

impl Waits {
    /// What that share of the requests takes at most.
    fn within(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list"
        )]
        let place = (self.0.len() as f64 * share) as usize;
        self.0.get(place.min(self.0.len().saturating_sub(1))).copied().unwrap_or(Duration::MAX)
    }
}

/// Sends requests at a rate over all connections.
fn waits(connections: Vec<Connection>, rate: u32) -> Result<Waits, String> {
    let between = Duration::from_secs(1) * CONNECTIONS / rate;
    let begin = Instant::now() + Duration::from_millis(20);
    let client = |(number, mut connection): (u32, Connection)| -> JoinHandle<Result<Vec<Duration>, String>> {
        thread::spawn(move || {
            let mut found = Vec::new();
            let mut due = begin + between * number / CONNECTIONS;
            while due < begin + SPAN {
                // A client that wakes late is late itself; one that still waits for a response is not.
                let since = match due.checked_duration_since(Instant::now()) {
                    Some(early) => {
                        thread::sleep(early);
                        Instant::now()
                    }
                    None => due,
                };
                connection.send(1)?;
                found.push(since.elapsed());
                due += between;
                // What can never be caught up needs no more proof.
                if since.elapsed() > SPAN {
                    break;
                }
            }
            Ok(found)
        })
    };
    let clients: Vec<_> = (0..).zip(connections).map(client).collect();
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.join().map_err(|_| "a client of the benchmark has died".to_owned())??);
    }
    all.sort();
    Ok(Waits(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_requests_in_order() {
        let waits = Waits((1..=100).map(Duration::from_millis).collect());
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| waits.within(share).as_millis()), [1, 51, 100, 100]);
        assert_eq!(Waits::default().within(0.5), Duration::MAX);
    }

    #[test]
    fn the_highest_rate_is_the_last_before_one_that_is_not_held() {
        let at = |rate: u32| Ok(Waits(vec![if rate > 1_400 { HELD * 2 } else { HELD }]));
        assert_eq!(highest(at), Ok(1_331));
        assert_eq!(highest(|_| Ok(Waits(vec![HELD * 2]))), Ok(0));
    }
}
