//! Istio's TrafficExtension, from 1.30 on: what a WasmPlugin says, with the module in a section of its own.

use super::wasmplugin::{object, peer_filter, placement, wasm};
use crate::render::Part;
use crate::render::peer::Peer;
use crate::render::plan::Plan;
use serde_json::{Value, json};

/// The objects for all directions.
pub(crate) fn render(plan: &Plan, parts: &[Part], peer: &Peer) -> Vec<Value> {
    let mut objects: Vec<Value> = parts
        .iter()
        .map(|part| {
            let mut spec = placement(plan, part.direction);
            spec.insert("wasm".to_owned(), json!(wasm(plan, part)));
            object(plan, part.direction, "TrafficExtension", spec)
        })
        .collect();
    objects.extend(peer_filter(plan, parts, peer));
    objects
}
