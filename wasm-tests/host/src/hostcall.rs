//! The hostcalls, linked by name and type. Each body is in the file of its subject.

mod attributes;
mod basic;
mod buffers;
mod callouts;
mod control;
mod expressions;
mod grpc_target;
mod guest;
mod maps;
mod metrics;
mod properties;
mod shared;
mod wasi;

use crate::hostcall::guest::hostcall;
use crate::vm::module::Abi;
use crate::vm::state::VmState;
use wasmtime::{Caller, Linker};

macro_rules! link {
    ($linker:expr; $($name:ident ( $($arg:ident : $ty:ty),* ) $body:path;)*) => {$(
        $linker.func_wrap("env", stringify!($name), |mut caller: Caller<'_, VmState>, $($arg: $ty),*| {
            hostcall(&mut caller, stringify!($name), |guest| $body(guest, $($arg),*))
        })?;
    )*};
}

/// Everything that a module of an ABI version may import; what else it asks for does not link.
///
/// # Errors
/// When wasmtime refuses a definition, which two definitions of one name would make it do.
pub(crate) fn link(linker: &mut Linker<VmState>, abi: Abi) -> wasmtime::Result<()> {
    link! { linker;
        proxy_log(level: u32, text: u32, size: u32) basic::log;
        proxy_get_current_time_nanoseconds(to: u32) basic::now;
        proxy_set_tick_period_milliseconds(period: u32) basic::tick;
        proxy_get_status(code: u32, text: u32, size: u32) basic::status;
        proxy_set_effective_context(context: u32) basic::effective;
        proxy_done() basic::done;
        proxy_get_property(path: u32, n: u32, to: u32, size: u32) properties::get;
        proxy_set_property(path: u32, n: u32, value: u32, size: u32) properties::set;
        proxy_call_foreign_function(name: u32, n: u32, args: u32, size: u32, to: u32, to_size: u32) properties::foreign;
        proxy_get_header_map_value(map: u32, key: u32, n: u32, to: u32, size: u32) maps::value;
        proxy_get_header_map_pairs(map: u32, to: u32, size: u32) maps::pairs;
        proxy_get_header_map_size(map: u32, to: u32) maps::size;
        proxy_set_header_map_pairs(map: u32, from: u32, size: u32) maps::set_pairs;
        proxy_add_header_map_value(map: u32, key: u32, n: u32, value: u32, size: u32) maps::add;
        proxy_replace_header_map_value(map: u32, key: u32, n: u32, value: u32, size: u32) maps::replace;
        proxy_remove_header_map_value(map: u32, key: u32, n: u32) maps::remove;
        proxy_get_buffer_bytes(kind: u32, start: u32, length: u32, to: u32, size: u32) buffers::get;
        proxy_get_buffer_status(kind: u32, length: u32, flags: u32) buffers::status;
        proxy_set_buffer_bytes(kind: u32, start: u32, length: u32, from: u32, size: u32) buffers::set;
        proxy_get_shared_data(key: u32, n: u32, to: u32, size: u32, cas: u32) shared::get;
        proxy_set_shared_data(key: u32, n: u32, value: u32, size: u32, cas: u32) shared::set;
        proxy_register_shared_queue(name: u32, n: u32, to: u32) shared::register;
        proxy_resolve_shared_queue(vm: u32, vm_n: u32, name: u32, n: u32, to: u32) shared::resolve;
        proxy_enqueue_shared_queue(queue: u32, value: u32, size: u32) shared::enqueue;
        proxy_dequeue_shared_queue(queue: u32, to: u32, size: u32) shared::dequeue;
        proxy_define_metric(kind: u32, name: u32, n: u32, to: u32) metrics::define;
        proxy_increment_metric(metric: u32, by: i64) metrics::increment;
        proxy_record_metric(metric: u32, value: u64) metrics::record;
        proxy_get_metric(metric: u32, to: u32) metrics::get;
        proxy_send_local_response(code: u32, details: u32, details_n: u32, body: u32, body_n: u32, headers: u32,
            headers_n: u32, grpc: u32) control::reply;
        proxy_http_call(uri: u32, uri_n: u32, headers: u32, headers_n: u32, body: u32, body_n: u32, trailers: u32,
            trailers_n: u32, timeout: u32, token: u32) callouts::http;
        proxy_grpc_call(service: u32, service_n: u32, name: u32, name_n: u32, method: u32, method_n: u32, metadata: u32,
            metadata_n: u32, message: u32, message_n: u32, timeout: u32, token: u32) callouts::grpc;
        proxy_grpc_stream(service: u32, service_n: u32, name: u32, name_n: u32, method: u32, method_n: u32,
            metadata: u32, metadata_n: u32, token: u32) callouts::grpc_stream;
        proxy_grpc_send(token: u32, message: u32, size: u32, end: u32) callouts::grpc_send;
        proxy_grpc_cancel(token: u32) callouts::grpc_cancel;
        proxy_grpc_close(token: u32) callouts::grpc_close;
    }
    match abi {
        Abi::V0_1_0 => {
            link! { linker;
            proxy_get_configuration(to: u32, size: u32) buffers::configuration;
            proxy_continue_request() control::continue_request;
            proxy_continue_response() control::continue_response;
            proxy_clear_route_cache() control::clear_route;
            }
        }
        Abi::V0_2_0 | Abi::V0_2_1 => {
            link! { linker;
            proxy_continue_stream(stream: u32) control::continue_stream;
            proxy_close_stream(stream: u32) control::close_stream;
            }
        }
    }
    if abi == Abi::V0_2_1 {
        link! { linker; proxy_get_log_level(to: u32) basic::log_level; }
    }
    linker.func_wrap("env", "pthread_equal", |left: u32, right: u32| u32::from(left == right))?;
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_: u32| {})?;
    wasi::link(linker, "wasi_unstable")?;
    wasi::link(linker, "wasi_snapshot_preview1")
}
