//! Listeners as the rows write them, in full.

use serde_json::{Map, Value, json};

pub(super) fn listeners(rows: &Value) -> Vec<Value> {
    rows.as_array().unwrap().iter().map(listener).collect()
}

fn listener(row: &Value) -> Value {
    let mut full = Map::new();
    for (field, value) in row.as_object().unwrap() {
        match field.as_str() {
            "port" => full.insert("address".to_owned(), json!({"socket_address": {"port_value": value}})),
            "chains" => full.insert("filter_chains".to_owned(), value.as_array().unwrap().iter().map(chain).collect()),
            "default" => full.insert("default_filter_chain".to_owned(), chain(value)),
            "listener_filters" => full.insert(field.clone(), filters(value)),
            _ => full.insert(field.clone(), value.clone()),
        };
    }
    Value::Object(full)
}

fn chain(row: &Value) -> Value {
    let mut full = Map::new();
    for (field, value) in row.as_object().unwrap() {
        match field.as_str() {
            "match" => full.insert("filter_chain_match".to_owned(), value.clone()),
            "socket" => full.insert("transport_socket".to_owned(), value.clone()),
            "filters" => full.insert(field.clone(), filters(value)),
            "http" => full.insert("filters".to_owned(), json!([manager(value, row.get("manager"))])),
            "manager" => None,
            _ => full.insert(field.clone(), value.clone()),
        };
    }
    Value::Object(full)
}

/// A connection manager with these HTTP filters and other fields.
fn manager(http_filters: &Value, others: Option<&Value>) -> Value {
    let kind = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let mut config = others.cloned().unwrap_or_else(|| json!({}));
    config["@type"] = json!(kind);
    config["http_filters"] = filters(http_filters);
    json!({"name": "envoy.filters.network.http_connection_manager", "typed_config": config})
}

fn filters(rows: &Value) -> Value {
    let filter = |row: &Value| if row.is_string() { json!({"name": row}) } else { row.clone() };
    rows.as_array().unwrap().iter().map(filter).collect()
}
