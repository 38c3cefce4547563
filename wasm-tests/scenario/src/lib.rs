//! Scenarios: what a proxy is given and what must come of it, as data, and the trait through which any proxy can run them.
//!
//! A scenario file names filters, a world around the proxy, and steps. The same file runs in the in-process host, in a
//! real Envoy and in an Envoy under Docker, because the runner knows only [`Gateway`] and [`Session`].
//! The format is described in `wasm-tests/scenarios/README.md`.

mod bytes;
mod check;
mod expect;
mod gateway;
pub mod jwt;
mod load;
mod metrics;
mod proxy;
mod report;
mod request;
mod run;
mod scenario;
mod span;
mod world;

pub use bytes::{Bytes, Fields};
pub use expect::{Body, Expect, HeaderCheck, HeaderChecks, Status, Text};
pub use gateway::{Change, Failure, Gateway, LogLine, Record, Response, Seen, Session, Started, World};
pub use load::{LoadError, load, load_dir, load_text};
pub use metrics::{Metrics, Sample, Value};
pub use proxy::{
    Direction, EscapedSlashes, FilterSpec, FilterStateValue, Module, Node, PathNormalization, Proxy, TcpServer, Tls,
};
pub use report::{Mismatch, Summary, Verdict};
pub use request::{Abort, Addresses, Client, Payload, Protocol, Request};
pub use run::{ask, make_room, run_all, run_dir, run_one};
pub use scenario::{
    Configure, CounterCheck, Exchange, HistogramCheck, LogCheck, Outcome, Scenario, Step, Window, WorldSkips,
};
pub use span::{Offset, Span};
pub use world::{Answer, Behaviour, Cluster, Route, Surroundings, Target};
