//! Wasm filters in a bootstrap.

use serde_json::{Value, json};

/// A Wasm filter with its own VM.
pub(crate) fn wasm(name: &str, module: &std::path::Path, document: &Value) -> Value {
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": name,
                "root_id": "weir",
                "failure_policy": "FAIL_RELOAD",
                "vm_config": {
                    "vm_id": name,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": document.to_string(),
                },
            },
        },
    })
}
