//! Real Envoy for tests: any module, any scenario, any bytes.
//!
//! [`Setup`] says what stands in the proxy, [`Proxy`] is one Envoy that runs it, and [`RealEnvoy`] runs scenarios through
//! it. Each proxy is a process of its own on ports of its own, so tests may run side by side; at most two run at once.

mod access;
mod bootstrap;
mod connections;
mod discovery;
mod filters;
mod gateway;
mod paths;
mod proxy;
mod side_by_side;
mod slot;
mod stats;
mod swap;
mod tcp_server;
mod wall_clock;
mod wire;

pub use bootstrap::jwt_authn;
pub use filters::{Discovery, OnFailure, Plugin, Server, Setup, Site};
pub use gateway::RealEnvoy;
pub use paths::{envoy_binary, envoy_line, module, workspace};
pub use proxy::{Booted, Proxy};
pub use side_by_side::run_side_by_side;
pub use stats::VmStats;
pub use tcp_server::TcpServer;
pub use weir_launch::{Authority, CertificateError, Identity};
pub use wire::{ClientTls, Dialer, Wire, raw_http2};
