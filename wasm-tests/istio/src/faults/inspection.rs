//! Runs a manifest through every check until one notices something.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weir_scenario::{Failure, Request};

use super::Check;
use crate::running::NotRunning;
use crate::{Agent, Applied, Client, Fetched, IstioLine, Options, Proxy, Running, apply, sha256};

/// How long an Envoy with a mistake may take to become ready.
const READY: Duration = Duration::from_secs(10);

/// What an intact manifest does, to compare others with.
#[derive(Clone, Debug)]
pub struct Intact {
    /// The proxy.
    pub proxy: Proxy,
    /// The line of Istio.
    pub line: IstioLine,
    /// The module; its image is at every address.
    pub module: Vec<u8>,
    /// Requests, and what they are answered with while the registry has the image.
    pub requests: Vec<(Client, Request, u16)>,
}

/// Checks manifests.
#[derive(Clone, Debug)]
pub struct Inspection {
    intact: Intact,
    chains: BTreeMap<String, Vec<String>>,
}

impl Inspection {
    /// Notes where the filters of the intact manifest stand.
    ///
    /// # Errors
    /// When the manifest cannot be applied, or something in it has no effect.
    pub fn new(objects: &[Value], intact: Intact) -> Result<Self, Failure> {
        let applied = apply(objects, &intact.proxy, intact.line).map_err(|error| Failure(error.to_string()))?;
        if !applied.report.is_clean() {
            return Err(Failure(applied.report.to_string()));
        }
        Ok(Self { intact, chains: chains(&applied) })
    }

    /// The first check that notices something about a manifest, with what it noticed. `image` says whether the registry has
    /// the image; without it every request must be refused with 403.
    ///
    /// # Errors
    /// When this machine fails.
    pub fn check(&self, objects: &[Value], image: bool, directory: &Path) -> Result<Option<(Check, String)>, Failure> {
        let Intact { proxy, line, module, requests } = &self.intact;
        let applied = match apply(objects, proxy, *line) {
            Ok(applied) => applied,
            Err(error) => return Ok(Some((Check::Admission, error.to_string()))),
        };
        if !applied.report.is_clean() {
            return Ok(Some((Check::Applier, applied.report.to_string())));
        }
        let found = chains(&applied);
        if found != self.chains {
            return Ok(Some((Check::Applier, format!("{found:?} in the place of {:?}", self.chains))));
        }
        let mut fetch = |_: &str, _: Option<&str>| {
            let fetched = Fetched { module: module.clone(), manifest: Some(sha256(b"a manifest")) };
            if image { Ok(fetched) } else { Err("no route to host".to_owned()) }
        };
        let resources = match Agent::new(directory.to_path_buf()).convert(&applied.extensions, &mut fetch) {
            Ok(resources) => resources,
            Err(nack) => return Ok(Some((Check::Agent, nack.to_string()))),
        };
        if image && let Some(stand_in) = resources.iter().find(|resource| is_stand_in(resource)) {
            return Ok(Some((Check::Agent, stand_in.to_string())));
        }
        let options = Options { ready: READY, ..Options::default() };
        let running = match Running::start(&applied, &resources, proxy, *line, options) {
            Ok(running) => running,
            Err(NotRunning::Refused(log)) => return Ok(Some((Check::Envoy, log))),
            Err(NotRunning::Failed(failure)) => return Err(failure),
        };
        for (client, request, status) in requests {
            let expected = if image { *status } else { 403 };
            let found = running.send(client, request)?.status;
            if found != Some(expected) {
                let path = &request.path;
                let noticed = format!("{} {path:?}: {found:?} in the place of {expected}", request.method);
                return Ok(Some((Check::Requests, noticed)));
            }
        }
        Ok(None)
    }
}

fn is_stand_in(resource: &Value) -> bool {
    let kind = resource.pointer("/typed_config/@type").and_then(Value::as_str).unwrap_or_default();
    kind.ends_with(".RBAC")
}

/// The names of the HTTP filters of every chain, by listener and position of the chain.
fn chains(applied: &Applied) -> BTreeMap<String, Vec<String>> {
    let name = |value: &Value| value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut chains = BTreeMap::new();
    for listener in &applied.listeners {
        let own = listener.get("filter_chains").and_then(Value::as_array).into_iter().flatten();
        for (position, chain) in own.enumerate() {
            let filters = chain.get("filters").and_then(Value::as_array).into_iter().flatten();
            let http = filters.filter_map(|filter| filter.pointer("/typed_config/http_filters")?.as_array()).flatten();
            chains.insert(format!("{}[{position}]", name(listener)), http.map(name).collect());
        }
    }
    chains
}
