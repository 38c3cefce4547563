use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn ranges() {
    let cases = [
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.4", false),
        ("10.1.2.3/8", "10.9.9.9", true),
        ("10.1.2.3/8", "11.0.0.0", false),
        ("0.0.0.0/0", "255.1.1.1", true),
        ("0.0.0.0/0", "::1", false),
        ("fd00::1/8", "fdff::", true),
        ("::/0", "::ffff:1.2.3.4", true),
        ("1.2.3.4", "::ffff:1.2.3.4", false),
    ];
    let mut rows = Rows::default();
    for (range, address, expected) in cases {
        rows.check(
            format!("{address} in {range}"),
            Cidr::parse(range).unwrap().contains(address.parse().unwrap()),
            expected,
        );
    }
    for wrong in ["", "ip", "1.2.3", "1.2.3.4/33", "1.2.3.4/+8", "1.2.3.4/", "::/129", "1.2.3.4/8/8"] {
        rows.check(wrong, Cidr::parse(wrong), None);
    }
}

#[test]
fn masks_keep_the_first_bits() {
    let cases = [
        ("10.1.2.3", 16, "10.1.0.0"),
        ("10.1.2.3", 0, "0.0.0.0"),
        ("10.1.2.3", 32, "10.1.2.3"),
        ("10.1.2.3", 64, "10.1.2.3"),
        ("2001:abcd:ef01:2345:6789:abcd:ef01:234", 64, "2001:abcd:ef01:2345::"),
        ("2001:db8::1", 0, "::"),
        ("2001:db8::1", 128, "2001:db8::1"),
    ];
    let mut rows = Rows::default();
    for (address, bits, expected) in cases {
        rows.check(
            format!("{address}/{bits}"),
            Cidr::masked(address.parse().unwrap(), bits).to_string(),
            expected.to_owned(),
        );
    }
}

/// Text, and the address and port in it.
type Case = (&'static [u8], Option<(&'static str, Option<&'static [u8]>)>);

#[test]
fn sockets() {
    let cases: [Case; 10] = [
        (b"10.0.0.1:80", Some(("10.0.0.1", Some(b"80")))),
        (b"10.0.0.1", Some(("10.0.0.1", None))),
        (b"[fd00::1]:443", Some(("fd00::1", Some(b"443")))),
        (b"fd00::1", Some(("fd00::1", None))),
        (b"[fe80::1%2]:4711", Some(("fe80::1", Some(b"4711")))),
        (b"fe80::1%eth0", Some(("fe80::1", None))),
        (b"10.0.0.1%2:80", None),
        (b"/tmp/socket", None),
        (b"\xff\x00", None),
        (b"", None),
    ];
    let mut rows = Rows::default();
    for (text, expected) in cases {
        let name = String::from_utf8_lossy(text);
        rows.check(name, socket_address(text), expected.map(|(ip, port)| (ip.parse().unwrap(), port)));
    }
}
