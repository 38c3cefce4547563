//! One Envoy that runs a setup, with the upstreams around it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use weir_launch::{Authority, ClientError, Envoy, Launch, LogTail, StartError, wait_until};
use weir_scenario::{Client, Failure, LogLine, Protocol, Record, Request, Response, Tls};
use weir_world::Upstreams;

use crate::access::Logged;
use crate::bootstrap::{self, ACCESS_LOG, LISTENER, ServerTls};
use crate::filters::{Discovery, Setup};
use crate::slot::Slot;
use crate::stats;
use crate::tcp_server::TcpServer;
use crate::wall_clock::WallClock;
use crate::wire::{ClientTls, Dialer, Wire};
use crate::{access, discovery, paths};

/// A running proxy. Dropping it ends everything that was started for it.
#[derive(Debug)]
pub struct Proxy {
    pub(crate) envoy: Envoy,
    pub(crate) setup: Setup,
    pub(crate) tls: Option<ProxyTls>,
    pub(crate) wall_clock: Option<WallClock>,
    upstreams: Upstreams,
    /// Where connections go to, at a TCP proxy.
    pub(crate) tcp_server: Option<TcpServer>,
    address: SocketAddr,
    access: LogTail,
    /// What the access log has of each port of a client.
    records: BTreeMap<u16, Logged>,
    log: LogTail,
    lines: Vec<String>,
    port: u16,
    _slot: Slot,
}

/// The outcome of a start.
#[derive(Debug)]
pub enum Booted {
    /// It serves.
    Ready(Box<Proxy>),
    /// It refused its configuration and is gone; its log.
    Refused(String),
}

/// Certificates of a proxy that speaks TLS, and of the clients that it met.
#[derive(Debug)]
pub(crate) struct ProxyTls {
    authority: Authority,
    pub(crate) server: ServerTls,
    clients: BTreeMap<(Vec<String>, Vec<String>), ClientTls>,
}

/// How long a record, a listener or a discovery answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

impl Proxy {
    /// Starts a proxy and its upstreams, and waits until it serves or has refused its configuration.
    ///
    /// # Errors
    /// When there is no Envoy, or this machine refuses something. A configuration that Envoy refuses is not an error.
    pub fn start(mut setup: Setup) -> Result<Booted, Failure> {
        let slot = Slot::take();
        let launch = Launch::new(&paths::envoy_binary()?).map_err(|error| started(&error))?;
        let upstreams = match setup.site.upstreams {
            Some(control) => Upstreams::start_elsewhere(control, &setup.world),
            None => Upstreams::start(&setup.world),
        };
        let upstreams = upstreams.map_err(|error| Failure(format!("no upstream: {error}")))?;
        let tcp_server = setup.proxy.tcp.map(|server| TcpServer::start(server.greeting())).transpose();
        let tcp_server = tcp_server.map_err(|error| Failure(format!("no server of connections: {error}")))?;
        setup.tcp_to = setup.tcp_to.or(tcp_server.as_ref().map(TcpServer::address));
        let tls = ProxyTls::of(&setup.proxy.tls)?;
        let server = tls.as_ref().map(|tls| &tls.server);
        discovery::write_all(&setup, server, launch.dir())?;
        let tree = bootstrap::bootstrap(&setup, &|cluster| upstreams.address(cluster), server, launch.dir())?;
        let wall_clock = if setup.own_wall_clock { Some(WallClock::new(launch.dir())?) } else { None };
        let mut launch = launch.concurrency(setup.proxy.workers);
        if let Some(wall_clock) = &wall_clock {
            launch = wall_clock.own(launch);
        }
        if let Some(time) = setup.drain_time {
            launch = launch.drain_time(time);
        }
        if let Some(levels) = &setup.component_log_level {
            launch = launch.component_log_level(levels);
        }
        let envoy = match launch.start(&tree.to_string()) {
            Ok(envoy) => envoy,
            Err(StartError::Stopped { log, .. }) => return Ok(Booted::Refused(stats::complaints(log))),
            Err(error) => return Err(started(&error)),
        };
        let (access, log) = (LogTail::new(&envoy.dir().join(ACCESS_LOG)), envoy.log());
        let address = envoy.admin();
        let mut proxy = Self {
            envoy,
            setup,
            tls,
            wall_clock,
            upstreams,
            tcp_server,
            address,
            access,
            records: BTreeMap::new(),
            log,
            lines: Vec::new(),
            port: 0,
            _slot: slot,
        };
        if proxy.refused_at_start()? {
            return Ok(Booted::Refused(proxy.complaints(0)?));
        }
        let listening = wait_until(PATIENCE, || proxy.envoy.listeners().ok()?.get(LISTENER).copied());
        proxy.address = listening.ok_or_else(|| Failure("envoy is ready and has no listener".to_owned()))?;
        Ok(Booted::Ready(Box::new(proxy)))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.envoy.pid()
    }

    /// The upstreams around it.
    #[must_use]
    pub fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    /// What connects to the proxy as the client of this request.
    ///
    /// # Errors
    /// When the client has an identity that is not ASCII, or that the proxy has no TLS for, or addresses that the
    /// listener does not ask for.
    pub fn dialer(&mut self, request: &Request) -> Result<Dialer, Failure> {
        if request.addresses.is_some() && !self.setup.proxy.proxy_protocol {
            return Err(Failure("a request with addresses needs a listener with `proxyProtocol`".to_owned()));
        }
        let tls = match (request.client.uris(), &mut self.tls) {
            (None, _) => None,
            (Some(uris), Some(tls)) => Some(tls.client(uris, request.client.dns())?.clone()),
            (Some(_), None) => return Err(Failure("a client with an identity needs TLS".to_owned())),
        };
        Ok(Dialer::new(self.address, tls))
    }

    /// Sends one request on a connection of its own; what an upstream saw of it is in the response.
    ///
    /// # Errors
    /// As [`dialer`](Self::dialer), and when an upstream does not report what it saw.
    pub fn send(&mut self, request: &Request) -> Result<Response, Failure> {
        let failure = |error| Failure(format!("{error}"));
        self.upstreams.forget().map_err(failure)?;
        let mut wire = self.dialer(request)?.connect(request)?;
        self.port = wire.port();
        self.records.remove(&self.port);
        let served = self.tcp_server.as_ref().map(TcpServer::served);
        let response = wire.send(request);
        drop(wire);
        if let Some(before) = served {
            return Ok(self.connection_seen(before, response));
        }
        // A request that broke off may still be on its way.
        let within = if response.broken { Duration::from_millis(200) } else { Duration::ZERO };
        let seen = wait_until(within, || self.upstreams.seen().transpose()).transpose().map_err(failure)?;
        Ok(Response { seen, ..response })
    }

    /// Sends requests one after the other on connections that are kept, one of each client and protocol, and finds each
    /// one's record. A request without a record is one that Envoy's codec took for none. Each gets the header
    /// [`NUMBER`](access::NUMBER), by which its record is found; what an upstream saw is not reported.
    ///
    /// # Errors
    /// As [`dialer`](Self::dialer), and when a request that was answered with 200 or 403 has no record.
    pub fn send_all(&mut self, requests: &[Request]) -> Result<Vec<(Response, Option<Record>)>, Failure> {
        let mut wires: Vec<((Protocol, Client), Wire)> = Vec::new();
        let mut responses = Vec::with_capacity(requests.len());
        for (number, request) in requests.iter().enumerate() {
            let mut request = request.clone();
            request.headers.0.push((access::NUMBER.into(), number.to_string().as_str().into()));
            let fits = |((protocol, client), wire): &((Protocol, Client), Wire)| {
                let own = request.addresses.is_some() || !request.sni.is_empty();
                !own && *protocol == request.protocol && *client == request.client && wire.takes(&request)
            };
            let found = wires.iter().position(fits);
            let mut wire = match found {
                Some(position) => wires.swap_remove(position).1,
                None => self.dialer(&request)?.connect(&request)?,
            };
            responses.push(wire.send(&request));
            if wire.is_open() && request.addresses.is_none() && request.sni.is_empty() {
                wires.push(((request.protocol, request.client), wire));
            }
        }
        drop(wires);
        let mut records: BTreeMap<usize, Record> = BTreeMap::new();
        let due = |response: &Response| matches!(response.status, Some(200 | 403));
        let all = wait_until(PATIENCE, || {
            let lines = self.access.lines().unwrap_or_default();
            records.extend(lines.iter().filter_map(|line| access::parse_numbered(line)));
            let mut responses = responses.iter().enumerate();
            responses.all(|(number, response)| !due(response) || records.contains_key(&number)).then_some(())
        });
        all.ok_or_else(|| Failure("a request has no access log record".to_owned()))?;
        Ok(responses.into_iter().enumerate().map(|(number, response)| (response, records.remove(&number))).collect())
    }

    /// The access log record of the last request sent with [`send`](Self::send).
    ///
    /// # Errors
    /// When none comes.
    pub fn record(&mut self) -> Result<Record, Failure> {
        self.record_of(self.port)
    }

    /// The access log record of the last request from a port of a client.
    ///
    /// # Errors
    /// When none comes.
    pub fn record_of(&mut self, port: u16) -> Result<Record, Failure> {
        let (access, records) = (&mut self.access, &mut self.records);
        let found = wait_until(PATIENCE, || {
            let lines = access.lines().unwrap_or_default();
            lines.iter().for_each(|line| access::add(records, line));
            records.get(&port)?.record()
        });
        found.ok_or_else(|| Failure("no access log record came".to_owned()))
    }

    /// Forgets what the access log has of a port of a client.
    pub(crate) fn forget_record(&mut self, port: u16) {
        self.records.remove(&port);
    }

    /// The configuration that Envoy says it runs, as JSON.
    ///
    /// # Errors
    /// When the admin interface does not answer.
    pub fn config_dump(&self) -> Result<String, Failure> {
        self.envoy.admin_get("/config_dump").map_err(admin_failure)
    }

    /// How many VMs trapped or were replaced since the start.
    ///
    /// # Errors
    /// When log or statistics cannot be read.
    pub fn vm_failures(&mut self) -> Result<u64, Failure> {
        let traps = stats::traps(&self.logs()?);
        Ok(traps.max(self.vm_stats()?.reloads))
    }

    /// Envoy's log since the start.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn logs(&mut self) -> Result<Vec<LogLine>, Failure> {
        self.read_log()?;
        Ok(stats::log_lines(self.lines.clone()))
    }

    /// Ends the proxy. Fails if Envoy had ended before.
    ///
    /// # Errors
    /// When Envoy was no longer running.
    pub fn stop(mut self) -> Result<(), Failure> {
        match self.envoy.exited() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Failure(format!("envoy ended by itself ({status})\n{}", self.complaints(0)?))),
            Err(error) => Err(Failure(format!("envoy: {error}"))),
        }
    }

    /// What the log complains about from a number of lines on.
    pub(crate) fn complaints(&mut self, from: usize) -> Result<String, Failure> {
        self.read_log()?;
        Ok(stats::complaints(self.lines.get(from..).unwrap_or_default().to_vec()))
    }

    /// How many lines the log has.
    pub(crate) fn log_length(&mut self) -> Result<usize, Failure> {
        self.read_log()?;
        Ok(self.lines.len())
    }

    fn read_log(&mut self) -> Result<(), Failure> {
        let lines = self.log.lines().map_err(|error| Failure(format!("envoy's log: {error}")))?;
        self.lines.extend(lines);
        Ok(())
    }

    /// Whether the proxy refused something from discovery. It serves then, but without that.
    fn refused_at_start(&self) -> Result<bool, Failure> {
        let answer = || {
            let stats = self.stats().ok()?;
            match self.setup.discovery {
                Discovery::None => Some(false),
                Discovery::Filters => {
                    let counts: Vec<_> = self.setup.plugins.iter().map(|p| Answered::filter(&stats, &p.name)).collect();
                    let all = counts.iter().all(|count| count.taken + count.refused > 0);
                    all.then(|| counts.iter().any(|count| count.refused > 0))
                }
                Discovery::Listener | Discovery::Both => {
                    let count = Answered::listener(&stats);
                    (count.taken + count.refused > 0).then_some(count.refused > 0)
                }
            }
        };
        wait_until(PATIENCE, answer).ok_or_else(|| Failure("envoy did not read its discovery files".to_owned()))
    }
}

/// How often a discovery subscription took and refused something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) taken: u64,
    pub(crate) refused: u64,
}

impl Answered {
    pub(crate) fn filter(stats: &BTreeMap<String, u64>, name: &str) -> Self {
        let get = |what: &str| {
            let ending = format!("extension_config_discovery.http_filter.{name}.{what}");
            stats.iter().find(|(name, _)| name.ends_with(&ending)).map_or(0, |(_, value)| *value)
        };
        Self { taken: get("config_reload"), refused: get("config_fail") }
    }

    pub(crate) fn listener(stats: &BTreeMap<String, u64>) -> Self {
        let get = |name: &str| stats.get(name).copied().unwrap_or(0);
        let refused = get("listener_manager.lds.update_rejected");
        Self { taken: get("listener_manager.lds.update_success"), refused }
    }
}

impl ProxyTls {
    fn of(tls: &Tls) -> Result<Option<Self>, Failure> {
        let (Tls::Mtls(uri) | Tls::Permissive(uri)) = tls else { return Ok(None) };
        let failed = |error| Failure(format!("{error}"));
        let authority = Authority::new().map_err(failed)?;
        let identity = authority.issue(&[uri]).map_err(failed)?;
        let server = ServerTls { identity, authority_pem: authority.pem() };
        Ok(Some(Self { authority, server, clients: BTreeMap::new() }))
    }

    fn client(&mut self, uris: &[String], dns: &[String]) -> Result<&ClientTls, Failure> {
        let key = (uris.to_vec(), dns.to_vec());
        if !self.clients.contains_key(&key) {
            let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
            let dns: Vec<&str> = dns.iter().map(String::as_str).collect();
            let identity = self.authority.issue_named(&uris, &dns).map_err(|error| Failure(error.to_string()))?;
            self.clients.insert(key.clone(), ClientTls::new(&identity, &self.server.authority_pem)?);
        }
        self.clients.get(&key).ok_or_else(|| Failure("no such client".to_owned()))
    }
}

fn started(error: &StartError) -> Failure {
    Failure(format!("{error}\n{}", stats::complaints(error.log().to_vec())))
}

pub(crate) fn admin_failure(error: ClientError) -> Failure {
    Failure(format!("envoy's admin interface: {error}"))
}
