//! A plugin as istiod reads it.

use serde_json::Value;

use crate::error::ApplyError;
use crate::line::IstioLine;
use crate::object::Object;
use crate::target::Target;

/// Where in the chain of filters a plugin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Authn,
    Authz,
    Stats,
    Unspecified,
}

impl Phase {
    /// In the order of a request.
    pub(crate) const ALL: [Self; 4] = [Self::Authn, Self::Authz, Self::Stats, Self::Unspecified];
}

/// Which chain of filters a plugin stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PluginKind {
    Http,
    Network,
}

/// What a listener is, as far as `match.mode` tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Inbound of a sidecar, and a waypoint.
    Server,
    /// Outbound of a sidecar, and a gateway.
    Client,
}

/// One item of `match`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selector {
    /// Absent for both.
    class: Option<Class>,
    /// Empty for all.
    ports: Vec<u64>,
}

/// A WasmPlugin, or a TrafficExtension of the kind wasm.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plugin {
    /// Kind, namespace and name of the object.
    pub(crate) title: String,
    pub(crate) namespace: String,
    /// The object's name; since 1.30 a WasmPlugin's has an addition.
    pub(crate) name: String,
    /// The name of the filter and of the resource of extension config discovery.
    pub(crate) resource_name: String,
    pub(crate) created: String,
    pub(crate) resource_version: String,
    pub(crate) kind: PluginKind,
    pub(crate) phase: Phase,
    pub(crate) priority: Option<i32>,
    pub(crate) target: Target,
    /// Empty for every listener.
    selectors: Vec<Selector>,
    /// `url`, `pluginConfig` and so on.
    pub(crate) wasm: Value,
}

/// What istiod 1.30 and later add to the name of a WasmPlugin when they turn it into a TrafficExtension.
const TRANSLATED: &str = "~istio-translated-wasmplugin";

impl Plugin {
    /// Reads a plugin; `None` for objects of other kinds.
    pub(crate) fn read(object: &Object, line: IstioLine) -> Result<Option<Self>, ApplyError> {
        let wasm = match object.kind.as_str() {
            "WasmPlugin" => object.body.get("spec").cloned().unwrap_or(Value::Null),
            "TrafficExtension" if !line.has_traffic_extension() => {
                return Err(object.unsupported("kind", format!("Istio {line} does not have this kind")));
            }
            "TrafficExtension" if object.spec("lua").is_object() => {
                return Err(object.unsupported("spec.lua", "only Wasm is emulated"));
            }
            "TrafficExtension" => object.spec("wasm").clone(),
            _ => return Ok(None),
        };
        if wasm.get("url").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(object.shape("spec.url", "the address of a module"));
        }
        let sum = wasm.get("sha256").and_then(Value::as_str).unwrap_or_default();
        let digit = |letter: char| matches!(letter, '0'..='9' | 'a'..='f');
        if !sum.is_empty() && (sum.len() != 64 || !sum.chars().all(digit)) {
            return Err(object.shape("spec.sha256", "64 hexadecimal digits in lower case"));
        }
        let translated = object.kind == "WasmPlugin" && line.has_traffic_extension();
        let name = format!("{}{}", object.name, if translated { TRANSLATED } else { "" });
        let family = if line.has_traffic_extension() { "trafficextension" } else { "wasmplugin" };
        let priority = match object.spec("priority") {
            Value::Null => None,
            given => {
                let number = given.as_i64().and_then(|number| i32::try_from(number).ok());
                Some(number.ok_or_else(|| object.shape("spec.priority", "a number of 32 bits"))?)
            }
        };
        Ok(Some(Self {
            resource_name: format!("extensions.istio.io/{family}/{}.{name}", object.namespace),
            name,
            title: object.title(),
            namespace: object.namespace.clone(),
            created: object.created.clone(),
            resource_version: object.resource_version.clone(),
            kind: kind(object, &wasm)?,
            phase: phase(object)?,
            priority,
            target: Target::read(object, "selector", "matchLabels")?,
            selectors: selectors(object)?,
            wasm,
        }))
    }

    /// Whether one item of `match` is for the listener, or there is none.
    pub(crate) fn takes(&self, class: Class, port: u64) -> bool {
        let one = |selector: &Selector| {
            selector.class.is_none_or(|wanted| wanted == class)
                && (selector.ports.is_empty() || (port != 0 && selector.ports.contains(&port)))
        };
        self.selectors.is_empty() || self.selectors.iter().any(one)
    }
}

fn kind(object: &Object, wasm: &Value) -> Result<PluginKind, ApplyError> {
    match wasm.get("type").and_then(Value::as_str).unwrap_or_default() {
        "" | "HTTP" | "UNSPECIFIED_PLUGIN_TYPE" => Ok(PluginKind::Http),
        "NETWORK" => Ok(PluginKind::Network),
        other => Err(object.shape("spec.type", format!("HTTP or NETWORK, not `{other}`"))),
    }
}

fn phase(object: &Object) -> Result<Phase, ApplyError> {
    match object.spec("phase").as_str().unwrap_or_default() {
        "" | "UNSPECIFIED_PHASE" | "UNSPECIFIED" => Ok(Phase::Unspecified),
        "AUTHN" => Ok(Phase::Authn),
        "AUTHZ" => Ok(Phase::Authz),
        "STATS" => Ok(Phase::Stats),
        other => Err(object.shape("spec.phase", format!("a phase, not `{other}`"))),
    }
}

fn selectors(object: &Object) -> Result<Vec<Selector>, ApplyError> {
    let mut read = Vec::new();
    for item in object.spec("match").as_array().into_iter().flatten() {
        let class = match item.get("mode").and_then(Value::as_str).unwrap_or_default() {
            "" | "UNDEFINED" | "CLIENT_AND_SERVER" => None,
            "CLIENT" => Some(Class::Client),
            "SERVER" => Some(Class::Server),
            other => return Err(object.shape("spec.match.mode", format!("a mode, not `{other}`"))),
        };
        let ports = item.get("ports").and_then(Value::as_array).into_iter().flatten();
        let ports = ports.filter_map(|port| port.get("number").and_then(Value::as_u64)).collect();
        read.push(Selector { class, ports });
    }
    Ok(read)
}
