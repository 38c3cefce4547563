//! The policy filter as a proxy-wasm module.
