//! The suite filter as a proxy-wasm module.
