//! The policy filter as a proxy-wasm module.

weir_host::module!(weir_policy::Policy);
