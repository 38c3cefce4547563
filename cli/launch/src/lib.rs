//! One Envoy process and what stands around it: find or fetch the binary, start it, wait until it is ready, ask its admin
//! interface, and a small upstream and client to send requests through it.
//!
//! `weir run` and every test that needs a real Envoy are built on this crate, so it is part of `make run`: few
//! dependencies, blocking calls, and nothing that stays behind. Each [`Envoy`] is killed when dropped, and a guardian kills
//! it when this process is itself killed.

#[cfg(feature = "tls")]
mod certificates;
mod client;
mod clock;
mod envoy;
mod fetch;
mod find;
mod guardian;
mod log;
mod ports;
#[cfg(feature = "tls")]
mod tls;
mod upstream;
mod version;

#[cfg(feature = "tls")]
pub use certificates::{Authority, CertificateError, Identity};
pub use client::{Client, ClientError, Connection, Protocol, Request, Response};
pub use clock::{Deadline, wait_until};
pub use envoy::{Envoy, Launch, StartError};
pub use find::{FindError, find, find_wanted, wanted_version};
pub use log::LogTail;
pub use ports::{PortError, check_free, free_port};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
pub use upstream::{Broken, Received, Reply, Upstream, echo};
pub use version::{DEFAULT_VERSION, SUPPORTED, Supported, supported};
