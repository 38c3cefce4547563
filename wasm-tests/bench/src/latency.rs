//! What a client waits at a steady rate, and the highest rate that is held.
//!
//! Requests are sent when they are due, also if earlier ones are late (open loop): a response that comes late makes the
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

/// What clients of one variant wait.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    pub(crate) name: String,
    /// Microseconds that half of the requests and all but a hundredth take at most, in the round that was disturbed least.
    pub(crate) half_micros: f64,
    pub(crate) most_micros: f64,
    /// The most requests a second, of all rounds.
    pub(crate) held: u32,
}

impl Latency {
    fn none_yet(name: &str) -> Self {
        Self { name: name.to_owned(), half_micros: f64::INFINITY, most_micros: f64::INFINITY, held: 0 }
    }
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
            let mut connection = bench.connect(running, variant)?;
            connection.send(50)?;
            all.push(connection);
        }
        Ok(all)
    };
    let mut found: Vec<Latency> = variants.iter().map(|variant| Latency::none_yet(&variant.name)).collect();
    for round in 1..=ROUNDS {
        eprintln!("latency       round {round} of {ROUNDS}");
        for (at, latency) in found.iter_mut().enumerate() {
            let waits = waits(open(at)?, STEADY)?;
            latency.half_micros = latency.half_micros.min(waits.within(0.5).as_secs_f64() * 1e6);
            latency.most_micros = latency.most_micros.min(waits.within(0.99).as_secs_f64() * 1e6);
            latency.held = latency.held.max(rate(open(at)?)?);
        }
    }
    Ok(found)
}

/// Requests a second of clients that each send the next one as soon as they have a response.
fn rate(connections: Vec<Connection>) -> Result<u32, String> {
    let begin = Instant::now();
    let client = |mut connection: Connection| -> JoinHandle<Result<usize, String>> {
        thread::spawn(move || {
            let mut sent = 0;
            while begin.elapsed() < SPAN {
                connection.send(20)?;
                sent += 20;
            }
            Ok(sent)
        })
    };
    let clients: Vec<_> = connections.into_iter().map(client).collect();
    let mut sent = 0;
    for client in clients {
        sent += client.join().map_err(|_| DIED.to_owned())??;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rate")]
    Ok((sent as f64 / begin.elapsed().as_secs_f64()) as u32)
}

const DIED: &str = "a client of the benchmark has died";

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
            reason = "an index"
        )]
        let index = (self.0.len() as f64 * share) as usize;
        self.0.get(index.min(self.0.len().saturating_sub(1))).copied().unwrap_or(Duration::MAX)
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
                // The rate is too high once the delay cannot be made up.
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
        all.extend(client.join().map_err(|_| DIED.to_owned())??);
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
}
