//! Reads scenario files, strictly: an unknown field, a step without a check or a name that is not the file's is an error.

use crate::{Behaviour, Protocol, Scenario, Step, Target, Tls};
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a file could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.message)
    }
}

impl std::error::Error for LoadError {}

/// Reads one scenario from YAML text. YAML is taken as a way to write JSON, so no tags; a key given twice is an error.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn load_text(text: &str) -> Result<Scenario, String> {
    let written: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).map_err(|e| e.to_string())?;
    let mut written = serde_json::to_value(written).map_err(|e| e.to_string())?;
    let steps = match written.get_mut("steps").map(serde_json::Value::take) {
        Some(serde_json::Value::Array(steps)) => steps,
        Some(_) => return Err("`steps` is a list".to_owned()),
        None => Vec::new(),
    };
    if let Some(value) = written.get_mut("steps") {
        *value = serde_json::Value::Array(Vec::new());
    }
    let mut scenario: Scenario = serde_json::from_value(written).map_err(|e| e.to_string())?;
    for (number, step) in steps.into_iter().enumerate() {
        let step = serde_json::from_value(step).map_err(|e| format!("step {}: {e}", number + 1))?;
        scenario.steps.push(step);
    }
    check(&scenario)?;
    Ok(scenario)
}

/// Reads one file.
///
/// # Errors
/// When it cannot be read, is not a scenario, or has another name than its file.
pub fn load(file: &Path) -> Result<Scenario, LoadError> {
    let error = |message: String| LoadError { file: file.to_owned(), message };
    let text = std::fs::read_to_string(file).map_err(|e| error(e.to_string()))?;
    let scenario = load_text(&text).map_err(error)?;
    if file.file_stem().and_then(|stem| stem.to_str()) != Some(scenario.name.as_str()) {
        return Err(error(format!("the scenario calls itself `{}`", scenario.name)));
    }
    Ok(scenario)
}

/// Reads every `.yaml` file of a directory, in the order of their names.
///
/// # Errors
/// The first file that cannot be used, or a directory without scenarios.
pub fn load_dir(dir: &Path) -> Result<Vec<Scenario>, LoadError> {
    let error = |message: String| LoadError { file: dir.to_owned(), message };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| error(e.to_string()))? {
        let path = entry.map_err(|e| error(e.to_string()))?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(error("no scenario here".to_owned()));
    }
    files.iter().map(|file| load(file)).collect()
}

/// What the types alone cannot say.
fn check(scenario: &Scenario) -> Result<(), String> {
    if scenario.proxy.workers == 0 {
        return Err("`proxy.workers` is at least 1".to_owned());
    }
    if matches!(scenario.start, crate::Outcome::Accepted) && scenario.steps.is_empty() {
        return Err("a scenario that starts has steps".to_owned());
    }
    for route in &scenario.world.routes {
        if route.connect != route.prefix.is_empty() {
            return Err(format!("route `{}` has a `prefix` or is for `connect`", route.name));
        }
        if let Target::Cluster(name) = &route.to
            && !scenario.world.clusters.contains_key(name)
        {
            return Err(format!("route `{}` leads to cluster `{name}`, which the world lacks", route.prefix));
        }
    }
    for (name, cluster) in &scenario.world.clusters {
        if let Behaviour::Answer(answer) | Behaviour::ResetMidBody(answer) = &cluster.behaviour
            && !answer.trailers.0.is_empty()
            && !cluster.http2
        {
            return Err(format!("cluster `{name}` answers with trailers and needs `http2`"));
        }
    }
    let requests = scenario.steps.iter().filter_map(|step| match step {
        Step::Exchange(exchange) => Some(&exchange.request),
        Step::Configure(configure) => configure.during.as_ref(),
        _ => None,
    });
    for request in requests {
        let (raw, tcp) = (request.protocol == Protocol::Raw, request.protocol == Protocol::Tcp);
        if raw == request.raw.0.is_empty() && !tcp {
            return Err("`raw` is given with protocol `raw`, and there or with `tcp` only".to_owned());
        }
        if tcp != scenario.proxy.tcp.is_some() {
            return Err("a proxy with `tcp` takes requests of protocol `tcp`, and no other does".to_owned());
        }
        if !tcp && !request.greeting.0.is_empty() {
            return Err("`greeting` is for protocol `tcp`".to_owned());
        }
        if tcp && (request.abort.is_some() || request.jwt.is_some()) {
            return Err("a connection has neither `abort` nor `jwt`".to_owned());
        }
        if !request.tunnel.0.is_empty() && request.protocol != Protocol::H1 {
            return Err("`tunnel` is for protocol `h1`".to_owned());
        }
        if request.client.uris().is_some() && scenario.proxy.tls == Tls::None {
            return Err("a client with an identity needs `proxy.tls`".to_owned());
        }
        if request.jwt.is_some() && (raw || !scenario.proxy.jwt_authn) {
            return Err("`jwt` needs `proxy.jwtAuthn`, and is not for protocol `raw`".to_owned());
        }
        if request.worker.is_some_and(|worker| worker >= scenario.proxy.workers) {
            return Err("`worker` is below `proxy.workers`".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
