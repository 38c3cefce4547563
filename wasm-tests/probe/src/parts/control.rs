//! Calls about the module and the stream themselves.

use crate::report::{enter, plain, scene, show, with};
use crate::{abi, host, kept, plan};

pub(crate) fn run() {
    let (status, level) = host::get_log_level();
    with("get_log_level()", status, &level.to_string());
    for level in [6, u32::MAX] {
        plain(&format!("log({level})"), abi::proxy_log(level, b"never".as_ptr(), 5));
    }
    let (status, time) = host::now();
    with("get_current_time_nanoseconds()", status, if time > 1_600_000_000_000_000_000 { "<time>" } else { "early" });
    let (status, (code, text)) = host::status();
    with("get_status()", status, &format!("{code} {}", show(&text)));
    for stream in [2, 3, 4, u32::MAX] {
        plain(&format!("continue_stream({stream})"), abi::proxy_continue_stream(stream));
    }
    for stream in [4, u32::MAX] {
        plain(&format!("close_stream({stream})"), abi::proxy_close_stream(stream));
    }
    plain("done()", abi::proxy_done());
    for (call, arguments) in [("nope", &b""[..]), ("", b""), ("expr_evalute", b"\0\0\0\0")] {
        let (status, result) = host::foreign(call.as_bytes(), arguments);
        with(&format!("call_foreign_function(`{call}`)"), status, &show(&result));
    }
    let own = scene().context;
    for (name, context) in [("absent", 99999), ("0", 0), ("root", kept::root()), ("own", own)] {
        plain(&format!("set_effective_context({name})"), abi::proxy_set_effective_context(context));
        let (status, value) = host::get_property(b"request\0method");
        with(&format!("get_property(request.method) as {name}"), status, &show(&value));
    }
}

/// One action on the stream in hand, by the plan's case.
pub(crate) fn stream() {
    let (kind, times) = match plan::word("case").as_str() {
        "continue-request" => (0, 1),
        "continue-request-twice" => (0, 2),
        "continue-response" => (1, 1),
        "close-request" => {
            plain("close_stream(0)", abi::proxy_close_stream(0));
            return;
        }
        "close-response" => {
            plain("close_stream(1)", abi::proxy_close_stream(1));
            return;
        }
        "close-downstream" => {
            plain("close_stream(2)", abi::proxy_close_stream(2));
            return;
        }
        "trailers" => {
            let map = if scene().phase.starts_with("request") { 1 } else { 3 };
            plain("add_header_map_value(trailers)", host::add_header(map, b"x-made", b"1"));
            let (status, value) = host::get_header(map, b"x-made");
            with("get_header_map_value(trailers)", status, &show(&value));
            return;
        }
        other => {
            enter(scene().context, "unknown_case");
            crate::report::line("case", other);
            return;
        }
    };
    for _ in 0..times {
        plain(&format!("continue_stream({kind})"), abi::proxy_continue_stream(kind));
    }
}
