//! Patches of listeners and of what is in them.

use serde_json::Value;

use super::Patches;
use super::merge::{merge, merge_any};
use super::patch::{ApplyTo, Context, Operation, Patch};
use super::sequence::edit_field;
use crate::error::ApplyError;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const MANAGER_TYPE: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// Patches the listeners of one group. Listeners are added only where `adds` allows it.
///
/// # Errors
/// When istiod would panic on a merge.
pub(crate) fn patch_listeners(
    patches: &Patches,
    context: Context,
    listeners: &mut Vec<Value>,
    adds: bool,
) -> Result<(), ApplyError> {
    let mut kept = Vec::new();
    for mut listener in std::mem::take(listeners) {
        if patch_listener(patches, context, &mut listener)? {
            kept.push(listener);
        }
    }
    let adding = patches.of(ApplyTo::Listener).filter(|patch| adds && patch.operation == Operation::Add);
    for patch in adding.filter(|patch| is_added(patch, context)) {
        patch.applied(1);
        kept.push(patch.value.clone());
    }
    *listeners = kept;
    Ok(())
}

/// Whether an addition is for this context: one that names none is for outbound listeners and gateways only.
pub(super) fn is_added(patch: &Patch, context: Context) -> bool {
    let everywhere = patch.context == Context::Any;
    patch.is_for(context) && (!everywhere || matches!(context, Context::SidecarOutbound | Context::Gateway))
}

/// Whether the listener stays.
fn patch_listener(patches: &Patches, context: Context, listener: &mut Value) -> Result<bool, ApplyError> {
    for patch in patches.of(ApplyTo::Listener).filter(|patch| patch.is_for(context)) {
        if !patch.matches.takes_listener(patch.apply_to, listener) {
            continue;
        }
        if patch.operation == Operation::Remove {
            patch.applied(1);
            return Ok(false);
        } else if let Some(lists) = patch.operation.merges() {
            patch.applied(1);
            merge(listener, &patch.value, lists);
        }
    }
    patch_listener_filters(patches, context, listener)?;
    patch_chains(patches, context, listener)?;
    Ok(true)
}

fn patch_listener_filters(patches: &Patches, context: Context, listener: &mut Value) -> Result<(), ApplyError> {
    for patch in patches.of(ApplyTo::ListenerFilter).filter(|patch| patch.is_for(context)) {
        if !patch.matches.takes_listener(patch.apply_to, listener) {
            continue;
        }
        let anchored = patch.matches.names_listener_filter();
        let is_anchor = |filter: &Value| patch.matches.takes_listener_filter(filter);
        let field = "listener_filters";
        patch.applied(edit_field(listener, field, patch.operation, anchored, is_anchor, &patch.value));
        if patch.operation == Operation::Merge && anchored {
            // istiod merges into every listener filter, and changes only configurations.
            for filter in listener.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
                patch.applied(merge_filter(patch, filter, false)?);
            }
        }
    }
    Ok(())
}

fn patch_chains(patches: &Patches, context: Context, listener: &mut Value) -> Result<(), ApplyError> {
    let outer = listener.clone();
    if let Some(chains) = listener.get_mut("filter_chains").and_then(Value::as_array_mut) {
        for chain in chains.iter_mut().filter(|chain| has_filters(chain)) {
            patch_chain(patches, context, &outer, chain)?;
        }
    }
    if let Some(chain) = listener.get_mut("default_filter_chain").filter(|chain| has_filters(chain)) {
        patch_chain(patches, context, &outer, chain)?;
        if !has_filters(chain)
            && let Some(fields) = listener.as_object_mut()
        {
            fields.remove("default_filter_chain");
        }
    }
    let adding = patches.of(ApplyTo::FilterChain).filter(|patch| patch.operation == Operation::Add);
    for patch in adding.filter(|patch| patch.is_for(context) && patch.matches.takes_listener(patch.apply_to, &outer)) {
        patch.applied(edit_field(listener, "filter_chains", patch.operation, false, |_| false, &patch.value));
    }
    if let Some(chains) = listener.get_mut("filter_chains").and_then(Value::as_array_mut) {
        chains.retain(has_filters);
    }
    Ok(())
}

/// A chain without this field has been removed.
fn has_filters(chain: &Value) -> bool {
    chain.get("filters").is_some()
}

fn patch_chain(patches: &Patches, context: Context, listener: &Value, chain: &mut Value) -> Result<(), ApplyError> {
    let meant = |patch: &Patch, chain: &Value| {
        patch.is_for(context)
            && patch.matches.takes_listener(patch.apply_to, listener)
            && patch.matches.takes_chain(listener, chain)
    };
    for patch in patches.of(ApplyTo::FilterChain) {
        if !meant(patch, chain) {
            continue;
        }
        if patch.operation == Operation::Remove {
            patch.applied(1);
            if let Some(fields) = chain.as_object_mut() {
                fields.remove("filters");
            }
            return Ok(());
        } else if let Some(lists) = patch.operation.merges() {
            patch.applied(1);
            if !merge_transport_socket(patch, chain)? {
                merge(chain, &patch.value, lists);
            }
        }
    }
    for patch in patches.of(ApplyTo::NetworkFilter) {
        if !meant(patch, chain) {
            continue;
        }
        let is_anchor = |filter: &Value| patch.matches.takes_filter(filter);
        let anchored = patch.matches.names_filter();
        patch.applied(edit_field(chain, "filters", patch.operation, anchored, is_anchor, &patch.value));
    }
    let outer = chain.clone();
    let filters = chain.get_mut("filters").and_then(Value::as_array_mut);
    for filter in filters.into_iter().flatten() {
        let merging = patches.of(ApplyTo::NetworkFilter).filter(|patch| patch.operation == Operation::Merge);
        for patch in merging.filter(|patch| meant(patch, &outer)) {
            if patch.matches.takes_filter(filter) {
                patch.applied(merge_filter(patch, filter, true)?);
            }
        }
        if filter.get("name").and_then(Value::as_str) == Some(MANAGER) {
            let of_chain = |patch: &&Patch| meant(patch, &outer);
            patch_http_filters(patches.of(ApplyTo::HttpFilter).filter(of_chain).collect(), filter)?;
        }
    }
    Ok(())
}

/// Applies the patches that are meant for this chain to the HTTP filters of a connection manager.
fn patch_http_filters(patches: Vec<&Patch>, manager: &mut Value) -> Result<(), ApplyError> {
    let meant: Vec<_> = patches.into_iter().filter(|patch| patch.matches.takes_filter(manager)).collect();
    let Some(config) = manager.get_mut("typed_config") else { return Ok(()) };
    if !config.get("@type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with(MANAGER_TYPE)) {
        return Ok(());
    }
    for patch in &meant {
        let is_anchor = |filter: &Value| patch.matches.takes_sub_filter(filter);
        let anchored = patch.matches.names_sub_filter();
        patch.applied(edit_field(config, "http_filters", patch.operation, anchored, is_anchor, &patch.value));
    }
    for filter in config.get_mut("http_filters").and_then(Value::as_array_mut).into_iter().flatten() {
        for patch in meant.iter().filter(|patch| patch.operation == Operation::Merge) {
            if patch.matches.takes_sub_filter(filter) {
                patch.applied(merge_filter(patch, filter, true)?);
            }
        }
    }
    Ok(())
}

/// Merges a filter: its configuration as a message of its own, and its name where `renames` allows it. A filter whose
/// configuration is discovered stays as it is.
fn merge_filter(patch: &Patch, filter: &mut Value, renames: bool) -> Result<usize, ApplyError> {
    let Some(fields) = filter.as_object_mut() else { return Ok(0) };
    let Some(config) = fields.get_mut("typed_config") else { return Ok(0) };
    if let Some(change) = patch.value.get("typed_config") {
        *config = merge_any(config, change).map_err(|why| patch.panics(why))?;
    }
    if let Some(name) = patch.value.get("name").filter(|name| renames && name.as_str() != Some("")) {
        fields.insert("name".to_owned(), name.clone());
    }
    Ok(1)
}

/// Merges into the transport socket if both have one of that name; nothing else of the patch's value counts then.
fn merge_transport_socket(patch: &Patch, chain: &mut Value) -> Result<bool, ApplyError> {
    let Some(change) = patch.value.get("transport_socket") else { return Ok(false) };
    let Some(socket) = chain.get_mut("transport_socket") else { return Ok(false) };
    if socket.get("name") != change.get("name") {
        return Ok(false);
    }
    if let (Some(config), Some(change)) = (socket.get_mut("typed_config"), change.get("typed_config")) {
        *config = merge_any(config, change).map_err(|why| patch.panics(why))?;
    }
    Ok(true)
}
