//! Patches of clusters.

use serde_json::Value;

use super::Patches;
use super::listener::is_added;
use super::merge::{merge, merge_any};
use super::patch::{ApplyTo, Context, Operation, Patch};
use crate::error::ApplyError;

/// Patches a cluster. `hosts` are the services of an inbound cluster. `None` stands for a cluster that is removed.
///
/// # Errors
/// When istiod would panic on a merge.
pub(crate) fn patch_cluster(
    patches: &Patches,
    context: Context,
    mut cluster: Value,
    hosts: &[String],
) -> Result<Option<Value>, ApplyError> {
    for patch in patches.of(ApplyTo::Cluster).filter(|patch| patch.is_for(context)) {
        if !patch.matches.takes_cluster(&cluster, hosts) {
            continue;
        }
        if patch.operation == Operation::Remove {
            patch.applied(1);
            return Ok(None);
        } else if let Some(lists) = patch.operation.merges() {
            patch.applied(1);
            if !merge_transport_socket(patch, &mut cluster)? {
                merge(&mut cluster, &patch.value, lists);
            }
        }
    }
    Ok(Some(cluster))
}

/// The clusters that patches add in a context.
pub(crate) fn added_clusters(patches: &Patches, context: Context) -> Vec<Value> {
    let adding = patches.of(ApplyTo::Cluster).filter(|patch| patch.operation == Operation::Add);
    let mut added = Vec::new();
    for patch in adding.filter(|patch| is_added(patch, context)) {
        patch.applied(1);
        added.push(patch.value.clone());
    }
    added
}

/// Whether the patch is about the transport socket; nothing else of its value counts then. It is merged into the first
/// socket of that name among the matches or, without matches, into the socket of that name; else it replaces the socket.
/// A cluster with matches of other names stays as it is.
fn merge_transport_socket(patch: &Patch, cluster: &mut Value) -> Result<bool, ApplyError> {
    let Some(change) = patch.value.get("transport_socket") else { return Ok(false) };
    let named = |socket: &Value| socket.get("name") == change.get("name");
    let matches = cluster.get_mut("transport_socket_matches").and_then(Value::as_array_mut);
    let socket = match matches.filter(|matches| !matches.is_empty()) {
        Some(matches) => {
            let mut sockets = matches.iter_mut().filter_map(|item| item.get_mut("transport_socket"));
            let Some(socket) = sockets.find(|socket| named(socket)) else { return Ok(true) };
            Some(socket)
        }
        None => cluster.get_mut("transport_socket").filter(|socket| named(socket)),
    };
    if let Some(socket) = socket {
        if let (Some(config), Some(change)) = (socket.get_mut("typed_config"), change.get("typed_config")) {
            *config = merge_any(config, change).map_err(|why| patch.panics(why))?;
        }
    } else if let Some(fields) = cluster.as_object_mut() {
        fields.insert("transport_socket".to_owned(), change.clone());
    }
    Ok(true)
}
