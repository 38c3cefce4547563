//! One item of `configPatches`, read into types.

use std::cell::Cell;

use serde_json::Value;

use super::matching::ObjectMatch;
use super::names::snake_case;
use crate::error::ApplyError;
use crate::line::IstioLine;
use crate::object::Object;

/// What a patch is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApplyTo {
    Listener,
    ListenerFilter,
    FilterChain,
    NetworkFilter,
    HttpFilter,
    RouteConfiguration,
    VirtualHost,
    HttpRoute,
    Cluster,
    ExtensionConfig,
}

/// Which proxies, and which of their listeners, a patch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    Any,
    SidecarInbound,
    SidecarOutbound,
    Gateway,
    /// In the API since 1.29. No release up to 1.31 has code that applies such a patch: waypoints are patched in the
    /// context of inbound listeners.
    Waypoint,
}

/// What a patch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Merge,
    MergeAndReplaceList,
    Add,
    Remove,
    InsertBefore,
    InsertAfter,
    InsertFirst,
    Replace,
}

/// A patch, and how often it was applied so far.
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    /// Kind, namespace and name of the EnvoyFilter.
    pub(crate) object: String,
    /// Its place in `configPatches`.
    pub(crate) index: usize,
    pub(crate) apply_to: ApplyTo,
    pub(crate) context: Context,
    pub(crate) matches: ObjectMatch,
    pub(crate) operation: Operation,
    /// Null for `REMOVE`.
    pub(crate) value: Value,
    /// Listeners, chains, filters, clusters or routes that it changed.
    pub(crate) places: Cell<usize>,
}

impl Patch {
    /// Reads item `index` of `configPatches`.
    pub(crate) fn read(object: &Object, index: usize, item: &Value, line: IstioLine) -> Result<Self, ApplyError> {
        let at = |field: &str| format!("spec.configPatches[{index}].{field}");
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let apply_to = match text("/applyTo") {
            "LISTENER" => ApplyTo::Listener,
            "LISTENER_FILTER" => ApplyTo::ListenerFilter,
            "FILTER_CHAIN" => ApplyTo::FilterChain,
            "NETWORK_FILTER" => ApplyTo::NetworkFilter,
            "HTTP_FILTER" => ApplyTo::HttpFilter,
            "ROUTE_CONFIGURATION" => ApplyTo::RouteConfiguration,
            "VIRTUAL_HOST" => ApplyTo::VirtualHost,
            "HTTP_ROUTE" => ApplyTo::HttpRoute,
            "CLUSTER" => ApplyTo::Cluster,
            "EXTENSION_CONFIG" => ApplyTo::ExtensionConfig,
            "BOOTSTRAP" => {
                let what = "a patch of the bootstrap is applied by the agent at start and is not emulated";
                return Err(object.unsupported(&at("applyTo"), what));
            }
            other => return Err(object.shape(&at("applyTo"), format!("what a patch is applied to, not `{other}`"))),
        };
        let context = match text("/match/context") {
            "" | "ANY" => Context::Any,
            "SIDECAR_INBOUND" => Context::SidecarInbound,
            "SIDECAR_OUTBOUND" => Context::SidecarOutbound,
            "GATEWAY" => Context::Gateway,
            "WAYPOINT" if line.has_waypoint_context() => Context::Waypoint,
            other => {
                return Err(object.shape(&at("match.context"), format!("a context of Istio {line}, not `{other}`")));
            }
        };
        let operation = match text("/patch/operation") {
            "MERGE" => Operation::Merge,
            "MERGE_AND_REPLACE_LIST" if line.has_replace_list() => Operation::MergeAndReplaceList,
            "ADD" => Operation::Add,
            "REMOVE" => Operation::Remove,
            "INSERT_BEFORE" => Operation::InsertBefore,
            "INSERT_AFTER" => Operation::InsertAfter,
            "INSERT_FIRST" => Operation::InsertFirst,
            "REPLACE" => Operation::Replace,
            other => {
                return Err(
                    object.shape(&at("patch.operation"), format!("an operation of Istio {line}, not `{other}`"))
                );
            }
        };
        let value = item.pointer("/patch/value").map(snake_case).unwrap_or(Value::Null);
        if operation != Operation::Remove && !value.is_object() {
            return Err(object.shape(&at("patch.value"), "an object"));
        }
        let matches = ObjectMatch::read(object, &at("match"), apply_to, item.get("match").unwrap_or(&Value::Null))?;
        let operation = if apply_to.is_ordered() { operation } else { operation.unordered() };
        let places = Cell::new(0);
        Ok(Self { object: object.title(), index, apply_to, context, matches, operation, value, places })
    }

    /// Whether it is for listeners, routes or clusters of that context.
    pub(crate) fn is_for(&self, context: Context) -> bool {
        self.context == context || self.context == Context::Any
    }

    /// Whether it takes something out.
    pub(crate) fn removes(&self) -> bool {
        self.operation == Operation::Remove
    }

    /// Counts places that it changed.
    pub(crate) fn applied(&self, places: usize) {
        self.places.set(self.places.get() + places);
    }

    /// That istiod cannot merge its value.
    pub(crate) fn panics(&self, why: String) -> ApplyError {
        ApplyError::Panics {
            object: self.object.clone(),
            path: format!("spec.configPatches[{}].patch.value", self.index),
            why,
        }
    }
}

impl ApplyTo {
    /// Whether the order matters, so that something can be inserted before or after something else.
    fn is_ordered(self) -> bool {
        matches!(self, Self::ListenerFilter | Self::NetworkFilter | Self::HttpFilter | Self::HttpRoute)
    }
}

impl Operation {
    /// What istiod makes of it where order does not matter.
    fn unordered(self) -> Self {
        match self {
            Self::InsertBefore | Self::InsertAfter | Self::InsertFirst => Self::Add,
            other => other,
        }
    }

    /// The kind of merge that it is, if it is one.
    pub(crate) fn merges(self) -> Option<super::merge::Lists> {
        match self {
            Self::Merge => Some(super::merge::Lists::Append),
            Self::MergeAndReplaceList => Some(super::merge::Lists::Replace),
            _ => None,
        }
    }
}
