//! The telemetry filter as a proxy-wasm module.
