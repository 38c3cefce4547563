//! What is tried while the module starts, before any configuration can be read.
//!
//! The case is a text in the module's data that a driver overwrites in place, keeping its length.

use crate::{abi, host, report};

/// `weir-probe-start=` and the case, filled up with blanks.
static CASE: [u8; 48] = *b"weir-probe-start=none                           ";

/// Runs the case that stands in the data. Most hostcalls trap here.
pub(crate) fn run() {
    // SAFETY: the address is that of a live static; the read is volatile so that the text stays in the data.
    let case = unsafe { std::ptr::read_volatile(&raw const CASE) };
    let case = String::from_utf8_lossy(&case);
    let case = case.trim_end().split_once('=').map(|(_, case)| case.to_owned()).unwrap_or_default();
    report::line("begin", &case);
    once(&case);
}

/// Makes one hostcall by its name, with arguments that are good elsewhere.
pub(crate) fn once(case: &str) {
    match case {
        "none" => {}
        "log" => report::plain("log(info)", abi::proxy_log(2, b"x".as_ptr(), 1)),
        "log_level" => report::plain("get_log_level()", host::get_log_level().0),
        "time" => report::plain("get_current_time()", host::now().0),
        "tick" => report::plain("set_tick_period(0)", abi::proxy_set_tick_period_milliseconds(0)),
        "property" => report::plain("get_property(plugin_name)", host::get_property(b"plugin_name").0),
        "set_property" => report::plain("set_property(x)", host::set_property(b"x", b"y")),
        "buffer" => report::plain("get_buffer(7)", host::get_buffer(7, 0, 9).0),
        "buffer_status" => report::plain("get_buffer_status(7)", host::buffer_status(7).0),
        "header" => report::plain("get_header(0)", host::get_header(0, b":path").0),
        "pairs" => report::plain("get_pairs(0)", host::get_pairs(0).0),
        "shared" => report::plain("get_shared_data(x)", host::get_shared(b"x").0),
        "set_shared" => report::plain("set_shared_data(x)", host::set_shared(b"x", b"y", 0)),
        "queue" => report::plain("register_queue(x)", host::register_queue(b"x").0),
        "metric" => report::plain("define_metric(x)", host::define_metric(0, b"x").0),
        "reply" => report::plain("send_local_response()", host::local_response(418, b"", b"", b"", -1)),
        "continue" => report::plain("continue_stream(0)", abi::proxy_continue_stream(0)),
        "close" => report::plain("close_stream(0)", abi::proxy_close_stream(0)),
        "effective" => report::plain("set_effective_context(1)", abi::proxy_set_effective_context(1)),
        "done" => report::plain("done()", abi::proxy_done()),
        "status" => report::plain("get_status()", host::status().0),
        "http" => report::plain("http_call()", host::http_call(b"upstream", b"", b"", 100).0),
        "foreign" => report::plain("call_foreign_function(nope)", host::foreign(b"nope", b"").0),
        "std_time" => {
            // The clock of the standard library is WASI's, which a module may read at any time.
            let mut time = 0u64;
            // SAFETY: the address is that of a live local, which the host writes eight bytes to.
            let errno = unsafe { clock_time_get(0, 0, &raw mut time) };
            report::line("clock_time_get(realtime)", &errno.to_string());
        }
        "random" => {
            let mut bytes = [0u8; 8];
            // SAFETY: the address and size are those of a live local.
            let errno = unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
            report::line("random_get(8)", &errno.to_string());
        }
        "abort" => std::process::abort(),
        other => report::line("unknown case", other),
    }
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
    fn random_get(buffer: *mut u8, size: usize) -> u32;
}
