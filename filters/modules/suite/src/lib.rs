//! The suite filter as a proxy-wasm module.

weir_host::module!(weir_suite::Suite);
