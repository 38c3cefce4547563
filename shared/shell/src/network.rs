//! Our filters are HTTP filters. Loaded as a network filter, a module would never be asked for a decision, and every
//! connection would pass without a trace. So it closes each connection, and logs why once in each VM.
//!
//! The module exports this in place of the SDK's callback of the same name, which would panic on the context of an HTTP
//! filter. Envoy never calls it for HTTP filters.

use crate::abi;
use std::cell::{Cell, RefCell};

/// Forgets a context. Returns whether it is a connection's.
pub(crate) fn forget(context: u32) -> bool {
    CONNECTIONS.with(|connections| {
        let Ok(mut connections) = connections.try_borrow_mut() else { return false };
        let before = connections.len();
        connections.retain(|known| *known != context);
        connections.len() != before
    })
}

/// What `proxy_on_new_connection` returns to stop the connection's filter chain.
const STOP_ITERATION: u32 = 1;

thread_local! {
    static LOGGED: Cell<bool> = const { Cell::new(false) };
    /// The contexts of connections that have not ended; none in a VM of HTTP filters.
    static CONNECTIONS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

/// The link step exports it as `proxy_on_new_connection`.
#[unsafe(no_mangle)]
pub extern "C" fn weir_on_new_connection(context: u32) -> u32 {
    CONNECTIONS.with(|connections| {
        if let Ok(mut connections) = connections.try_borrow_mut() {
            connections.push(context);
        }
    });
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
