//! The istio-agent, which stands between istiod and Envoy: it fetches the modules that resources of extension config
//! discovery name, and hands Envoy local files.
//!
//! The rules are those of `pkg/wasm/convert.go`, `pkg/wasm/cache.go` and `pkg/wasm/options.go` of Istio. How a registry or
//! a server is asked is not part of it: that is what a [`Fetch`] does.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

mod cache;
mod message;

pub use cache::{Fetch, Fetched, PullPolicy, sha256};

use cache::{Cache, Wanted};
use message::{Family, Wasm};

/// The agent of one proxy.
#[derive(Debug)]
pub struct Agent {
    cache: Cache,
}

/// A resource that the agent cannot read. It refuses the whole answer then, and Envoy gets nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nack(pub(crate) String);

impl fmt::Display for Nack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Nack {}

/// Variables that istiod sends to the agent begin with this. None reaches Envoy.
const META: &str = "ISTIO_META";
const SECRET: &str = "ISTIO_META_WASM_IMAGE_PULL_SECRET";
const POLICY: &str = "ISTIO_META_WASM_IMAGE_PULL_POLICY";
const RESOURCE_VERSION: &str = "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION";

impl Agent {
    /// An agent that keeps modules in a directory and has none yet.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self { cache: Cache::new(directory) }
    }

    /// What Envoy gets in the place of the resources, in their order. A module that cannot be fetched is replaced by an RBAC
    /// filter, which lets everything pass under FAIL_OPEN and nothing under any other policy.
    ///
    /// # Errors
    /// When a resource cannot be read.
    pub fn convert(&mut self, resources: &[Value], fetch: &mut dyn Fetch) -> Result<Vec<Value>, Nack> {
        resources.iter().map(|resource| self.convert_one(resource, fetch)).collect()
    }

    fn convert_one(&mut self, resource: &Value, fetch: &mut dyn Fetch) -> Result<Value, Nack> {
        let Some(Wasm { family, mut config }) = Wasm::read(resource)? else { return Ok(resource.clone()) };
        let name = resource.get("name").and_then(Value::as_str).unwrap_or_default();
        let fails_open = fails_open(&config);
        let typed = match self.rewrite(name, &mut config, fetch) {
            Ok(()) => json!({"@type": family.wasm_type(), "config": config}),
            Err(_) => stand_in(family, fails_open),
        };
        let mut converted = resource.clone();
        if let Some(fields) = converted.as_object_mut() {
            fields.insert("typed_config".to_owned(), typed);
        }
        Ok(converted)
    }

    /// Replaces the remote code of a plugin by a file.
    fn rewrite(&mut self, name: &str, config: &mut Value, fetch: &mut dyn Fetch) -> Result<(), String> {
        let variables = config.pointer_mut("/vm_config/environment_variables");
        let (secret, policy, version) = match variables {
            Some(variables) => take_variables(variables)?,
            None => Default::default(),
        };
        let vm = config.pointer_mut("/vm_config").and_then(Value::as_object_mut).ok_or("no VM")?;
        let idle = |variables: &Value| variables.as_object().is_some_and(Map::is_empty);
        if vm.get("environment_variables").is_some_and(idle) {
            vm.remove("environment_variables");
        }
        let remote = vm.get("code").and_then(|code| code.get("remote")).cloned().unwrap_or(Value::Null);
        let url = remote.pointer("/http_uri/uri").and_then(Value::as_str).ok_or("no address to fetch from")?;
        let checksum = remote.get("sha256").and_then(Value::as_str).filter(|sum| *sum != "nil").unwrap_or_default();
        let wanted = Wanted { url, checksum, resource: name, version: &version, policy, secret: secret.as_deref() };
        let file = self.cache.get(&wanted, fetch)?;
        vm.insert("code".to_owned(), json!({"local": {"filename": file}}));
        Ok(())
    }
}

/// Takes what is meant for the agent out of the variables: secret, policy, version of the object.
fn take_variables(variables: &mut Value) -> Result<(Option<String>, PullPolicy, String), String> {
    let Some(fields) = variables.as_object_mut() else { return Ok(Default::default()) };
    let mut values = match fields.remove("key_values") {
        Some(Value::Object(values)) => values,
        _ => Map::new(),
    };
    let text = |name: &str| values.get(name).and_then(Value::as_str).map(str::to_owned);
    let secret = text(SECRET);
    if secret.as_deref() == Some("") {
        return Err("missing image pulling secret".to_owned());
    }
    let policy = match text(POLICY).as_deref() {
        Some("Always") => PullPolicy::Always,
        Some("IfNotPresent") => PullPolicy::IfNotPresent,
        _ => PullPolicy::Unspecified,
    };
    let version = text(RESOURCE_VERSION).unwrap_or_default();
    values.retain(|name, _| !name.starts_with(META));
    if !values.is_empty() {
        fields.insert("key_values".to_owned(), Value::Object(values));
    }
    Ok((secret, policy, version))
}

/// Whether the plugin's policy is FAIL_OPEN. The older `fail_open` counts only where there is no policy.
fn fails_open(config: &Value) -> bool {
    match config.get("failure_policy").and_then(Value::as_str) {
        None | Some("UNSPECIFIED") => config.get("fail_open").and_then(Value::as_bool) == Some(true),
        Some(policy) => policy == "FAIL_OPEN",
    }
}

/// The RBAC filter in the place of a plugin without its module: no rules allow everything, empty rules deny everything.
fn stand_in(family: Family, fails_open: bool) -> Value {
    let prefix = if fails_open { "wasm-default-allow" } else { "wasm-default-deny" };
    let mut filter = json!({"@type": family.rbac_type(), family.prefix_field(): prefix});
    if let (false, Some(fields)) = (fails_open, filter.as_object_mut()) {
        fields.insert("rules".to_owned(), json!({}));
    }
    filter
}

#[cfg(test)]
mod tests;
