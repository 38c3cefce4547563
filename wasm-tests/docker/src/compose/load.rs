//! Clients that send requests one after the other until they are stopped, and note when each was sent and what came of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use weir_launch::{Client, Connection, Protocol, Request};
use weir_scenario::Failure;

use super::{failed, page};

/// A kind of request, and the status that it must get if it gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    path: &'static str,
    pub(super) status: u16,
}

/// A policy allows it.
pub(super) const ALLOWED: Kind = Kind { path: "/items/42", status: 200 };
/// A policy denies it.
pub(super) const DENIED: Kind = Kind { path: "/admin/users", status: 403 };
/// A policy allows it, and the upstream takes ten seconds.
pub(super) const SLOW: Kind = Kind { path: "/items/slow", status: 200 };

impl Kind {
    pub(super) fn request(self) -> Request {
        page::get(self.path, &[])
    }
}

/// Times since the load began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this drives processes of this machine, not a filter")]
    fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// A request that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) kind: Kind,
    pub(super) begun: Duration,
    pub(super) ended: Duration,
    /// Nothing if the connection was refused or broke.
    pub(super) status: Option<u16>,
}

impl Sent {
    /// Whether it was answered as it must be.
    pub(super) fn is_right(&self) -> bool {
        self.status == Some(self.kind.status)
    }
}

/// A client that runs: what it sent.
type Running = JoinHandle<Result<Vec<Sent>, Failure>>;

/// Clients that run.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) clock: Clock,
    stop: Arc<AtomicBool>,
    clients: Vec<(SocketAddr, Running)>,
}

impl Load {
    /// Two clients for each proxy; each sends what is allowed and what is denied by turns.
    pub(super) fn start(proxies: &[SocketAddr]) -> Self {
        let (clock, stop) = (Clock::start(), Arc::new(AtomicBool::new(false)));
        let clients = proxies.iter().chain(proxies).map(|&proxy| {
            let stop = stop.clone();
            (proxy, thread::spawn(move || run(proxy, clock, &stop)))
        });
        Self { clock, clients: clients.collect(), stop }
    }

    /// Ends the load: what was sent to each proxy.
    pub(super) fn stop(self) -> Result<Vec<(SocketAddr, Sent)>, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for (proxy, client) in self.clients {
            let sent = client.join().map_err(|_| failed("a client panicked"))??;
            all.extend(sent.into_iter().map(|one| (proxy, one)));
        }
        Ok(all)
    }
}

fn run(proxy: SocketAddr, clock: Clock, stop: &AtomicBool) -> Result<Vec<Sent>, Failure> {
    let client = Client::new().map_err(failed)?;
    let (mut sent, mut open) = (Vec::new(), None);
    for kind in [ALLOWED, DENIED].into_iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let begun = clock.now();
        let status = once(&client, proxy, &mut open, kind);
        sent.push(Sent { kind, begun, ended: clock.now(), status });
        // A client whose connection was refused does not try again at once.
        sleep(Duration::from_millis(if status.is_some() { 2 } else { 10 }));
    }
    Ok(sent)
}

/// One request, on the open connection or a new one.
pub(super) fn once(client: &Client, proxy: SocketAddr, open: &mut Option<Connection>, kind: Kind) -> Option<u16> {
    let mut connection = match open.take() {
        Some(connection) => connection,
        None => client.connect(proxy, Protocol::Http1).ok()?,
    };
    let answer = connection.send(&kind.request()).ok()?;
    *open = Some(connection);
    Some(answer.status)
}
