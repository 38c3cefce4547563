use super::{bytes, compressed};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::Read;
use weir_testing::Rows;

fn inflated(text: &Value) -> Value {
    let bytes = BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap();
    let mut inflated = String::new();
    GzDecoder::new(bytes.as_slice()).read_to_string(&mut inflated).unwrap();
    serde_json::from_str(&inflated).unwrap()
}

#[test]
fn compressed_policies_are_the_same_policies_in_the_same_bytes() {
    let policies: Vec<Value> = (0..200).map(|number| json!({"metadata": {"name": format!("p{number}")}})).collect();
    let mut rows = Rows::default();
    for (name, pointer, document) in [
        ("policy", "", json!({"schema": 1, "policies": policies})),
        ("suite", "/policy", json!({"schema": 1, "policy": {"policies": policies}, "telemetry": {}})),
    ] {
        let small = compressed(&document).unwrap();
        rows.check(name, inflated(small.pointer(&format!("{pointer}/policiesGzip")).unwrap()), json!(policies));
        rows.check(name, small.pointer(&format!("{pointer}/policies")), None);
        rows.check(name, bytes(&small) * 4 < bytes(&document), true);
        rows.check(name, compressed(&document).unwrap(), small);
    }
    let without = json!({"schema": 1, "telemetry": {}});
    assert_eq!(compressed(&without).unwrap(), without);
}
