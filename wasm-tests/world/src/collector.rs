//! A collector of OTLP logs over gRPC: it keeps what it is sent, and can be slow, hang, refuse, or be gone.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use weir_launch::{Received, Reply, Upstream};
use weir_proto::otlp;

/// The path of the one method.
const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
/// Longer than any client waits.
const FOREVER: Duration = Duration::from_secs(3600);

/// What a collector does with a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Habit {
    /// It keeps the records and answers.
    #[default]
    Keeps,
    /// It keeps them, and answers after this time.
    Slow(Duration),
    /// It keeps all but so many of each call, and says so.
    KeepsLess(usize),
    /// It keeps nothing and never answers.
    Hangs,
    /// It keeps nothing and answers with this status of gRPC.
    Refuses(u32),
}

/// What a collector has.
#[derive(Debug, Default)]
struct Kept {
    habit: Habit,
    /// The bodies of records, as JSON.
    records: Vec<Value>,
    calls: usize,
    /// What was wrong with calls.
    faults: Vec<String>,
}

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    kept: Arc<Mutex<Kept>>,
    port: u16,
    server: Option<Upstream>,
}

impl Collector {
    /// Starts one on a port of 127.0.0.1.
    ///
    /// # Errors
    /// When the system refuses a port or a thread.
    pub fn start() -> io::Result<Self> {
        let mut collector = Self { kept: Arc::default(), port: 0, server: None };
        collector.come_back()?;
        Ok(collector)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What it does from now on.
    pub fn set_habit(&self, habit: Habit) {
        self.kept().habit = habit;
    }

    /// Is gone: connections break, and nothing listens.
    pub fn go(&mut self) {
        self.server = None;
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    /// As [`Collector::start`].
    pub fn come_back(&mut self) -> io::Result<()> {
        let kept = self.kept.clone();
        let answer = move |received: &Received| kept.lock().unwrap_or_else(PoisonError::into_inner).answer(received);
        let server = Upstream::start(self.port, answer)?;
        self.port = server.address().port();
        self.server = Some(server);
        Ok(())
    }

    /// The records that it has, in the order in which they came: the JSON in their bodies.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        self.kept().records.clone()
    }

    /// How many records it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept().records.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often it was called, and what was wrong with the calls.
    #[must_use]
    pub fn calls(&self) -> (usize, Vec<String>) {
        let kept = self.kept();
        (kept.calls, kept.faults.clone())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn answer(&mut self, received: &Received) -> Reply {
        self.calls += 1;
        let records = match records(received) {
            Ok(records) => records,
            Err(fault) => {
                self.faults.push(fault);
                return status(3);
            }
        };
        let (delay, kept) = match self.habit {
            Habit::Keeps => (Duration::ZERO, records.len()),
            Habit::Slow(delay) => (delay, records.len()),
            Habit::KeepsLess(by) => (Duration::ZERO, records.len().saturating_sub(by)),
            Habit::Hangs => return Reply { status: 200, delay: FOREVER, ..Reply::default() },
            Habit::Refuses(code) => return status(code),
        };
        let rejected = records.len() - kept;
        self.records.extend(records.into_iter().take(kept));
        // `partial_success.rejected_log_records`, as a number of one or two bytes.
        let number = match u8::try_from(rejected) {
            Ok(number @ 0..=127) => vec![number],
            _ => vec![(rejected % 128) as u8 | 128, (rejected / 128) as u8],
        };
        let length = number.len() as u8 + 1;
        let message = if rejected == 0 { Vec::new() } else { [&[0x0a, length, 0x08][..], &number].concat() };
        let body = [&[0, 0, 0, 0, message.len() as u8][..], &message].concat();
        Reply { body, delay, ..status(0) }
    }
}

/// An answer of gRPC without a message.
fn status(code: u32) -> Reply {
    Reply {
        status: 200,
        headers: vec![("content-type".to_owned(), b"application/grpc".to_vec())],
        trailers: vec![("grpc-status".to_owned(), code.to_string().into_bytes())],
        ..Reply::default()
    }
}

/// The records of a call: the JSON in their bodies.
fn records(received: &Received) -> Result<Vec<Value>, String> {
    if received.path != EXPORT || received.header("content-type").as_deref() != Some("application/grpc") {
        return Err(format!("not a call of this service: {} {:?}", received.path, received.headers));
    }
    let message = match received.body.split_first_chunk::<5>() {
        Some(([0, length @ ..], message)) if u32::from_be_bytes(*length) as usize == message.len() => message,
        _ => return Err("not one message of gRPC".to_owned()),
    };
    let request = otlp::decode(message).ok_or("not an ExportLogsServiceRequest")?;
    let scopes = request.resource_logs.into_iter().flat_map(|of_resource| of_resource.scope_logs);
    let mut bodies = Vec::new();
    for record in scopes.flat_map(|of_scope| of_scope.log_records) {
        let body = record.body.and_then(|body| body.string).ok_or("a record without a text")?;
        bodies.push(serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?);
    }
    Ok(bodies)
}
