//! A stock Envoy that runs what was applied, with one upstream behind it, and requests through it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use weir_launch::{Envoy, Launch, StartError, Upstream, echo, wait_until};
use weir_scenario::{Addresses, Failure, Request, Response};
use weir_test_envoy::{Authority, ClientTls, Dialer, envoy_binary};

use crate::stock::{Site, Stock};
use crate::{Applied, IstioLine, Proxy};

/// How long Envoy may take to read a file that was moved to its place.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many requests each client of a load sends before and after what it accompanies.
const MARGIN: usize = 20;

/// A connection as its client makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The listener that gets it: `virtualInbound`, `0.0.0.0_80`, `0.0.0.0_8080`, `main_internal`.
    pub listener: &'static str,
    /// Where it was going, as the proxy would learn from iptables or a tunnel; absent for a gateway, which does not ask.
    pub destination: Option<SocketAddr>,
    /// Its SPIFFE ID, if it speaks mTLS, with the ALPN of an Istio proxy.
    pub identity: Option<&'static str>,
}

impl Client {
    /// A client without a certificate of the sidecar's container port 8080.
    pub const PLAIN: Self = Self {
        listener: "virtualInbound",
        destination: Some(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 1, 1)), 8080)),
        identity: None,
    };
    /// The workload beside a sidecar: it sends to port 80 of the service `cart`.
    pub const OUTBOUND: Self = Self {
        listener: "0.0.0.0_80",
        destination: Some(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 96, 0, 10)), 80)),
        identity: None,
    };
    /// A client of the gateway.
    pub const EDGE: Self = Self { listener: "0.0.0.0_8080", destination: None, identity: None };
    /// A client of the sidecar's container port 8080 that came out of a tunnel, without its identity.
    pub const HBONE: Self = Self { listener: "main_internal", ..Self::PLAIN };
    /// A client of the service behind the waypoint.
    pub const WAYPOINT: Self = Self { listener: "main_internal", ..Self::OUTBOUND };

    /// The same with a certificate of that SPIFFE ID.
    #[must_use]
    pub fn of(self, identity: &'static str) -> Self {
        Self { identity: Some(identity), ..self }
    }
}

/// How Envoy is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Worker threads.
    pub workers: u32,
    /// How long it may take to become ready.
    pub ready: Duration,
}

impl Default for Options {
    /// One worker, ready within 30 seconds.
    fn default() -> Self {
        Self { workers: 1, ready: Duration::from_secs(30) }
    }
}

/// Why Envoy does not run.
#[derive(Debug)]
pub enum NotRunning {
    /// Envoy refused the configuration, or waits for a part of it: what it logged.
    Refused(String),
    /// This machine failed.
    Failed(Failure),
}

impl std::fmt::Display for NotRunning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(log) => write!(f, "envoy refused it: {log}"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for NotRunning {}

/// A running Envoy.
#[derive(Debug)]
pub struct Running {
    envoy: Envoy,
    upstream: Upstream,
    authority: Authority,
    stock: Stock,
    resources: Vec<Value>,
    listeners: BTreeMap<String, SocketAddr>,
}

/// What came of the requests of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many requests had each status.
    pub statuses: BTreeMap<u16, usize>,
    /// Requests without a whole response.
    pub lost: usize,
}

impl Load {
    /// Whether every request was answered, and none by a failure of the proxy.
    #[must_use]
    pub fn is_unharmed(&self) -> bool {
        self.lost == 0 && self.statuses.keys().all(|status| *status < 500)
    }

    /// How many requests there were.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.lost + self.statuses.values().sum::<usize>()
    }
}

impl Running {
    /// Starts the Envoy that `ENVOY` or `WEIR_ENVOY_VERSION` choose on what istiod sends, with the resources that the agent
    /// made.
    ///
    /// # Errors
    /// When Envoy refuses it or is not ready in time, or this machine fails.
    pub fn start(
        applied: &Applied,
        resources: &[Value],
        proxy: &Proxy,
        line: IstioLine,
        options: Options,
    ) -> Result<Self, NotRunning> {
        let failed = |error: &dyn std::fmt::Display| NotRunning::Failed(Failure(error.to_string()));
        let binary = envoy_binary().map_err(NotRunning::Failed)?;
        let launch = Launch::new(&binary).map_err(|error| failed(&error))?;
        let launch = launch.concurrency(options.workers).ready_within(options.ready);
        let upstream = Upstream::start(0, echo).map_err(|error| failed(&error))?;
        let authority = Authority::new().map_err(|error| failed(&error))?;
        let own = authority.issue(&["spiffe://cluster.local/ns/shop/sa/cart"]).map_err(|error| failed(&error))?;
        let site = Site {
            directory: launch.dir().join("discovery"),
            upstream: upstream.address(),
            certificate: own.certificate_pem,
            key: own.key_pem,
            authority: authority.pem(),
        };
        let stock = Stock::new(applied, proxy, line, &site);
        std::fs::create_dir_all(&site.directory)
            .and_then(|()| stock.write(resources))
            .map_err(|error| failed(&error))?;
        let envoy = launch.start(&stock.bootstrap.to_string()).map_err(|error| match error {
            StartError::Stopped { log, .. } | StartError::NotReady { log, .. } => NotRunning::Refused(complaints(&log)),
            other => failed(&other),
        })?;
        let listeners = envoy.listeners().map_err(|error| failed(&error))?;
        Ok(Self { envoy, upstream, authority, stock, resources: resources.to_vec(), listeners })
    }

    /// What connects as that client.
    ///
    /// # Errors
    /// When there is no such listener, or the certificate cannot be made.
    pub fn dialer(&self, client: &Client) -> Result<Dialer, Failure> {
        let missing = || Failure(format!("no listener `{}` among {:?}", client.listener, self.listeners.keys()));
        let to = self.listeners.get(client.listener).ok_or_else(missing)?;
        let Some(identity) = client.identity else { return Ok(Dialer::new(*to, None)) };
        let identity = self.authority.issue(&[identity]).map_err(|error| Failure(error.to_string()))?;
        let tls = ClientTls::new(&identity, &self.authority.pem())?.offering(&["istio"]);
        Ok(Dialer::new(*to, Some(tls)))
    }

    /// Sends a request on a connection of its own.
    ///
    /// # Errors
    /// As [`dialer`](Self::dialer).
    pub fn send(&self, client: &Client, request: &Request) -> Result<Response, Failure> {
        let request = led(client, request);
        Ok(self.dialer(client)?.connect(&request)?.send(&request))
    }

    /// Sends a request so many times on one connection: the statuses, 0 for no answer.
    ///
    /// # Errors
    /// As [`dialer`](Self::dialer).
    pub fn send_often(&self, client: &Client, request: &Request, count: usize) -> Result<Vec<u16>, Failure> {
        let request = led(client, request);
        let mut wire = self.dialer(client)?.connect(&request)?;
        Ok((0..count).map(|_| wire.send(&request).status.unwrap_or(0)).collect())
    }

    /// The resources of extension config discovery that were served last.
    #[must_use]
    pub fn resources(&self) -> &[Value] {
        &self.resources
    }

    /// How many requests the upstream received.
    #[must_use]
    pub fn received(&self) -> usize {
        self.upstream.received().len()
    }

    /// Envoy's counters and gauges by name.
    ///
    /// # Errors
    /// When Envoy does not answer.
    pub fn stats(&self) -> Result<BTreeMap<String, u64>, Failure> {
        let text = self.envoy.admin_get("/stats?format=json").map_err(|error| Failure(error.to_string()))?;
        let tree: Value = serde_json::from_str(&text).map_err(|error| Failure(error.to_string()))?;
        let stats = tree.get("stats").and_then(Value::as_array).into_iter().flatten();
        let one = |stat: &Value| Some((stat.get("name")?.as_str()?.to_owned(), stat.get("value")?.as_u64()?));
        Ok(stats.filter_map(one).collect())
    }

    /// What Envoy has logged so far.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn log(&self) -> Result<Vec<String>, Failure> {
        self.envoy.log().lines().map_err(|error| Failure(error.to_string()))
    }

    /// Serves other resources, as istiod and the agent would after an edit, and waits until Envoy has taken or refused each
    /// that is another. Says whether all were taken.
    ///
    /// # Errors
    /// When Envoy does not read them.
    pub fn push(&mut self, resources: &[Value]) -> Result<bool, Failure> {
        let name = |resource: &Value| resource.get("name").and_then(Value::as_str).map(str::to_owned);
        let changed = resources.iter().filter(|resource| !self.resources.contains(resource));
        let names: Vec<_> = changed.filter_map(name).collect();
        let before = self.stats()?;
        self.stock.write(resources).map_err(|error| Failure(error.to_string()))?;
        let mut taken = true;
        for name in &names {
            let count = |stats: &BTreeMap<String, u64>, what: &str| {
                let ending = format!("extension_config_discovery.http_filter.{name}.{what}");
                stats.iter().find(|(stat, _)| stat.ends_with(&ending)).map_or(0, |(_, value)| *value)
            };
            let answered = || {
                let now = self.stats().ok()?;
                let more = |what: &str| count(&now, what) > count(&before, what);
                if more("config_fail") { Some(false) } else { more("config_reload").then_some(true) }
            };
            let late = || Failure(format!("envoy did not read the new `{name}`"));
            taken &= wait_until(PATIENCE, answered).ok_or_else(late)?;
        }
        self.resources = resources.to_vec();
        Ok(taken)
    }

    /// Does `work` while clients send the request over and over, each on connections that it keeps, and some times before and
    /// after.
    ///
    /// # Errors
    /// When the work fails, a client cannot be made, or gets no answers.
    pub fn under_load<T>(
        &mut self,
        clients: &[Client],
        request: &Request,
        work: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<(T, Load), Failure> {
        let dialers: Result<Vec<_>, Failure> =
            clients.iter().map(|client| Ok((self.dialer(client)?, led(client, request)))).collect();
        let dialers = dialers?;
        let ended = AtomicBool::new(false);
        let sent: Vec<_> = clients.iter().map(|_| AtomicUsize::new(0)).collect();
        // Whether each client has sent so many more requests than at a time.
        let more = |since: &[usize]| {
            let enough = |(sent, since): (&AtomicUsize, &usize)| sent.load(Ordering::Relaxed) >= since + MARGIN;
            sent.iter().zip(since).all(enough).then_some(())
        };
        thread::scope(|scope| {
            let ended = &ended;
            let spawn = |((dialer, request), sent)| scope.spawn(move || load(&dialer, &request, sent, ended));
            let loads: Vec<_> = dialers.into_iter().zip(&sent).map(spawn).collect();
            let started = wait_until(PATIENCE, || more(&vec![0; sent.len()]));
            let done = work(self);
            let now: Vec<_> = sent.iter().map(|sent| sent.load(Ordering::Relaxed)).collect();
            let went_on = wait_until(PATIENCE, || more(&now));
            ended.store(true, Ordering::Relaxed);
            let mut total = Load::default();
            for load in loads {
                let Load { statuses, lost } = load.join().map_err(|_| Failure("a load ended badly".to_owned()))??;
                total.lost += lost;
                for (status, count) in statuses {
                    *total.statuses.entry(status).or_default() += count;
                }
            }
            match (started, went_on) {
                (Some(()), Some(())) => Ok((done?, total)),
                _ => Err(Failure(format!("a client got no answers: {total:?}"))),
            }
        })
    }
}

/// A request whose connection says where it was going.
fn led(client: &Client, request: &Request) -> Request {
    let source = SocketAddr::from(([10, 1, 1, 9], 40000));
    let addresses = client.destination.map(|destination| Addresses { source, destination });
    Request { addresses, ..request.clone() }
}

fn load(dialer: &Dialer, request: &Request, sent: &AtomicUsize, ended: &AtomicBool) -> Result<Load, Failure> {
    let mut wire = dialer.connect(request)?;
    let mut load = Load::default();
    while !ended.load(Ordering::Relaxed) {
        if !wire.is_open() {
            wire = dialer.connect(request)?;
        }
        let response = wire.send(request);
        match response.status {
            Some(status) if !response.broken => *load.statuses.entry(status).or_default() += 1,
            _ => load.lost += 1,
        }
        sent.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(1));
    }
    Ok(load)
}

/// The warnings and errors of a log.
fn complaints(log: &[String]) -> String {
    let of_interest = |line: &&String| {
        !line.starts_with('[') || ["[warning]", "[error]", "[critical]"].iter().any(|level| line.contains(level))
    };
    let lines: Vec<_> = log.iter().filter(of_interest).map(String::as_str).collect();
    if lines.is_empty() { "not ready in time".to_owned() } else { lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::Load;
    use weir_testing::Rows;

    #[test]
    fn a_load_is_harmed_by_what_is_lost_and_by_failures_of_the_proxy() {
        let mut rows = Rows::default();
        let statuses = |all: &[u16]| all.iter().map(|status| (*status, 1)).collect();
        for (what, load, expected) in [
            ("answers", Load { statuses: statuses(&[200, 403, 429]), lost: 0 }, (true, 3)),
            ("a failure", Load { statuses: statuses(&[200, 500]), lost: 0 }, (false, 2)),
            ("no answer", Load { statuses: statuses(&[200]), lost: 1 }, (false, 2)),
        ] {
            rows.check(what, (load.is_unharmed(), load.sent()), expected);
        }
    }
}
