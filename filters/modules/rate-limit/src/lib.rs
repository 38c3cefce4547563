//! The rate-limit filter as a proxy-wasm module.
