//! The real parts around a proxy: the upstreams a scenario describes, as servers on this machine.
//!
//! A world is started before its proxy, tells the proxy where its clusters are, and is asked afterwards what it saw. Its
//! upstreams may be on another machine, where [`control`] is served and hears over HTTP what to start.

mod elsewhere;
mod group;
mod upstreams;

pub use elsewhere::control;
pub use upstreams::{Upstreams, reply};
pub use weir_launch::{Broken, Received, Reply, Upstream, echo};
