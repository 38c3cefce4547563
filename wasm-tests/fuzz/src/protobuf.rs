//! Serialised protobuf: what Envoy hands over as the node, as metadata and as a configuration, and what peers and
//! services send.
//!
//! Checked: the configuration that the shell makes of a `Struct` is JSON with the same content.

use serde_json::Value;
use weir_model::{Headers, Struct, StructValue};
use weir_proto::{decode_logs_response, decode_metadata, decode_node, decode_struct};
use weir_telemetry::{Peer, Service};

/// Decodes `bytes` as everything that they could be.
pub fn run(bytes: &[u8]) {
    if let Some(node) = decode_node(bytes) {
        let _ = (node.text("NAMESPACE"), node.label("app"), node.labels().count());
    }
    if let Some(metadata) = decode_metadata(bytes) {
        let _ = (Peer::from_endpoint_metadata(bytes), Service::from_cluster_metadata(bytes));
        let _ = metadata.get("istio");
    }
    let _ = decode_logs_response(bytes);
    let json = weir_shell::fuzzing::document(bytes.into());
    if let Some(fields) = decode_struct(bytes) {
        let _ = Peer::from_struct(&fields);
        if *json != *bytes {
            let parsed: Value =
                serde_json::from_slice(&json).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&json)));
            same_fields(&fields, &parsed);
        }
    } else {
        assert_eq!(*json, *bytes, "what is no Struct stays as it is");
    }
    let headers = Headers::new(bytes);
    assert!(headers.iter().count() <= headers.len());
}

fn same_fields(fields: &Struct, json: &Value) {
    let object = json.as_object().unwrap_or_else(|| panic!("{json} is not an object"));
    let names: std::collections::BTreeSet<&str> = fields.0.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(names.len(), object.len());
    for key in names {
        let Some(value) = fields.get(key) else { panic!("{key:?} cannot be found") };
        same(value, object.get(key).unwrap_or_else(|| panic!("{key:?} is lost")));
    }
}

fn same(value: &StructValue, json: &Value) {
    match (value, json) {
        (StructValue::Null, Value::Null) => {}
        (StructValue::Number(number), Value::Null) => assert!(!number.is_finite(), "{number} became null"),
        // A fraction is written to nine places, a huge number to fifteen digits and up to 1e300.
        (StructValue::Number(number), Value::Number(found)) => {
            let (number, found) = (number.clamp(-1e300, 1e300), found.as_f64().unwrap_or(f64::NAN));
            assert!((number - found).abs() <= number.abs() * 1e-14 + 1e-9, "{number} became {found}");
        }
        (StructValue::Text(text), Value::String(found)) => assert_eq!(text, found),
        (StructValue::Bool(bool), Value::Bool(found)) => assert_eq!(bool, found),
        (StructValue::Map(fields), object) => same_fields(fields, object),
        (StructValue::List(items), Value::Array(found)) => {
            assert_eq!(items.len(), found.len());
            items.iter().zip(found).for_each(|(item, found)| same(item, found));
        }
        (value, json) => panic!("{value:?} became {json}"),
    }
}
