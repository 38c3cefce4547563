//! Our filters are HTTP filters. Loaded as a network filter, a module would never be asked for a decision, and every
//! connection would pass without a trace. So it closes each connection, and logs why once in each VM.

use crate::{abi, protocol};
use std::cell::Cell;

thread_local! {
    static LOGGED: Cell<bool> = const { Cell::new(false) };
}

/// Closes the connection whose context is in effect.
pub(crate) fn close() {
    if !LOGGED.replace(true) {
        abi::log(
            4,
            "weir: this module is an HTTP filter and is loaded as a network filter: every connection is closed; use \
             `envoy.filters.http.wasm` (in a WasmPlugin `type: HTTP`)",
        );
    }
    protocol::close();
}
