//! An example request, as `weir explain --request` takes it.

use serde_json::{Map, Value, json};
use weir_model::{Struct, StructValue};
use weir_policy::{CelOutcome, ExampleRequest};

/// The request as JSON. What a request takes for granted is left out.
pub(super) fn json(request: &ExampleRequest) -> Value {
    let ExampleRequest { method, path, host, headers, principals, source_ip, direct_ip, .. } = request;
    let ExampleRequest { destination_ip, port, server_name, claims, metadata, expressions, .. } = request;
    let mut fields = Map::new();
    let mut set = |name: &str, value: Option<Value>| fields.extend(value.map(|value| (name.to_owned(), value)));
    if method.is_none() && path.is_none() && host.is_none() {
        set("protocol", Some(json!("tcp")));
    }
    set("method", method.as_ref().map(|text| json!(text)));
    set("path", path.as_ref().map(|text| json!(text)));
    set("host", host.as_ref().map(|text| json!(text)));
    let mut by_name: Map<String, Value> = Map::new();
    let scheme = headers.iter().find(|(name, _)| name == ":scheme");
    set("scheme", scheme.map(|(_, value)| json!(value)));
    for (name, value) in headers.iter().filter(|(name, _)| name != ":scheme") {
        match by_name.get_mut(name) {
            None => {
                by_name.insert(name.clone(), json!(value));
            }
            Some(Value::Array(values)) => values.push(json!(value)),
            Some(one) => *one = json!([one.clone(), value]),
        }
    }
    set("headers", (!by_name.is_empty()).then_some(Value::Object(by_name)));
    let mut source = Map::new();
    source.extend(source_ip.map(|address| ("ip".to_owned(), json!(address.to_string()))));
    source.extend(direct_ip.map(|address| ("directIp".to_owned(), json!(address.to_string()))));
    source.extend(match principals.as_slice() {
        [] => None,
        [one] => Some(("principal".to_owned(), json!(one))),
        several => Some(("principal".to_owned(), json!(several))),
    });
    set("source", (!source.is_empty()).then_some(Value::Object(source)));
    let mut destination = Map::new();
    destination.extend(destination_ip.map(|address| ("ip".to_owned(), json!(address.to_string()))));
    destination.extend(port.map(|port| ("port".to_owned(), json!(port))));
    set("destination", (!destination.is_empty()).then_some(Value::Object(destination)));
    set("sni", server_name.as_ref().map(|text| json!(text)));
    set("jwt", claims.as_ref().map(|claims| json!({"claims": fields_of(claims)})));
    let filters: Map<String, Value> =
        metadata.iter().map(|(filter, fields)| (filter.clone(), fields_of(fields))).collect();
    let comes_to = |(text, outcome): &(String, CelOutcome)| (text.clone(), json!(outcome.value()));
    let outcomes: Map<String, Value> = expressions.iter().map(comes_to).collect();
    set("expressions", (!outcomes.is_empty()).then_some(Value::Object(outcomes)));
    set("metadata", (!filters.is_empty()).then_some(Value::Object(filters)));
    Value::Object(fields)
}

fn fields_of(Struct(fields): &Struct) -> Value {
    Value::Object(fields.iter().map(|(name, field)| (name.clone(), value(field))).collect())
}

fn value(of: &StructValue) -> Value {
    match of {
        StructValue::Null => Value::Null,
        StructValue::Bool(bool) => json!(bool),
        StructValue::Number(number) => json!(number),
        StructValue::Text(text) => json!(text),
        StructValue::List(items) => items.iter().map(value).collect(),
        StructValue::Map(fields) => fields_of(fields),
    }
}
