//! The shell: the one crate that speaks the proxy-wasm ABI.
//!
//! A core (`weir_model::Filter`) takes values and returns values. This crate turns callbacks of the host into calls of
//! the core: it fetches what the compiled configuration demands in as few crossings as it can, hands it over in place,
//! acts on the verdict, and drains the effects as its last act.
//!
//! The `proxy-wasm` SDK supplies the start of a module, its allocator, and the marker of the ABI's version. The callbacks
//! are ours ([`Vm`]), and so is everything that takes or returns bytes ([`abi`]): the SDK's dispatcher panics on contexts and
//! tokens that it does not know, its wrappers panic on bytes that are not UTF-8 and on statuses they do not expect, and a
//! panic is an outage for every stream of the worker.

mod abi;
pub mod callout;
mod cel;
mod cells;
mod contexts;
mod core;
mod document;
mod drain;
mod fetch;
#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod late;
mod list;
mod logger;
mod metrics;
mod network;
mod protocol;
mod remembered;
mod reply;
mod root;
mod stream;
mod tcp;
mod vm;
mod waiting;

pub use tcp::{HttpAndTcp, Tcp};
pub use vm::Vm;

/// The SDK, for modules that are not filters of ours: nothing else in the workspace depends on it.
pub mod sdk {
    pub use proxy_wasm;
}

#[doc(hidden)]
pub use weir_model::Side;
use weir_model::{Callbacks, Filter, TcpFilter};

/// Makes a cdylib the proxy-wasm module of a filter core, or of an HTTP filter and a TCP filter.
///
/// ```text
/// weir_shell::module!(weir_policy::Policy);
/// weir_shell::module!(Http, tcp: Connections);
/// ```
#[macro_export]
macro_rules! module {
    ($filter:ty) => {
        $crate::module!(@vm $crate::Vm<$filter>, $crate::callbacks::<$filter>());
    };
    ($http:ty, tcp: $tcp:ty) => {
        $crate::module!(@vm $crate::HttpAndTcp<$http, $tcp>, $crate::callbacks::<$http>(), $crate::common_callbacks::<$tcp>());

        /// Which of the callbacks that only TCP filters have the module needs.
        #[cfg_attr(target_arch = "wasm32", unsafe(link_section = "weir.tcp"))]
        #[used]
        static TCP_CALLBACKS: [u8; 3] = $crate::tcp_callbacks::<$tcp>();

        $crate::export! {
            fn weir_on_downstream_data(context: u32, length: usize, end: u32) -> u32 {
                VM.with(|vm| vm.on_data(context, $crate::Side::Downstream, length, end != 0))
            }
            fn weir_on_upstream_data(context: u32, length: usize, end: u32) -> u32 {
                VM.with(|vm| vm.on_data(context, $crate::Side::Upstream, length, end != 0))
            }
            fn weir_on_downstream_connection_close(context: u32, by: u32) {
                VM.with(|vm| vm.on_close(context, $crate::Side::Downstream, by))
            }
            fn weir_on_upstream_connection_close(context: u32, by: u32) {
                VM.with(|vm| vm.on_close(context, $crate::Side::Upstream, by))
            }
        }
    };
    (@vm $vm:ty, $callbacks:expr $(, $tcp:expr)?) => {
        $crate::sdk::proxy_wasm::main! {{
            $crate::start();
        }}

        /// Which callbacks the module needs; the link step compares it with what the module exports.
        #[cfg_attr(target_arch = "wasm32", unsafe(link_section = "weir.callbacks"))]
        #[used]
        static CALLBACKS: [u8; 4] = $callbacks$(.union($tcp))?.encode();

        thread_local! {
            static VM: $vm = const { <$vm>::new() };
        }

        $crate::export! {
            fn weir_on_vm_start(_root: u32, _size: usize) -> u32 { 1 }
            fn weir_on_configure(root: u32, _size: usize) -> u32 { VM.with(|vm| vm.on_configure(root)) }
            fn weir_on_tick(root: u32) { VM.with(|vm| vm.on_tick(root)) }
            fn weir_on_context_create(context: u32, parent: u32) { VM.with(|vm| vm.on_context_create(context, parent)) }
            fn weir_on_done(context: u32) -> u32 { VM.with(|vm| vm.on_done(context)) }
            fn weir_on_delete(context: u32) { VM.with(|vm| vm.on_delete(context)) }
            fn weir_on_new_connection(context: u32) -> u32 { VM.with(|vm| vm.on_new_connection(context)) }
            fn weir_on_request_headers(context: u32, _headers: usize, end_of_stream: u32) -> u32 {
                VM.with(|vm| vm.on_request_headers(context, end_of_stream != 0))
            }
            fn weir_on_response_headers(context: u32, _headers: usize, _end_of_stream: u32) -> u32 {
                VM.with(|vm| vm.on_response_headers(context))
            }
            fn weir_on_log(context: u32) { VM.with(|vm| vm.on_log(context)) }
        }
    };
}

/// Exports callbacks; the link step puts each in the place of the SDK's, whose name begins with `proxy_`.
#[doc(hidden)]
#[macro_export]
macro_rules! export {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) $(-> $out:ty)? $body:block)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name($($arg: $ty),*) $(-> $out)? $body
        )*
    };
}

/// What the custom section [`weir_model::Callbacks::SECTION`] of a filter's module says; [`module!`] puts it there.
#[must_use]
pub const fn callbacks<F: Filter>() -> Callbacks {
    F::CALLBACKS
}

/// Those of a TCP filter that are the same for HTTP filters: no data is response headers.
#[must_use]
pub const fn common_callbacks<T: TcpFilter>() -> Callbacks {
    T::CALLBACKS.common()
}

/// What the custom section [`weir_model::TcpCallbacks::SECTION`] of a module with a TCP filter holds.
#[must_use]
pub const fn tcp_callbacks<T: TcpFilter>() -> [u8; 3] {
    T::CALLBACKS.encode()
}

/// Has the log go to the host; [`module!`] calls it when the host starts the module.
pub fn start() {
    logger::start();
}
