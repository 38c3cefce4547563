//! Header maps of every type: reads in every phase, and writes where they change nothing that the stream needs.

use crate::host;
use crate::report::{header, plain, show_pairs, with};

const MAPS: [&str; 10] = [
    "request_headers",
    "request_trailers",
    "response_headers",
    "response_trailers",
    "grpc_initial",
    "grpc_trailing",
    "http_headers",
    "http_trailers",
    "8",
    "4294967295",
];

fn maps() -> impl Iterator<Item = (u32, &'static str)> {
    MAPS.iter().zip(0u32..).map(|(name, kind)| (if kind == 9 { u32::MAX } else { kind }, *name))
}

pub(crate) fn read() {
    for (kind, map) in maps() {
        for name in [":path", ":status", "x-user", "X-User", "x-twice", "x-empty", "x-missing", "grpc-status", ""] {
            let (status, value) = host::get_header(kind, name.as_bytes());
            with(&format!("get_header_map_value({map}, `{name}`)"), status, &header(name.as_bytes(), &value));
        }
        let (status, pairs) = host::get_pairs(kind);
        with(&format!("get_header_map_pairs({map})"), status, &show_pairs(&pairs));
        let (status, size) = host::map_size(kind);
        with(&format!("get_header_map_size({map})"), status, if size == 0 { "0" } else { "<size>" });
    }
}

pub(crate) fn write(phase: &str) {
    for (kind, map) in maps() {
        let add = |name: &str, value: &str| {
            let status = host::add_header(kind, name.as_bytes(), value.as_bytes());
            plain(&format!("add_header_map_value({map}, `{name}`, `{value}`)"), status);
        };
        let replace = |name: &str, value: &str| {
            let status = host::replace_header(kind, name.as_bytes(), value.as_bytes());
            plain(&format!("replace_header_map_value({map}, `{name}`, `{value}`)"), status);
        };
        let remove = |name: &str| {
            let status = host::remove_header(kind, name.as_bytes());
            plain(&format!("remove_header_map_value({map}, `{name}`)"), status);
        };
        let get = |name: &str| {
            let (status, value) = host::get_header(kind, name.as_bytes());
            with(&format!("get_header_map_value({map}, `{name}`)"), status, &header(name.as_bytes(), &value));
        };
        add("X-Added", phase);
        add("x-added", "again");
        get("x-added");
        replace("x-added", "one");
        get("x-added");
        replace("X-Replaced", "new");
        get("x-replaced");
        remove("x-replaced");
        get("x-replaced");
        remove("x-missing");
        remove("x-twice");
        get("x-twice");
        add("x-empty-added", "");
        get("x-empty-added");
        let (status, pairs) = host::get_pairs(kind);
        with(&format!("get_header_map_pairs({map})"), status, &show_pairs(&pairs));
    }
    whole(phase);
}

/// Sets whole maps: a good list where nothing depends on the map, and malformed lists.
fn whole(phase: &str) {
    let good = host::pairs(&[("x-set", "1"), ("X-Upper", "2"), ("x-set", "3")]);
    let trailers = match phase {
        "request_trailers" => 1,
        "response_trailers" => 3,
        _ => 7,
    };
    let cut = good.get(..good.len().saturating_sub(2)).unwrap_or_default();
    let long = [good.as_slice(), b"more"].concat();
    let tries: [(&str, &[u8]); 5] =
        [("good", &good), ("cut", cut), ("long", &long), ("none", b""), ("huge count", &[0xff, 0xff, 0xff, 0xff])];
    for (name, pairs) in tries {
        plain(&format!("set_header_map_pairs({trailers}, {name})"), host::set_pairs(trailers, pairs));
        let (status, pairs) = host::get_pairs(trailers);
        with(&format!("get_header_map_pairs({trailers}) after {name}"), status, &show_pairs(&pairs));
    }
    plain("set_header_map_pairs(8, good)", host::set_pairs(8, &good));
}
