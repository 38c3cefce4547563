//! An HTTP filter that is loaded as a network filter would never be asked for a decision, and every connection would pass
//! without a trace. So it closes each connection, and logs why once in each VM.

use crate::{abi, protocol};
use std::cell::Cell;

thread_local! {
    static LOGGED: Cell<bool> = const { Cell::new(false) };
}

/// What a plugin of a module without a TCP filter is loaded as instead.
pub(crate) const INSTEAD: &str = "use `envoy.filters.http.wasm` (in a WasmPlugin `type: HTTP`)";

/// What one of a module with a TCP filter is.
pub(crate) const INSTEAD_OF_BOTH: &str = "use `envoy.filters.http.wasm` (in a WasmPlugin `type: HTTP`) for requests, or \
                                          the root id `weir.tcp` (`pluginName`) for connections";

/// Closes the connection whose context is in effect.
pub(crate) fn close(instead: &str) {
    if !LOGGED.replace(true) {
        let line = "weir: this is an HTTP filter and is loaded as a network filter: every connection is closed; ";
        abi::log(4, &[line, instead].concat());
    }
    protocol::close();
}
