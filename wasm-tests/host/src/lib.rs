//! In-process Envoy: a strict proxy-wasm host on wasmtime.
