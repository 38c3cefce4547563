//! The gateway whose proxies run in the container for Envoy.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use weir_launch::wait_until;
use weir_scenario::{Failure, Gateway, Scenario, Started, World};
use weir_test_envoy::{Booted, Proxy, Setup, Site};

/// How long the containers may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts an Envoy for every scenario in the container for Envoy, with upstreams in theirs.
#[derive(Clone, Copy, Debug)]
pub struct Containers {
    site: Site,
}

impl Containers {
    /// Waits until both containers answer: `machine` serves Envoys, `upstreams` is the control of the upstreams, each a
    /// name and a port.
    ///
    /// # Errors
    /// When one does not answer.
    pub fn reach(machine: &str, upstreams: &str) -> Result<Self, Failure> {
        let (machine, upstreams) = (reach(machine)?, reach(upstreams)?);
        Ok(Self { site: Site { address: machine.ip(), upstreams: Some(upstreams) } })
    }
}

fn reach(name: &str) -> Result<SocketAddr, Failure> {
    let reached = wait_until(PATIENCE, || {
        let mut addresses = name.to_socket_addrs().ok()?;
        addresses.find(|address| TcpStream::connect_timeout(address, Duration::from_secs(1)).is_ok())
    });
    reached.ok_or_else(|| Failure(format!("`{name}` does not answer")))
}

impl Gateway for Containers {
    fn world(&self) -> World {
        World::Docker
    }

    fn start(&mut self, scenario: &Scenario) -> Result<Started, Failure> {
        let setup = Setup { site: self.site, ..Setup::of(scenario)? };
        Ok(match Proxy::start(setup)? {
            Booted::Ready(proxy) => Started::Ready(proxy),
            Booted::Refused(log) => Started::Refused(log),
        })
    }
}
