//! Patches of route configurations, virtual hosts and routes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Patches;
use super::merge::merge;
use super::patch::{ApplyTo, Context, Operation, Patch};
use super::sequence::edit_field;

/// Patches a route configuration. `ports` has the Service's ports of a gateway by those of its pods.
pub(crate) fn patch_routes(patches: &Patches, context: Context, ports: &BTreeMap<u64, Vec<u64>>, routes: &mut Value) {
    let name = routes.clone();
    let meant = |patch: &Patch| {
        patch.is_for(context) && patch.matches.takes_routes(context, &name, |port| ports.get(&port).cloned())
    };
    for patch in patches.of(ApplyTo::RouteConfiguration).filter(|patch| meant(patch)) {
        if let Some(lists) = patch.operation.merges() {
            patch.applied(1);
            merge(routes, &patch.value, lists);
        }
    }
    let mut removed = BTreeSet::new();
    for host in routes.get_mut("virtual_hosts").and_then(Value::as_array_mut).into_iter().flatten() {
        if !patch_host(patches, &meant, host) {
            removed.insert(host_name(host));
        }
    }
    for patch in patches.of(ApplyTo::VirtualHost).filter(|patch| meant(patch) && patch.operation == Operation::Add) {
        patch.applied(edit_field(routes, "virtual_hosts", patch.operation, false, |_| false, &patch.value));
    }
    // istiod removes by name, and with it others of that name.
    if let Some(hosts) = routes.get_mut("virtual_hosts").and_then(Value::as_array_mut) {
        hosts.retain(|host| !removed.contains(&host_name(host)));
    }
}

fn host_name(host: &Value) -> String {
    host.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Whether the virtual host stays.
fn patch_host(patches: &Patches, meant: &impl Fn(&Patch) -> bool, host: &mut Value) -> bool {
    for patch in patches.of(ApplyTo::VirtualHost).filter(|patch| meant(patch)) {
        if !patch.matches.takes_host(host) {
            continue;
        }
        match (patch.operation, patch.operation.merges()) {
            (Operation::Remove, _) => {
                patch.applied(1);
                return false;
            }
            (Operation::Replace, _) => {
                patch.applied(1);
                *host = patch.value.clone();
            }
            (_, Some(lists)) => {
                patch.applied(1);
                merge(host, &patch.value, lists);
            }
            _ => {}
        }
    }
    patch_each_route(patches, meant, host);
    add_routes(patches, meant, host);
    true
}

/// Removes and merges. A route that a patch removes is not seen by the patches after it.
fn patch_each_route(patches: &Patches, meant: &impl Fn(&Patch) -> bool, host: &mut Value) {
    let outer = host.clone();
    let Some(routes) = host.get_mut("routes").and_then(Value::as_array_mut) else { return };
    routes.retain_mut(|route| {
        for patch in patches.of(ApplyTo::HttpRoute).filter(|patch| meant(patch)) {
            if !patch.matches.takes_host(&outer) || !patch.matches.takes_route(route) {
                continue;
            }
            if patch.operation == Operation::Remove {
                patch.applied(1);
                return false;
            } else if let Some(lists) = patch.operation.merges() {
                patch.applied(1);
                merge(route, &patch.value, lists);
            }
        }
        true
    });
}

/// Adds and inserts. `INSERT_FIRST` with an anchor needs a route that is one, and goes to the top all the same.
fn add_routes(patches: &Patches, meant: &impl Fn(&Patch) -> bool, host: &mut Value) {
    for patch in patches.of(ApplyTo::HttpRoute).filter(|patch| meant(patch)) {
        if !patch.matches.takes_host(host) || matches!(patch.operation, Operation::Remove | Operation::Replace) {
            continue;
        }
        let is_anchor = |route: &Value| patch.matches.takes_route(route);
        let anchored = patch.matches.names_route();
        let needed = patch.operation == Operation::InsertFirst && anchored;
        let mut routes = host.get("routes").and_then(Value::as_array).into_iter().flatten();
        if !needed || routes.any(is_anchor) {
            patch.applied(edit_field(host, "routes", patch.operation, anchored, is_anchor, &patch.value));
        }
    }
}
