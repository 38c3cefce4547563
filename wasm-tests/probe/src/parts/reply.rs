//! Local replies: what is accepted, the outcome, and what can be done afterwards in the same callback.

use crate::report::{line, plain, show, with};
use crate::{abi, host, plan};

pub(crate) fn run() {
    let headers = host::pairs(&[("x-reply", "1"), ("X-Reply", "2"), ("content-type", "text/x-probe")]);
    let reply = |code: u32, headers: &[u8], grpc: i32| {
        let status = host::local_response(code, b"probe details\there", b"probe body", headers, grpc);
        plain(&format!("send_local_response({code}, {} bytes of headers, {grpc})", headers.len()), status);
    };
    match plan::word("case").as_str() {
        "plain" => reply(418, &headers, -1),
        "grpc" => reply(200, &headers, 7),
        "grpc-big" => reply(403, b"", 99),
        "bad-headers" => reply(418, b"\xff\xff\xff\xffgarbage", -1),
        "code-0" => reply(0, b"", -1),
        "code-99" => reply(99, b"", -1),
        "code-1000" => reply(1000, b"", -1),
        "twice" => {
            reply(418, &headers, -1);
            reply(419, b"", -1);
        }
        "then-continue" => {
            reply(418, &headers, -1);
            plain("continue_stream(0)", abi::proxy_continue_stream(0));
        }
        "then-read" => {
            reply(418, &headers, -1);
            let (status, value) = host::get_header(0, b":path");
            with("get_header_map_value(request_headers, `:path`)", status, &show(&value));
            plain("add_header_map_value(request_headers)", host::add_header(0, b"x-late", b"1"));
        }
        other => line("unknown case", other),
    }
}
