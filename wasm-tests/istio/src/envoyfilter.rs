//! EnvoyFilters: which of their patches a proxy gets, in which order, and what each does.
//!
//! The rules are those of istiod's `pilot/pkg/model/push_context.go`, `pilot/pkg/model/envoyfilter.go` and
//! `pilot/pkg/networking/core/envoyfilter`, here on the JSON form of Envoy's messages. A patch counts the places that it
//! changed: one that changed nothing is what an operator would look for in vain.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value;

use crate::error::ApplyError;
use crate::line::IstioLine;
use crate::object::Object;
use crate::proxy::Proxy;
use crate::target::Target;

mod cluster;
mod listener;
mod matching;
mod merge;
mod names;
mod patch;
mod route;
mod sequence;

pub(crate) use cluster::{added_clusters, patch_cluster};
pub(crate) use listener::patch_listeners;
pub(crate) use names::snake_case;
pub(crate) use patch::{ApplyTo, Context, Patch};
pub(crate) use route::patch_routes;

/// Patterns of versions that are longer are not compiled and match nothing.
const LONGEST_VERSION: usize = 1024;

/// The patches that a proxy gets, in the order in which they are applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patches {
    pub(crate) all: Vec<Patch>,
    /// Patches that are not for this proxy, with the reason.
    pub(crate) passed_over: Vec<(String, usize, &'static str)>,
}

impl Patches {
    /// Reads every EnvoyFilter among the objects and chooses those for the proxy.
    pub(crate) fn select(objects: &[Object], proxy: &Proxy, line: IstioLine) -> Result<Self, ApplyError> {
        let mut filters = Vec::new();
        let mut patches = Self::default();
        for object in objects.iter().filter(|object| object.kind == "EnvoyFilter") {
            let target = Target::read(object, "workloadSelector", "labels")?;
            let near = object.namespace == proxy.namespace || object.namespace == proxy.root_namespace;
            // Every patch is read, so that one that is not for this proxy is checked, too.
            let read = read_all(object, proxy, line)?;
            if near && target.attaches(&object.namespace, proxy, &[]) {
                filters.push((Rank::of(object, proxy), read));
            } else {
                let reason =
                    if near { "its selector or targetRefs name other proxies" } else { "it is in another namespace" };
                let count = read.len();
                patches.passed_over.extend((0..count).map(|index| (object.title(), index, reason)));
            }
        }
        filters.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (patch, reason) in filters.into_iter().flat_map(|(_, read)| read) {
            match reason {
                None => patches.all.push(patch),
                Some(reason) => patches.passed_over.push((patch.object, patch.index, reason)),
            }
        }
        Ok(patches)
    }

    /// The patches of one kind.
    pub(crate) fn of(&self, apply_to: ApplyTo) -> impl Iterator<Item = &Patch> {
        self.all.iter().filter(move |patch| patch.apply_to == apply_to)
    }

    /// The resources of extension config discovery among them that have one of those names. The context plays no part.
    pub(crate) fn extension_configs(&self, names: &[String]) -> Vec<Value> {
        let mut found = Vec::new();
        for patch in self.of(ApplyTo::ExtensionConfig).filter(|patch| patch.operation == patch::Operation::Add) {
            let name = patch.value.get("name").and_then(Value::as_str).unwrap_or_default();
            if names.iter().any(|wanted| wanted == name) {
                patch.applied(1);
                found.push(patch.value.clone());
            }
        }
        found
    }
}

/// Patches of one object, each with the reason why this proxy does not get it, if it does not.
type Read = Vec<(Patch, Option<&'static str>)>;

fn read_all(object: &Object, proxy: &Proxy, line: IstioLine) -> Result<Read, ApplyError> {
    let items = object.spec("configPatches").as_array().map(Vec::as_slice).unwrap_or_default();
    let read = |(index, item): (usize, &Value)| {
        let patch = Patch::read(object, index, item, line)?;
        let matched = item.pointer("/match/proxy").unwrap_or(&Value::Null);
        let reason = other_proxy(object, index, matched, proxy, line)?;
        Ok((patch, reason))
    };
    items.iter().enumerate().map(read).collect()
}

/// Why `match.proxy` leaves out this proxy; `None` if it does not.
fn other_proxy(
    object: &Object,
    index: usize,
    matched: &Value,
    proxy: &Proxy,
    line: IstioLine,
) -> Result<Option<&'static str>, ApplyError> {
    let pattern = matched.get("proxyVersion").and_then(Value::as_str).unwrap_or_default();
    if pattern.len() > LONGEST_VERSION && line >= IstioLine::V1_31 {
        return Ok(Some("its proxyVersion is too long to be compiled"));
    }
    if !pattern.is_empty() {
        let path = format!("spec.configPatches[{index}].match.proxy.proxyVersion");
        let version =
            Regex::new(pattern).map_err(|error| object.shape(&path, format!("a regular expression: {error}")))?;
        let own = proxy.metadata.get("ISTIO_VERSION").and_then(Value::as_str).unwrap_or(line.release());
        if own.is_empty() || !version.is_match(own) {
            return Ok(Some("its proxyVersion is another"));
        }
    }
    let metadata = matched.get("metadata").and_then(Value::as_object);
    let same = metadata.into_iter().flatten().all(|(name, value)| proxy.metadata.get(name) == Some(value));
    Ok(if same { None } else { Some("its proxy metadata are others") })
}

/// What decides the order of EnvoyFilters: a smaller priority is applied first, then the root namespace, then age, then
/// name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rank {
    priority: i64,
    root: bool,
    created: String,
    name: String,
}

impl Rank {
    fn of(object: &Object, proxy: &Proxy) -> Self {
        Self {
            priority: object.spec("priority").as_i64().unwrap_or(0),
            root: object.namespace == proxy.root_namespace,
            created: object.created.clone(),
            name: format!("{}.{}", object.name, object.namespace),
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        self.priority
            .cmp(&other.priority)
            .then(other.root.cmp(&self.root))
            .then_with(|| self.created.cmp(&other.created))
            .then_with(|| self.name.cmp(&other.name))
    }
}

#[cfg(test)]
mod tests;
