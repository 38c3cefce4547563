//! Scenarios in real Envoy: one proxy per scenario. Its clock runs on; only the wall clock can be set off.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weir_scenario::{
    Change, Failure, FilterSpec, Gateway, LogLine, Metrics, Offset, Record, Request, Response, Scenario, Session,
    Started, World,
};

use crate::filters::{Plugin, Setup};
use crate::proxy::{Booted, Proxy};
use crate::wall_clock::WallClock;

/// Starts a real Envoy for every scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealEnvoy;

impl Gateway for RealEnvoy {
    fn world(&self) -> World {
        World::Envoy
    }

    fn start(&mut self, scenario: &Scenario) -> Result<Started, Failure> {
        Ok(match Proxy::start(Setup::of(scenario)?)? {
            Booted::Ready(proxy) => Started::Ready(proxy),
            Booted::Refused(log) => Started::Refused(log),
        })
    }
}

impl Session for Proxy {
    fn send(&mut self, request: &Request) -> Result<Response, Failure> {
        Proxy::send(self, request)
    }

    fn record(&mut self) -> Result<Record, Failure> {
        Proxy::record(self)
    }

    fn configure(&mut self, filters: &[FilterSpec], during: Option<&Request>) -> Result<Change, Failure> {
        self.swap(Plugin::all(filters)?, during)
    }

    fn advance(&mut self, by: Duration) -> Result<(), Failure> {
        std::thread::sleep(by);
        Ok(())
    }

    fn set_wall_clock(&mut self, off: Offset) -> Result<(), Failure> {
        let none = || Failure("the proxy was started with this machine's wall clock".to_owned());
        self.wall_clock.as_mut().ok_or_else(none)?.set_off(off.millis)
    }

    fn now(&self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "the wall clock of this machine is the proxy's, too")]
        let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let off = self.wall_clock.as_ref().map_or(0, WallClock::off_millis);
        let millis = u64::try_from(here.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(millis.saturating_add_signed(off))
    }

    fn metrics(&mut self) -> Result<Metrics, Failure> {
        Proxy::metrics(self)
    }

    fn logs(&mut self) -> Result<Vec<LogLine>, Failure> {
        Proxy::logs(self)
    }

    fn vm_failures(&mut self) -> Result<u64, Failure> {
        Proxy::vm_failures(self)
    }

    fn stop(self: Box<Self>) -> Result<(), Failure> {
        Proxy::stop(*self)
    }
}
