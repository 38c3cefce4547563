//! What policies ask of the peer and Envoy does not show to a Wasm filter: the address of the direct peer, and every URI SAN
//! of its certificate. A `set_filter_state` filter in front writes both.

use super::document::Document;
use super::form::Form;
use super::plan::{EnvoyLine, Plan};
use super::schema::Istio;
use super::workload::Proxy;
use serde_json::{Map, Value, json};
use weir_policy::Protocol;

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
        let compiled = policies.map(|policies| plan.module.compile_for(plan.protocol, &policies)).unwrap_or_default();
        let warns = |ids: &[&str]| compiled.warnings.iter().find(|warning| ids.contains(&warning.id));
        let address =
            warns(&["direct-address-unknown", "dry-run-direct-address-unknown"]).map(|found| found.message.clone());
        // A provider is sent it where it can be had: without it the check has the client's.
        let is_sent = warns(&["provider-source-address"]).is_some() && plan.workload.proxy != Proxy::Waypoint;
        let knows_names = plan.protocol == Protocol::Http || has_handshakes(plan);
        let needed = [address.is_some() || is_sent, warns(&["one-uri-san"]).is_some() && knows_names];
        let writes = writes_filter_state(plan);
        let Some(workload) = document.workload_mut() else { return Ok(Self::default()) };
        let mut peer = Self::default();
        for (place, ((field, key, ..), needed)) in SOURCES.iter().zip(needed).enumerate() {
            if needed && writes {
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
        if !knows_names && peer.0.iter().any(|(place, _)| *place == 1) {
            return Err(vec![
                "`workload.peerUriSans` of connections is written once the TLS handshake is over, which Envoy's filter can do from \
                 1.37 on: leave it out, or render for newer proxies (--istio 1.29 and later, --envoy 1.37 and later)"
                    .to_owned(),
            ]);
        }
        let is_read = address.is_some() || plan.protocol == Protocol::Tcp && !peer.0.is_empty();
        match address {
            _ if writes || !is_read => Ok(peer),
            Some(message) => Err(vec![format!("{message}; form {} has no place for such a filter", plan.form)]),
            None => Err(vec![format!(
                "form {} has no place for the filter that writes the filter state of connections: use form {}",
                plan.form,
                Form::EnvoyFilter
            )]),
        }
    }

    /// The filter that writes it, for a document that has policies. `None` if nothing is read.
    pub(crate) fn filter(&self, protocol: Protocol, name: &str, document: &Value) -> Option<Value> {
        let has_policies = document.get("policy").unwrap_or(document).get("workload").is_some();
        if self.0.is_empty() || !has_policies {
            return None;
        }
        let entries = |of: &dyn Fn(usize) -> bool| -> Vec<Value> {
            let wanted = self.0.iter().filter(|(place, _)| of(*place));
            wanted.filter_map(|(place, key)| entry(*place, key)).collect()
        };
        let config = match protocol {
            Protocol::Http => json!({
                "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
                "on_request_headers": entries(&|_| true),
            }),
            Protocol::Tcp => {
                let lists = [("on_new_connection", entries(&|place| place == 0))];
                // Before, the certificate is not known.
                let lists = lists.into_iter().chain([("on_downstream_tls_handshake", entries(&|place| place == 1))]);
                let mut config = json!({
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
                });
                let fields = config.as_object_mut()?;
                fields.extend(
                    lists.filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name.to_owned(), list.into())),
                );
                config
            }
        };
        Some(json!({"name": name, "typed_config": config}))
    }
}

/// Whether a filter can be put in front, which writes filter state. Of connections, one form alone has a place that no HTTP
/// chain has.
fn writes_filter_state(plan: &Plan) -> bool {
    let in_chains = plan.protocol == Protocol::Http || matches!(plan.form, Form::Envoy | Form::EnvoyFilter);
    plan.form.writes_filter_state() && in_chains
}

/// Whether all proxies that are rendered for can write filter state once a handshake is over: Envoy from 1.37, Istio from 1.29.
fn has_handshakes(plan: &Plan) -> bool {
    match plan.form {
        Form::Envoy => plan.envoy >= EnvoyLine::V1_37,
        _ => !plan.istio.contains(&Istio::V1_28),
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
