//! The scenarios' gateway: the shipped modules in this host.

mod connections;

use crate::http::codec;
use crate::http::headers::HeaderMap;
use crate::http::message::Incoming;
use crate::http::stream_data::{Connection, Http, TlsInfo};
use crate::process::cost::Bill;
use crate::process::lock;
use crate::process::settings::Settings;
use crate::process::stats::{Kind, Stat};
use crate::proxy::Proxy;
use crate::vm::plugin::PluginSpec;
use crate::worker::stream::Ended;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_scenario::{
    Abort, Change, Failure, FilterSpec, Gateway, LogLine, Metrics, Module, Offset, Protocol, Record, Request, Response,
    Sample, Scenario, Session, Started, Tls, Value, World, jwt,
};

/// How long a client waits where the request says nothing.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many requests are sent around a swap: before it and after it, besides the one in flight.
const AROUND: usize = 6;
const JWT_FILTER: &str = "envoy.filters.http.jwt_authn";

/// Runs scenarios in this host, with the modules of a directory.
pub struct InProcess {
    modules: PathBuf,
    loaded: BTreeMap<&'static str, Arc<[u8]>>,
    /// What each scenario has cost.
    bills: Arc<Mutex<BTreeMap<String, Bill>>>,
}

impl InProcess {
    /// A gateway with the modules `policy.wasm`, `rate-limit.wasm`, `telemetry.wasm` and `suite.wasm` of a directory.
    pub fn new(modules: impl Into<PathBuf>) -> Self {
        InProcess { modules: modules.into(), loaded: BTreeMap::new(), bills: Arc::default() }
    }

    /// What each scenario that was run has cost, by its name.
    #[must_use]
    pub fn bills(&self) -> BTreeMap<String, Bill> {
        lock(&self.bills).clone()
    }

    fn module(&mut self, module: Module) -> Result<Arc<[u8]>, Failure> {
        let stem = module.stem();
        if let Some(bytes) = self.loaded.get(stem) {
            return Ok(Arc::clone(bytes));
        }
        let file = self.modules.join(format!("{stem}.wasm"));
        let bytes = std::fs::read(&file).map_err(|e| Failure(format!("no module {}: {e}", file.display())))?;
        let bytes: Arc<[u8]> = bytes.into();
        self.loaded.insert(stem, Arc::clone(&bytes));
        Ok(bytes)
    }

    fn plugins(&mut self, filters: &[FilterSpec]) -> Result<Vec<PluginSpec>, Failure> {
        let plugin = |(position, filter): (usize, &FilterSpec)| {
            let FilterSpec { module, config, root_id, vm_config } = filter;
            let configuration = match config {
                Json::String(text) => text.clone().into_bytes(),
                other => other.to_string().into_bytes(),
            };
            let name = format!("{}-{position}", module.stem());
            let root_id = root_id.clone();
            Ok(PluginSpec {
                root_id,
                vm_id: name.clone(),
                vm_config: vm_config.clone().into_bytes(),
                ..PluginSpec::new(&name, self.module(*module)?, configuration)
            })
        };
        filters.iter().enumerate().map(plugin).collect()
    }
}

/// All lines of a log from one on, as one text.
fn report(log: &[LogLine], from: usize) -> String {
    let lines: Vec<String> = log.iter().skip(from).map(|line| format!("[{}] {}", line.level, line.text)).collect();
    lines.join("\n")
}

impl Gateway for InProcess {
    fn world(&self) -> World {
        World::InProcess
    }

    fn start(&mut self, scenario: &Scenario) -> Result<Started, Failure> {
        let tcp_server = connections::server(&scenario.proxy);
        let (proxy, surroundings) = (scenario.proxy.clone(), scenario.world.clone());
        let settings = Settings { proxy, surroundings, tcp_server, ..Settings::default() };
        let plugins = self.plugins(&scenario.filters)?;
        let mut builder = Proxy::builder().settings(settings);
        for plugin in plugins {
            builder = builder.plugin(plugin);
        }
        let (proxy, applied) = builder.try_build().map_err(|e| Failure(e.to_string()))?;
        if let Err(refused) = applied {
            let bill = Bill { whole: proxy.costs().map_err(machinery)?, ..Bill::default() };
            lock(&self.bills).insert(scenario.name.clone(), bill);
            return Ok(Started::Refused(format!("{}\n{refused}", report(&proxy.log(), 0))));
        }
        let (modules, loaded, bills) = (self.modules.clone(), self.loaded.clone(), Arc::clone(&self.bills));
        let gateway = InProcess { modules, loaded, bills };
        let name = scenario.name.clone();
        let workers = usize::try_from(scenario.proxy.workers).unwrap_or(1);
        let tls = scenario.proxy.tls.clone();
        Ok(Started::Ready(Box::new(InProcessSession {
            name,
            proxy,
            gateway,
            workers,
            tls,
            proxy_protocol: scenario.proxy.proxy_protocol,
            next: 0,
            record: None,
            bill: Bill::default(),
        })))
    }
}

/// A running proxy, driven by a scenario.
struct InProcessSession {
    name: String,
    proxy: Proxy,
    gateway: InProcess,
    workers: usize,
    tls: Tls,
    proxy_protocol: bool,
    /// Connections so far: they go to the workers in turn.
    next: usize,
    record: Option<Record>,
    bill: Bill,
}

fn machinery(error: crate::error::Error) -> Failure {
    Failure(error.to_string())
}

impl InProcessSession {
    fn connection(&self, request: &Request) -> Option<Connection> {
        let plain = request.addresses.map_or_else(Connection::default, |both| Connection {
            source: both.source.to_string(),
            destination: both.destination.to_string(),
            tls: None,
        });
        let (server, uris) = match (&self.tls, request.client.uris()) {
            (Tls::None, _) | (Tls::Permissive(_), None) => return Some(plain),
            // A client without TLS at a listener that speaks nothing else is cut off.
            (Tls::Mtls(_), None) => return None,
            (Tls::Mtls(server) | Tls::Permissive(server), Some(uris)) => (server, uris),
        };
        let tls = TlsInfo {
            peer_presented: true,
            peer_uri_sans: uris.to_vec(),
            local_uri_sans: vec![server.clone()],
            sni: request.sni.clone(),
            version: "TLSv1.3".to_owned(),
            ..TlsInfo::default()
        };
        Some(Connection { tls: Some(tls), ..plain })
    }

    fn pick(&mut self, request: &Request) -> usize {
        let chosen = self.next;
        self.next += 1;
        request.worker.and_then(|worker| usize::try_from(worker).ok()).unwrap_or(chosen) % self.workers.max(1)
    }

    fn response(&mut self, ended: Ended) -> Response {
        let Ended { downstream, seen, record, costs, .. } = ended;
        self.bill.streams += 1;
        self.bill.in_streams.add(&costs);
        self.record = Some(record);
        Response {
            status: downstream.status,
            headers: downstream.headers,
            body: downstream.body,
            trailers: downstream.trailers,
            broken: downstream.broken,
            seen,
        }
    }
}

/// A request as the codec hands it over, or what the codec answers by itself.
fn incoming(request: &Request, connection: Connection) -> Result<Incoming, codec::Refusal> {
    if request.protocol == Protocol::Raw {
        return codec::parse(&request.raw.0, connection);
    }
    // The order in which the codecs and the client hand them over.
    let order = if request.protocol == Protocol::H2 {
        [":method", ":scheme", ":authority", ":path"]
    } else {
        [":authority", ":path", ":method", ""]
    };
    let connect = request.method == "CONNECT" && request.protocol == Protocol::H1;
    let scheme = if connection.tls.is_some() { "https" } else { "http" };
    let mut headers = HeaderMap::default();
    for name in order {
        let value = match name {
            ":method" => request.method.as_bytes(),
            ":scheme" => scheme.as_bytes(),
            // The target of a CONNECT over HTTP/1 is its host.
            ":path" if connect => continue,
            ":authority" if connect => request.path.as_slice(),
            ":path" => request.path.as_slice(),
            ":authority" if !request.omit_authority => request.authority.as_slice(),
            _ => continue,
        };
        headers.add(name.as_bytes(), value);
    }
    // Envoy's JWT filter takes the token out of the headers and leaves its claims as metadata.
    let dynamic_metadata = request.jwt.as_ref().map(|claims| (JWT_FILTER.to_owned(), jwt::metadata(claims).into()));
    let without_jwt = Request { jwt: None, ..request.clone() };
    for (name, value) in without_jwt.all_headers() {
        headers.add(name.as_slice(), value.as_slice());
    }
    let body = request.body.to_vec();
    let http = if request.protocol == Protocol::H2 { Http::V2 } else { Http::V11 };
    if !body.is_empty() && http == Http::V11 && headers.get(b"content-length").is_none() {
        headers.add(b"content-length", body.len().to_string().as_bytes());
    }
    let trailers = request.trailers.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
    let trailers = (!request.trailers.0.is_empty()).then(|| HeaderMap::new(trailers));
    let dynamic_metadata = dynamic_metadata.into_iter().collect();
    let incoming = Incoming { headers, body, trailers, http, connection, dynamic_metadata, ..Incoming::default() };
    codec::check(&incoming)?;
    Ok(incoming)
}

impl Session for InProcessSession {
    fn send(&mut self, request: &Request) -> Result<Response, Failure> {
        self.record = None;
        if request.addresses.is_some() && !self.proxy_protocol {
            return Err(Failure("a request with addresses needs a listener with `proxyProtocol`".to_owned()));
        }
        let Some(connection) = self.connection(request) else {
            return Ok(Response { broken: true, ..Response::default() });
        };
        let worker = self.pick(request);
        if request.protocol == Protocol::Tcp {
            return self.connect(request, worker, connection).map_err(machinery);
        }
        let patience = request.timeout.map_or(PATIENCE, |span| span.0);
        let incoming = match incoming(request, connection) {
            Ok(incoming) => incoming,
            Err(refusal) => {
                self.record = Some(codec::record(&refusal));
                return Ok(codec::response(&refusal));
            }
        };
        let proxy = &self.proxy;
        let ended = match request.abort {
            None if !request.tunnel.0.is_empty() => proxy.tunnel(worker, incoming, request.tunnel.0.clone(), patience),
            None => proxy.http_stream(worker, incoming, patience),
            Some(abort) => {
                let body = incoming.body.clone();
                let part = match abort {
                    Abort::AfterHeaders => 0,
                    Abort::MidBody => body.len() / 2,
                    Abort::BeforeResponse => body.len(),
                };
                let whole = abort == Abort::BeforeResponse;
                let nothing = body.is_empty() && whole;
                proxy.open(worker, incoming, nothing).and_then(|stream| {
                    let part = body.get(..part).unwrap_or_default().to_vec();
                    if !part.is_empty() {
                        proxy.send(worker, stream, part, whole)?;
                    }
                    proxy.abort(worker, stream)
                })
            }
        };
        let ended = ended.map_err(machinery)?;
        Ok(self.response(ended))
    }

    fn record(&mut self) -> Result<Record, Failure> {
        self.record.clone().ok_or_else(|| Failure("no stream has ended since the last request was begun".to_owned()))
    }

    fn configure(&mut self, filters: &[FilterSpec], during: Option<&Request>) -> Result<Change, Failure> {
        let plugins = self.gateway.plugins(filters)?;
        let mut responses = Vec::new();
        if let Some(request) = during {
            for _ in 0..AROUND {
                responses.push(self.send(request)?);
            }
        }
        // One more is under way while the swap happens.
        let mut flying = None;
        if let Some(request) = during.filter(|request| request.protocol != Protocol::Tcp)
            && let Some(connection) = self.connection(request)
            && let Ok(incoming) = incoming(request, connection)
            && incoming.trailers.is_none()
        {
            let worker = self.pick(request);
            let body = incoming.body.clone();
            let end = body.is_empty();
            let stream = self.proxy.open(worker, incoming, end).map_err(machinery)?;
            flying = Some((worker, stream, body));
        }
        let from = self.proxy.log().len();
        let refused =
            self.proxy.reconfigure(plugins).err().map(|e| format!("{}\n{e}", report(&self.proxy.log(), from)));
        if let Some((worker, stream, body)) = flying {
            if !body.is_empty() {
                self.proxy.send(worker, stream, body, true).map_err(machinery)?;
            }
            let ended = self.proxy.finish(worker, stream, PATIENCE).map_err(machinery)?;
            responses.push(self.response(ended));
        }
        if let Some(request) = during {
            for _ in 0..AROUND {
                responses.push(self.send(request)?);
            }
        }
        Ok(Change { refused, during: responses })
    }

    fn advance(&mut self, by: Duration) -> Result<(), Failure> {
        self.proxy.advance(by).map_err(machinery)
    }

    fn set_wall_clock(&mut self, off: Offset) -> Result<(), Failure> {
        self.proxy.clock().set_off(off.millis.saturating_mul(1_000_000));
        Ok(())
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.proxy.clock().wall())
    }

    fn metrics(&mut self) -> Result<Metrics, Failure> {
        #[expect(clippy::cast_precision_loss, reason = "counts in scenarios are far below 2^52")]
        let number = |value: u64| value as f64;
        self.proxy.fire_timers().map_err(machinery)?;
        let stats = self.proxy.stats();
        let sample = |(_, name, stat): (Kind, &[u8], &Stat)| {
            let value = match stat {
                Stat::Counter(value) | Stat::Gauge(value) => Value::Number(number(*value)),
                Stat::Histogram(samples) => {
                    Value::Histogram { count: samples.len() as u64, sum: number(samples.iter().sum()) }
                }
            };
            Sample::from_stat(&String::from_utf8_lossy(name), value)
        };
        Ok(Metrics(stats.iter().map(sample).collect()))
    }

    fn logs(&mut self) -> Result<Vec<LogLine>, Failure> {
        Ok(self.proxy.log())
    }

    fn vm_failures(&mut self) -> Result<u64, Failure> {
        Ok(self.proxy.vm_failures())
    }

    fn stop(self: Box<Self>) -> Result<(), Failure> {
        let InProcessSession { name, proxy, gateway, bill, .. } = *self;
        let bill = Bill { whole: proxy.costs().map_err(machinery)?, ..bill };
        lock(&gateway.bills).insert(name, bill);
        Ok(())
    }
}
