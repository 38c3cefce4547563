//! Callouts: every way to ask for one wrongly in every phase, and one answered call where the plan wants it.

mod targets;

use crate::host::{self, UNWRITTEN};
use crate::report::{plain, show, show_pairs, with};
use crate::{abi, plan};

const GOOD: [(&str, &str); 3] = [(":method", "POST"), (":path", "/callout"), (":authority", "callout.example")];

/// A token as a word: low two bits say what kind of callout it is.
fn token(value: u32) -> String {
    if value == UNWRITTEN { "unwritten".to_owned() } else { format!("token%4={} zero={}", value % 4, value == 0) }
}

pub(crate) fn run(phase: &str) {
    answer();
    // Answers to calls from here would come at any time; so those that go out are made in one phase, by the plan.
    let [method, path, authority] = GOOD;
    let tries: [(&str, &[u8], Vec<u8>, u32); 8] = [
        ("unknown cluster", b"nowhere", host::pairs(&GOOD), 100),
        ("empty cluster", b"", host::pairs(&GOOD), 100),
        ("no method", b"upstream", host::pairs(&[path, authority]), 100),
        ("no path", b"upstream", host::pairs(&[method, authority]), 100),
        ("no authority", b"upstream", host::pairs(&[method, path]), 100),
        ("no headers", b"upstream", Vec::new(), 100),
        ("garbage headers", b"upstream", b"\x01\0\0\0".to_vec(), 100),
        ("negative timeout", b"upstream", host::pairs(&GOOD), u32::MAX),
    ];
    for (name, cluster, headers, timeout) in tries {
        let (status, value) = host::http_call(cluster, &headers, b"", timeout);
        with(&format!("http_call({name})"), status, &token(value));
    }
    let none = host::pairs::<&str, &str>(&[]);
    // No empty name: it is an empty `GrpcService` message, and Envoy 1.40 aborts on one.
    for (name, cluster) in [("unknown cluster", &b"nowhere"[..]), ("garbage", b"\xff\xff\xff")] {
        let (status, value) = host::grpc_call(cluster, b"Ask", &none, b"message", 100);
        with(&format!("grpc_call({name})"), status, &token(value));
        let (status, value) = host::grpc_stream(cluster, b"Talk", &none);
        with(&format!("grpc_stream({name})"), status, &token(value));
    }
    for id in [0, 1, 2, 3, 99998, 99999] {
        plain(&format!("grpc_send({id})"), host::grpc_send(id, b"x", false));
        plain(&format!("grpc_cancel({id})"), abi::proxy_grpc_cancel(id));
        plain(&format!("grpc_close({id})"), abi::proxy_grpc_close(id));
    }
    let (status, (code, text)) = host::status();
    with("get_status()", status, &format!("{code} {}", show(&text)));
    if plan::word("at") == phase && plan::word("callout").is_empty() {
        call_out();
    }
}

/// What an answer's maps and buffers hold in the current phase.
fn answer() {
    let all = u32::MAX as usize;
    for (map, name) in [(4, "grpc_initial"), (5, "grpc_trailing"), (6, "http_headers"), (7, "http_trailers")] {
        let (status, pairs) = host::get_pairs(map);
        with(&format!("get_header_map_pairs({name})"), status, &show_pairs(&pairs));
    }
    for (buffer, name) in [(4, "http_body"), (5, "grpc_message"), (8, "call_data")] {
        let (status, bytes) = host::get_buffer(buffer, 0, all);
        with(&format!("get_buffer_bytes({name})"), status, &show(&bytes));
    }
}

/// Makes the plan's callout. Returns whether an answer will come.
pub(crate) fn call_out() -> bool {
    let cluster = plan::word("to");
    let cluster = if cluster.is_empty() { "upstream".to_owned() } else { cluster };
    let cluster = targets::bytes(&plan::word("target"), &cluster);
    let timeout = match plan::count("timeout") {
        0 => 2000,
        given => given,
    };
    let none = host::pairs::<&str, &str>(&[]);
    let metadata = host::pairs(&[("x-probe", "1")]);
    match plan::word("callout").as_str() {
        "grpc" => {
            let (status, value) = host::grpc_call(&cluster, b"Ask", &metadata, b"message", timeout);
            with("grpc_call(good)", status, &token(value));
            plain("grpc_send(unary)", host::grpc_send(value, b"x", false));
            status == 0
        }
        "grpc-cancel" => {
            let (status, value) = host::grpc_call(&cluster, b"Ask", &none, b"message", timeout);
            with("grpc_call(good)", status, &token(value));
            plain("grpc_cancel(live)", abi::proxy_grpc_cancel(value));
            plain("grpc_cancel(dead)", abi::proxy_grpc_cancel(value));
            false
        }
        "grpc-stream" => {
            let (status, value) = host::grpc_stream(&cluster, b"Talk", &metadata);
            with("grpc_stream(good)", status, &token(value));
            plain("grpc_send(first)", host::grpc_send(value, b"message", false));
            plain("grpc_send(end)", host::grpc_send(value, b"last", true));
            status == 0
        }
        _ => {
            let (status, value) = host::http_call(&cluster, &headers(), b"question", timeout);
            with("http_call(good)", status, &token(value));
            status == 0
        }
    }
}

/// The headers of an HTTP callout, one of them as the plan's `header=NAME,HEX` has it.
fn headers() -> Vec<u8> {
    let given = plan::word("header");
    let Some((name, digits)) = given.split_once(',') else { return host::pairs(&GOOD) };
    let digits = digits.as_bytes().chunks(2);
    let value: Vec<u8> = digits.filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect();
    let mut fields: Vec<(&[u8], &[u8])> =
        GOOD.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    fields.retain(|(known, _)| *known != name.as_bytes());
    fields.push((name.as_bytes(), &value));
    host::pairs(&fields)
}
