//! The shell: the one crate that speaks the proxy-wasm ABI.
