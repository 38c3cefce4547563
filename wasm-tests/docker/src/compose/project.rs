//! The commands of docker and compose, on the project that `run` names.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use super::failed;
use weir_launch::free_port;
use weir_scenario::Failure;

/// A compose project and where its ports are on this machine.
#[derive(Debug)]
pub struct Project {
    /// The compose program and the arguments that name the project.
    command: Vec<String>,
    /// The variables that give the ports.
    ports: Vec<(&'static str, String)>,
    pub(super) envoy: SocketAddr,
    pub(super) second: SocketAddr,
    pub(super) prometheus: SocketAddr,
}

impl Project {
    /// The project whose compose command is in `WEIR_COMPOSE_COMMAND`, a word a line, on free ports.
    ///
    /// # Errors
    /// If the variable is not set, or no port is free.
    pub fn from_environment() -> Result<Self, Failure> {
        let command = env::var("WEIR_COMPOSE_COMMAND")
            .map_err(|error| Failure(format!("WEIR_COMPOSE_COMMAND: {error}: run `make test-docker`")))?;
        let command = command.lines().map(str::to_owned).collect();
        let mut ports = Vec::new();
        let mut address = |variable| -> Result<SocketAddr, Failure> {
            let port = free_port().map_err(failed)?;
            ports.push((variable, port.to_string()));
            Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        };
        let envoy = address("WEIR_PORT")?;
        let second = address("WEIR_PORT_2")?;
        let prometheus = address("WEIR_PROMETHEUS_PORT")?;
        address("WEIR_ADMIN_PORT")?;
        address("WEIR_ADMIN_PORT_2")?;
        Ok(Self { command, ports, envoy, second, prometheus })
    }

    /// Starts services, those of profiles too if they are named.
    pub(super) fn up(&self, services: &[&str]) -> Result<(), Failure> {
        self.compose(&[&["up", "-d", "--no-recreate"], services].concat()).map(drop)
    }

    /// Starts a container again that has ended.
    pub(super) fn start(&self, service: &str) -> Result<(), Failure> {
        self.compose(&["start", service]).map(drop)
    }

    /// Kills the container of a service, and returns when it has ended.
    pub(super) fn kill(&self, service: &str) -> Result<(), Failure> {
        let id = self.compose(&["ps", "-q", service])?;
        let killed = output(Command::new("docker").args(["kill", id.trim()]))?;
        output(Command::new("docker").args(["wait", killed.trim()])).map(drop)
    }

    fn compose(&self, arguments: &[&str]) -> Result<String, Failure> {
        let (program, given) = self.command.split_first().ok_or_else(|| failed("WEIR_COMPOSE_COMMAND is empty"))?;
        output(Command::new(program).args(given).args(arguments).envs(self.ports.iter().cloned()))
    }
}

/// What a command prints.
fn output(command: &mut Command) -> Result<String, Failure> {
    let done = command.stdin(Stdio::null()).output().map_err(|error| Failure(format!("{command:?}: {error}")))?;
    if !done.status.success() {
        return Err(Failure(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr))));
    }
    String::from_utf8(done.stdout).map_err(failed)
}
