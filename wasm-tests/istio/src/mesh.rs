//! A mesh of one proxy: objects in, a running Envoy out.

use serde_json::Value;
use tempfile::TempDir;
use weir_scenario::Failure;

use crate::{Agent, Applied, Fetch, IstioLine, Options, Proxy, Running, apply};

/// A proxy, the line of Istio that serves it, and the agent beside it, whose cache lasts as long as this.
#[derive(Debug)]
pub struct Mesh {
    proxy: Proxy,
    line: IstioLine,
    agent: Agent,
    _modules: TempDir,
}

impl Mesh {
    /// With an empty cache.
    ///
    /// # Errors
    /// When no directory can be made for the cache.
    pub fn new(proxy: Proxy, line: IstioLine) -> Result<Self, Failure> {
        let modules = tempfile::Builder::new().prefix("weir-istio-").tempdir();
        let modules = modules.map_err(|error| Failure(format!("no directory for modules: {error}")))?;
        Ok(Self { proxy, line, agent: Agent::new(modules.path().to_path_buf()), _modules: modules })
    }

    /// What istiod and the agent make of the objects: all that Envoy gets, with the resources as the agent hands them over.
    /// Call it again with edited objects, and [`Running::push`] the resources.
    ///
    /// # Errors
    /// When the objects cannot be applied, the agent refuses a resource, or something in them has no effect on this proxy.
    pub fn apply(&mut self, objects: &[Value], fetch: &mut dyn Fetch) -> Result<(Applied, Vec<Value>), Failure> {
        let applied = apply(objects, &self.proxy, self.line).map_err(|error| Failure(error.to_string()))?;
        if !applied.report.is_clean() {
            return Err(Failure(applied.report.to_string()));
        }
        let resources = self.agent.convert(&applied.extensions, fetch).map_err(|nack| Failure(nack.to_string()))?;
        Ok((applied, resources))
    }

    /// An Envoy that runs the objects.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), and when Envoy refuses the outcome.
    pub fn start(&mut self, objects: &[Value], fetch: &mut dyn Fetch, options: Options) -> Result<Running, Failure> {
        let (applied, resources) = self.apply(objects, fetch)?;
        let running = Running::start(&applied, &resources, &self.proxy, self.line, options);
        running.map_err(|error| Failure(error.to_string()))
    }
}
