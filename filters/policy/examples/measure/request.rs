//! What a filter gets of the request of a shape, and the document that it gets.

#[path = "../../tests/metadata/mod.rs"]
mod metadata;

use serde_json::{Value, json};
use weir_model::{Attribute, Attributes, PairsBuilder};
use weir_testing::Shape;

/// The document with `count` rules.
pub(crate) fn document(shape: Shape, count: usize) -> Value {
    let workload = json!({"namespace": "shop", "proxy": "gateway"});
    json!({"schema": 1, "name": "shape", "workload": workload, "policies": [shape.policy(count)]})
}

/// The request to `count` rules: its headers, encoded, and its attributes.
pub(crate) fn request(shape: Shape, count: usize) -> (Vec<u8>, Attributes) {
    let mut pairs = PairsBuilder::default();
    for (name, value) in shape.headers(count) {
        pairs.push(name.as_bytes(), value.as_bytes());
    }
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::SourceAddress, b"192.168.1.1:40000");
    attributes.set(&Attribute::DestinationAddress, b"192.168.1.2:80");
    if let Some(filters) = shape.metadata() {
        attributes.set(&Attribute::DynamicMetadata, &metadata::encode(&filters));
    }
    (pairs.finish(), attributes)
}
