//! Our filters are HTTP filters. Loaded as a network filter, a module would be asked nothing that it decides: it would let
//! every connection pass, and nobody would know. So it closes each connection, and says why once in each VM.
//!
//! The module exports this in place of the SDK's callback of the same name, which would panic on the context of an HTTP
//! filter. Envoy never calls it for HTTP filters.

use crate::abi;
use std::cell::Cell;

/// What `proxy_on_new_connection` returns to stop the connection's filter chain.
const STOP_ITERATION: u32 = 1;

thread_local! {
    static LOGGED: Cell<bool> = const { Cell::new(false) };
}

/// The link step exports it as `proxy_on_new_connection`.
#[unsafe(no_mangle)]
pub extern "C" fn weir_on_new_connection(_context: u32) -> u32 {
    if !LOGGED.replace(true) {
        abi::log(
            4,
            "weir: this module is an HTTP filter and is loaded as a network filter: every connection is closed; use \
             `envoy.filters.http.wasm` (in a WasmPlugin `type: HTTP`)",
        );
    }
    if abi::close_downstream().is_err() {
        abi::log(4, "weir: the host would not close a connection");
    }
    STOP_ITERATION
}
