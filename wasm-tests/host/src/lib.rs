//! An Envoy in process: a strict proxy-wasm host on wasmtime, with a connection manager, a filter chain, a router, several
//! workers on threads of their own, and a clock that tests set.
//!
//! It runs any proxy-wasm module of ABI 0.1.0, 0.2.0 and 0.2.1 and aims at real Envoy's behaviour down to statuses, phases
//! and the order of callbacks, because a lenient host would pass modules that fail in production. It counts what a
//! request costs. What it does not have is listed in `README.md` beside this crate.
//!
//! Each folder uses only those above it in this list:
//!
//! - `abi`: statuses, pairs, property values and protobuf, as they cross between host and module.
//! - `http`: messages, paths, local replies and what is known of a stream.
//! - `process`: what all workers share, such as clock, stats, shared data and the world that answers callouts.
//! - `vm`: what one VM holds on the host's side: its plugin, contexts, metric ids and callouts.
//! - `hostcall`: what a module may call.
//! - `worker`: one thread's VMs, filter chains, router and streams.
//!
//! [`Proxy`] starts the threads; [`InProcess`] runs scenarios with it.

mod abi;
mod error;
mod gateway;
mod hostcall;
mod http;
mod process;
mod proxy;
mod vm;
mod worker;

pub use abi::status::Status;
pub use error::Error;
pub use gateway::InProcess;
pub use http::headers::HeaderMap;
pub use http::message::{Downstream, Incoming};
pub use http::stream_data::{Connection, Http, TlsInfo};
pub use process::callout::{Clusters, GrpcCall, GrpcPlan, HttpCall, HttpPlan, World};
pub use process::clock::Clock;
pub use process::cost::{Bill, Call, Costs};
pub use process::settings::{Settings, TcpServer};
pub use process::stats::{Kind, Stat, Stats};
pub use proxy::{Builder, Proxy};
pub use vm::plugin::{FailurePolicy, PluginSpec};
pub use worker::stream::Ended;
pub use worker::tcp::TcpSeen;
