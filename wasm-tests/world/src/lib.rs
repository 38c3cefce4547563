//! The real parts around a proxy: the upstreams a scenario describes, as servers on this machine.
//!
//! A world is started before its proxy, gives the proxy the addresses of its clusters, and reports afterwards what it saw.
//! Its upstreams may be on another machine: [`control`] is served there and takes over HTTP what to start.

mod collector;
mod elsewhere;
mod ext_authz;
mod group;
mod upstreams;

pub use collector::{Collector, Habit};
pub use elsewhere::control;
pub use ext_authz::{Asked, Check, ExtAuthz, Says};
pub use upstreams::{Upstreams, reply};
pub use weir_launch::{Broken, Received, Reply, Upstream, echo};
