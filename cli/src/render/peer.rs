//! What policies ask of the peer and Envoy does not show to a Wasm filter: the address of the direct peer, and every URI SAN
//! of its certificate. A `set_filter_state` filter in front writes both.

use super::document::Document;
use super::plan::Plan;
use super::workload::Proxy;
use serde_json::{Map, Value, json};

/// A field of `workload`, the key of the filter state that it names here, Envoy's format of the value, and whether an empty
/// value is left out.
const SOURCES: [(&str, &str, &str, bool); 2] = [
    ("directAddress", "weir.direct_address", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", false),
    ("peerUriSans", "weir.peer_uri_sans", "%DOWNSTREAM_PEER_URI_SAN%", true),
];

/// The filter state that a document's policies read: places in `SOURCES`, and the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peer(Vec<(usize, String)>);

impl Peer {
    /// What the document names, and what its policies need besides, which is written into it.
    ///
    /// # Errors
    /// If the proxy cannot provide it.
    pub(crate) fn of(plan: &Plan, document: &mut Document) -> Result<Self, Vec<String>> {
        let policies = plan.directions.iter().find_map(|direction| document.of(plan, *direction));
        let compiled = policies.map(|policies| plan.module.compile_for(&policies)).unwrap_or_default();
        let warns = |ids: &[&str]| compiled.warnings.iter().find(|warning| ids.contains(&warning.id));
        let address =
            warns(&["direct-address-unknown", "dry-run-direct-address-unknown"]).map(|found| found.message.clone());
        let needed = [address.is_some(), warns(&["one-uri-san"]).is_some()];
        let Some(workload) = document.workload_mut() else { return Ok(Self::default()) };
        let mut peer = Self::default();
        for (place, ((field, key, ..), needed)) in SOURCES.iter().zip(needed).enumerate() {
            if needed && plan.form.writes_filter_state() {
                workload.entry(*field).or_insert_with(|| json!({"filterState": key}));
            }
            let named = workload.get(*field).and_then(|written| written.get("filterState")).and_then(Value::as_str);
            peer.0.extend(named.map(|key| (place, key.to_owned())));
        }
        let has_address = peer.0.iter().any(|(place, _)| *place == 0);
        if plan.workload.proxy == Proxy::Waypoint && has_address {
            return Err(vec![
                "policies ask for the address of the direct peer (`ipBlocks`, `source.ip`), which a waypoint does not have: write \
                 `remoteIpBlocks` or `remote.ip`"
                    .to_owned(),
            ]);
        }
        match address {
            Some(message) if !plan.form.writes_filter_state() => {
                Err(vec![format!("{message}; form {} has no place for such a filter", plan.form)])
            }
            _ => Ok(peer),
        }
    }

    /// The filter that writes it, for a document that has policies. `None` if nothing is read.
    pub(crate) fn filter(&self, name: &str, document: &Value) -> Option<Value> {
        let has_policies = document.get("policy").unwrap_or(document).get("workload").is_some();
        if self.0.is_empty() || !has_policies {
            return None;
        }
        Some(json!({
            "name": name,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
                "on_request_headers": self.0.iter().filter_map(|(place, key)| entry(*place, key)).collect::<Vec<_>>(),
            },
        }))
    }
}

fn entry(place: usize, key: &str) -> Option<Value> {
    let (.., format, may_be_empty) = SOURCES.get(place)?;
    let mut string = Map::from_iter([("text_format_source".to_owned(), json!({"inline_string": format}))]);
    let mut entry = json!({"object_key": key, "factory_key": "envoy.string"});
    let fields = entry.as_object_mut()?;
    if *may_be_empty {
        string.insert("omit_empty_values".to_owned(), json!(true));
        fields.insert("skip_if_empty".to_owned(), json!(true));
    }
    fields.insert("format_string".to_owned(), Value::Object(string));
    Some(entry)
}

#[cfg(test)]
mod tests;
