//! An Envoy in process: a strict proxy-wasm host on wasmtime, with a connection manager, a filter chain, a router, several
//! workers on threads of their own, and a clock that tests set.
//!
//! It runs any proxy-wasm module of ABI 0.1.0, 0.2.0 and 0.2.1 and aims at real Envoy's behaviour down to statuses, phases
//! and the order of callbacks, because a lenient host would pass modules that fail in production. It counts what a
//! request costs. What it does not have is listed in `README.md` beside this crate.

mod attributes;
mod callout;
mod chain;
mod clock;
mod context;
mod cost;
mod date;
mod end;
mod error;
mod expressions;
mod flags;
mod gateway;
mod guest;
mod hcm;
mod headers;
mod hostcall;
mod local_reply;
mod module;
mod pairs;
mod path;
mod plugin;
mod process;
mod proto;
mod proxy;
mod queues;
mod raw;
mod router;
mod settings;
mod shared_data;
mod state;
mod stats;
mod status;
mod stream;
mod stream_data;
mod upstream;
mod value;
mod vm;
mod worker;

pub use callout::{Clusters, GrpcCall, GrpcPlan, HttpCall, HttpPlan, World};
pub use clock::Clock;
pub use cost::{Bill, Call, Costs};
pub use error::Error;
pub use gateway::InProcess;
pub use headers::HeaderMap;
pub use plugin::{FailurePolicy, PluginSpec};
pub use proxy::{Builder, Downstream, Ended, Incoming, Proxy};
pub use settings::Settings;
pub use stats::{Kind, Stat, Stats};
pub use status::Status;
pub use stream_data::{Connection, Http, TlsInfo};
