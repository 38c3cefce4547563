use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn text_is_sanitised_byte_by_byte() {
    let mut rows = Rows::default();
    for (bytes, expected) in [
        (&b"plain"[..], "plain"),
        (b"caf\xc3\xa9", "caf\u{e9}"),
        (b"caf\xe9", "caf!"),
        (b"\xe2\x82", "!!"),
        (b"\xf0\x9f\x98a\xff", "!!!a!"),
        (b"\xc0\x80", "!!"),
    ] {
        rows.check(format!("{bytes:?}"), utf8(bytes), expected.to_owned());
    }
}

#[test]
fn addresses_have_an_ip_and_a_port() {
    let mut rows = Rows::default();
    for (text, expected) in [
        ("10.0.0.1:80", Some(("10.0.0.1", 80))),
        ("[fe80::1]:443", Some(("fe80::1", 443))),
        ("10.0.0.1", None),
        ("", None),
        ("a:x", None),
    ] {
        let found = address_of(text.as_bytes()).and_then(|address| address.socket_address);
        let found = found.map(|socket| (socket.address, socket.port));
        rows.check(text, found, expected.map(|(address, port)| (address.to_owned(), Some(port))));
    }
}
