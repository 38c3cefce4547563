//! What a core leaves behind besides its verdict: the shell drains it as the last act of a callback.

use crate::{CallId, Callout};

/// A series of one owner, numbered by that owner in the order of definition from 0.
pub type SeriesId = u32;

/// The kind of an Envoy metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises.
    Counter,
    /// Is set.
    Gauge,
    /// Distribution of integers.
    Histogram,
}

/// One metric operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricOp {
    /// Gives a series its kind and full stat name. Must precede its first use; once per series and VM.
    Define {
        /// Whose series.
        owner: u8,
        /// Which series.
        series: SeriesId,
        /// Its kind.
        kind: MetricKind,
        /// Its stat name, labels encoded.
        name: String,
        /// It is created ahead of others that wait, see [`Effects::urgent`].
        urgent: bool,
    },
    /// Adds to a counter; at least 1.
    Add {
        /// Whose series.
        owner: u8,
        /// Which series.
        series: SeriesId,
        /// How much.
        by: u64,
    },
    /// Sets a gauge or records into a histogram.
    Record {
        /// Whose series.
        owner: u8,
        /// Which series.
        series: SeriesId,
        /// The value.
        value: u64,
    },
}

/// A definition that may wait. Creating a stat costs Envoy up to several milliseconds of the worker's time, so the shell
/// makes the definitions of one callback in order until they have cost too much, and declines the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Whose series.
    pub owner: u8,
    /// Which series.
    pub series: SeriesId,
    /// Its kind.
    pub kind: MetricKind,
    /// Its stat name, labels encoded.
    pub name: String,
    /// What it counts as soon as it is defined: added to a counter, recorded into a histogram.
    pub values: Vec<u64>,
}

/// What definitions have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// All of them together, in nanoseconds.
    pub total: u64,
    /// The slowest, in nanoseconds.
    pub slowest: u64,
}

impl Spent {
    /// Adds a definition that took this many nanoseconds.
    pub fn add(&mut self, nanos: u64) {
        self.total = self.total.saturating_add(nanos);
        self.slowest = self.slowest.max(nanos);
    }
}

/// A change of a header map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderEdit {
    /// Appends a value.
    Add(Vec<u8>, Vec<u8>),
    /// Sets the only value.
    Replace(Vec<u8>, Vec<u8>),
    /// Removes all values.
    Remove(Vec<u8>),
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For those who read the code.
    Debug,
    /// For those who run the proxy.
    Info,
    /// Something is not as configured.
    Warn,
    /// Something failed.
    Error,
}

/// What a callback changes about its stream; a buffer reused between callbacks.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    /// Filter state to set: `wasm.NAME` for each name.
    pub filter_state: Vec<(&'static str, Vec<u8>)>,
    /// Request header edits, before the request goes on. They make Envoy choose the route again.
    pub request_headers: Vec<HeaderEdit>,
    /// Response header edits; only in the response phase.
    pub response_headers: Vec<HeaderEdit>,
}

/// What the shell does after a callback, also if the stream has ended; a buffer reused between callbacks.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Who is writing; a composition sets it before it calls each of its parts.
    pub owner: u8,
    /// What is defined from now on is created ahead of what else waits to be: it counts refusals, which a
    /// client could keep out of sight by having many other counters created.
    pub urgent: bool,
    /// Metric operations in order.
    pub metrics: Vec<MetricOp>,
    /// Definitions that may wait, in the order of their importance.
    pub offers: Vec<Offer>,
    /// How long the definitions of one callback may take before the shell declines the rest of the offers, in
    /// nanoseconds. One that is begun is finished.
    pub patience: u64,
    /// The shell's answer to the latest offers: owner and series of those it defined.
    pub defined: Vec<(u8, SeriesId)>,
    /// What the definitions that were offered have cost since [`Effects::take_spent`].
    pub spent: Spent,
    /// Log lines.
    pub logs: Vec<(Level, String)>,
    /// Callouts to send.
    pub calls: Vec<(CallId, Callout)>,
    /// How many callouts there have been.
    pub called: u64,
    /// Callouts whose answer is of no use any more.
    pub cancelled: Vec<CallId>,
}

impl Effects {
    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.owner = 0;
        self.urgent = false;
        self.metrics.clear();
        self.offers.clear();
        self.patience = 0;
        self.defined.clear();
        self.spent = Spent::default();
        self.logs.clear();
        self.calls.clear();
        self.cancelled.clear();
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Self {
            owner: _,
            urgent: _,
            metrics,
            offers,
            patience: _,
            defined: _,
            spent: _,
            logs,
            calls,
            called: _,
            cancelled,
        } = self;
        metrics.is_empty() && offers.is_empty() && logs.is_empty() && calls.is_empty() && cancelled.is_empty()
    }

    /// Defines a series of the current owner.
    pub fn define(&mut self, series: SeriesId, kind: MetricKind, name: String) {
        self.metrics.push(MetricOp::Define { owner: self.owner, series, kind, name, urgent: self.urgent });
    }

    /// Offers a series of the current owner to be defined if that is quick enough, with what it counts then. Ask
    /// [`Effects::take_defined`] in the next callback.
    pub fn offer(&mut self, series: SeriesId, kind: MetricKind, name: String, values: Vec<u64>) {
        self.offers.push(Offer { owner: self.owner, series, kind, name, values });
    }

    /// The current owner's series that were offered and are now defined.
    pub fn take_defined(&mut self) -> Vec<SeriesId> {
        let owner = self.owner;
        let mine = self.defined.iter().filter(|(of, _)| *of == owner).map(|(_, series)| *series).collect();
        self.defined.retain(|(of, _)| *of != owner);
        mine
    }

    /// What definitions that were offered, by any owner, have cost since the last call.
    pub fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    /// Adds to a counter of the current owner; zero is nothing.
    pub fn add(&mut self, series: SeriesId, by: u64) {
        if by > 0 {
            self.metrics.push(MetricOp::Add { owner: self.owner, series, by });
        }
    }

    /// Sets a gauge or records into a histogram of the current owner.
    pub fn record(&mut self, series: SeriesId, value: u64) {
        self.metrics.push(MetricOp::Record { owner: self.owner, series, value });
    }

    /// Sends a callout of the current owner. Its answer arrives at [`crate::Filter::called`] with the same id, exactly once.
    pub fn call(&mut self, callout: Callout) -> CallId {
        self.called = self.called.wrapping_add(1);
        let id = CallId { owner: self.owner, number: self.called };
        self.calls.push((id, callout));
        id
    }

    /// Says that no stream waits for a callout any more and that its answer is of no use. The host ends it if it can, which
    /// Envoy does for gRPC; then there is no answer. Of HTTP the answer arrives all the same.
    pub fn cancel(&mut self, id: CallId) {
        self.cancelled.push(id);
    }

    /// Writes a log line.
    pub fn log(&mut self, level: Level, line: impl Into<String>) {
        self.logs.push((level, line.into()));
    }
}
