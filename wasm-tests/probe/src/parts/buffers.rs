//! Buffers of every type: every kind of range, status, and edits.

use crate::host;
use crate::report::{plain, show, with};

const BUFFERS: [&str; 11] = [
    "request_body",
    "response_body",
    "downstream",
    "upstream",
    "http_body",
    "grpc_message",
    "vm_configuration",
    "plugin_configuration",
    "call_data",
    "9",
    "4294967295",
];

fn buffers() -> impl Iterator<Item = (u32, &'static str)> {
    BUFFERS.iter().zip(0u32..).map(|(name, kind)| (if kind == 10 { u32::MAX } else { kind }, *name))
}

pub(crate) fn read() {
    let all = u32::MAX as usize;
    for (kind, buffer) in buffers() {
        for (start, length) in [(0, all), (0, 0), (2, 3), (0, 5), (1, all), (1000, 5), (all, all), (all, 0)] {
            let (status, bytes) = host::get_buffer(kind, start, length);
            with(&format!("get_buffer_bytes({buffer}, {start}, {length})"), status, &show(&bytes));
        }
        let (status, (length, flags)) = host::buffer_status(kind);
        let shown = if status == 0 { format!("length={length} flags={flags}") } else { String::new() };
        with(&format!("get_buffer_status({buffer})"), status, &shown);
    }
    // On a buffer that cannot be written in this phase, or that does not exist.
    for (kind, buffer) in buffers().filter(|(kind, _)| *kind > 1) {
        plain(&format!("set_buffer_bytes({buffer}, 0, 0, `x`)"), host::set_buffer(kind, 0, 0, b"x"));
    }
}

/// Edits of the body in hand, each followed by what it came to.
pub(crate) fn write() {
    let all = u32::MAX as usize;
    for (kind, buffer) in buffers().take(2) {
        let edits: [(&str, usize, usize, &[u8]); 8] = [
            ("prepend", 0, 0, b"<<"),
            ("append far", 100_000, 0, b">>"),
            ("append farther", all, all, b"!"),
            ("replace head", 0, 2, b"["),
            ("middle", 2, 1, b"?"),
            ("drain", 0, 3, b""),
            ("replace all", 0, all, b"replaced"),
            ("start at size", 8, 0, b"+"),
        ];
        for (name, start, length, value) in edits {
            plain(&format!("set_buffer_bytes({buffer}, {name})"), host::set_buffer(kind, start, length, value));
            let (status, bytes) = host::get_buffer(kind, 0, all);
            with(&format!("get_buffer_bytes({buffer}) after {name}"), status, &show(&bytes));
        }
    }
}
