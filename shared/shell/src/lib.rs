//! The shell: the one crate that speaks the proxy-wasm ABI.
//!
//! A core (`weir_model::Filter`) takes values and returns values. This crate turns callbacks of the host into calls of
//! the core: it fetches what the compiled configuration demands in as few crossings as it can, hands it over in place,
//! acts on the verdict, and drains the effects as its last act.
//!
//! Entry points and the life of contexts come from the `proxy-wasm` SDK. Everything that takes or returns bytes goes
//! through imports of our own ([`abi`]), because the SDK's wrappers panic on bytes that are no UTF-8 and on statuses it
//! does not expect, and a panic is an outage for every stream of the worker. Callouts and their answers are ours for the
//! same reason ([`callout`]).

mod abi;
pub mod callout;
mod cells;
mod core;
mod document;
mod drain;
mod fetch;
#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
pub mod fuzzing;
mod list;
pub mod network;
mod root;
mod stream;
mod waiting;

/// The SDK, for modules that are no filters of ours: nothing else in the workspace depends on it.
pub mod sdk {
    pub use proxy_wasm;
}

use weir_model::Filter;

/// Makes a cdylib the proxy-wasm module of a filter core.
///
/// ```text
/// weir_shell::module!(weir_policy::Policy);
/// ```
#[macro_export]
macro_rules! module {
    ($filter:ty) => {
        $crate::sdk::proxy_wasm::main! {{
            $crate::start::<$filter>();
        }}

        /// Which callbacks the module needs; the link step compares it with what the module exports.
        #[cfg_attr(target_arch = "wasm32", unsafe(link_section = "weir.callbacks"))]
        #[used]
        static CALLBACKS: [u8; 5] = $crate::callbacks::<$filter>();
    };
}

/// What the custom section [`weir_model::Callbacks::SECTION`] of a filter's module holds; [`module!`] puts it there.
#[must_use]
pub const fn callbacks<F: Filter>() -> [u8; 5] {
    F::CALLBACKS.encode()
}

/// Registers `F` with the SDK; [`module!`] calls it when the host starts the module.
pub fn start<F: Filter>() {
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(root::Root::<F>::default()));
}
