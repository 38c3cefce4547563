//! The one trait between scenarios and proxies.
//!
//! A [`Gateway`] starts a proxy for a scenario; a [`Session`] is that proxy while it runs. Both are synchronous: a
//! scenario is a sequence, and an implementer that is asynchronous inside blocks at this border. Failures of the
//! machinery are values ([`Failure`]), apart from what a scenario expects, so that a broken world is never a passed test.

use crate::{Bytes, Fields, FilterSpec, Metrics, Offset, Request, Scenario};
use std::fmt;
use std::time::Duration;

/// Which kind of proxy a gateway starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// The in-process host.
    InProcess,
    /// A real Envoy on this machine.
    Envoy,
    /// A real Envoy in a container.
    Docker,
}

impl World {
    /// Why a scenario cannot run in this world, if it cannot.
    #[must_use]
    pub fn skip(self, scenario: &Scenario) -> Option<&str> {
        let skips = &scenario.worlds;
        match self {
            World::InProcess => skips.in_process.as_deref(),
            World::Envoy => skips.envoy.as_deref(),
            World::Docker => skips.docker.as_deref(),
        }
    }

    /// Whether statistics and logs of a proxy may arrive after the response that caused them.
    #[must_use]
    pub fn lags(self) -> bool {
        self != World::InProcess
    }
}

/// The machinery failed: no port, no binary, no answer within the deadline. Never a scenario's own expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Starts proxies.
pub trait Gateway {
    /// Which world this is.
    fn world(&self) -> World;

    /// Starts a proxy with the scenario's filters, proxy settings and surroundings, and waits until it serves or has
    /// refused its configuration. A clock that can be set starts at a whole hour.
    ///
    /// # Errors
    /// When the machinery fails, not when the proxy refuses the configuration.
    fn start(&mut self, scenario: &Scenario) -> Result<Started, Failure>;
}

/// The outcome of a start.
pub enum Started {
    /// The proxy serves.
    Ready(Box<dyn Session>),
    /// The proxy refused its configuration and is gone; what it reported, all log lines included.
    Refused(String),
}

/// A running proxy. Dropping it must stop everything that was started.
pub trait Session {
    /// Sends one request and waits for the whole response, its reset, or the request's timeout.
    /// Each request has a new connection, unless the implementation can reuse one; connections of different clients are
    /// never shared.
    ///
    /// # Errors
    /// When the machinery fails; a reset, a refused connection or no answer is a [`Response`] without status.
    fn send(&mut self, request: &Request) -> Result<Response, Failure>;

    /// The access log record of the newest stream that has ended since the last request was begun, waiting for it if
    /// need be.
    ///
    /// # Errors
    /// When no record comes within the implementer's deadline.
    fn record(&mut self) -> Result<Record, Failure>;

    /// Swaps the filters' configuration (same modules, same order) and waits until the proxy has taken or refused it.
    /// Where `during` is given, that request is sent over and over on a connection of its own from before the swap
    /// until after it, at least ten times, and the responses come back in order.
    ///
    /// # Errors
    /// When the machinery fails, not when the proxy refuses.
    fn configure(&mut self, filters: &[FilterSpec], during: Option<&Request>) -> Result<Change, Failure>;

    /// Lets time pass: sets the clock forward in process (ticks that fall due are run), sleeps in a real world.
    ///
    /// # Errors
    /// When the machinery fails.
    fn advance(&mut self, by: Duration) -> Result<(), Failure>;

    /// Sets the proxy's wall clock off from the true time; its monotonic clock does not notice.
    ///
    /// # Errors
    /// When the machinery fails.
    fn set_wall_clock(&mut self, off: Offset) -> Result<(), Failure>;

    /// The proxy's wall clock, as the time since the Unix epoch.
    fn now(&self) -> Duration;

    /// The metrics that the modules defined, as Prometheus shows them. The runner asks again, up to a deadline, where
    /// the world lags.
    ///
    /// # Errors
    /// When the machinery fails.
    fn metrics(&mut self) -> Result<Metrics, Failure>;

    /// Every line that the proxy logged at `info` or above since it was started.
    ///
    /// # Errors
    /// When the machinery fails.
    fn logs(&mut self) -> Result<Vec<LogLine>, Failure>;

    /// How many VMs have failed (trapped, or been restarted) since the start. The runner demands none at the end of every
    /// scenario.
    ///
    /// # Errors
    /// When the machinery fails.
    fn vm_failures(&mut self) -> Result<u64, Failure>;

    /// Stops everything that was started.
    ///
    /// # Errors
    /// When something would not stop.
    fn stop(self: Box<Self>) -> Result<(), Failure>;
}

/// What a client got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Status; `None` when the stream was reset, the connection closed or the client's patience at its end before any
    /// response header.
    pub status: Option<u16>,
    /// Headers in order, names in lower case.
    pub headers: Fields,
    /// What arrived of the body.
    pub body: Bytes,
    /// Trailers in order, names in lower case.
    pub trailers: Fields,
    /// Whether the response broke off: reset, closed early, or late.
    pub broken: bool,
    /// The request as an upstream saw it, if one did. An implementer whose upstream is elsewhere waits a little before it
    /// says that none did.
    pub seen: Option<Seen>,
}

/// A request as the upstream saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Method.
    pub method: String,
    /// Path with query.
    pub path: Bytes,
    /// Headers in order, names in lower case, with `:authority` or `host`.
    pub headers: Fields,
    /// How many bytes of body arrived.
    pub body_size: usize,
    /// Trailers in order, names in lower case.
    pub trailers: Fields,
}

/// One line of the access log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `%RESPONSE_CODE%`
    pub status: u16,
    /// `%RESPONSE_CODE_DETAILS%`
    pub details: Bytes,
    /// `%RESPONSE_FLAGS%`; `-` for none
    pub flags: Bytes,
    /// Filter state `wasm.weir.policy` as plain text; `-` for none
    pub policy: Bytes,
    /// Filter state `wasm.weir.rate_limit` as plain text; `-` for none
    pub rate_limit: Bytes,
    /// Filter state `wasm.weir.authz_metadata` as plain text, or what Envoy's own ext_authz filter left in dynamic metadata,
    /// as JSON; `-` for none
    pub authz_metadata: Bytes,
    /// How many lines of the access log the request has so far: more than one where it is logged while it lasts, or is
    /// redirected inside the proxy.
    pub lines: usize,
}

/// The outcome of a swap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// `None` when the new configuration is in force; else what the proxy reported, log lines since the swap began
    /// included.
    pub refused: Option<String>,
    /// The responses to the request that was sent meanwhile.
    pub during: Vec<Response>,
}

/// A line of the proxy's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// `info`, `warn`, `error`, `critical`
    pub level: String,
    /// The text, without time and thread.
    pub text: String,
}
