use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn durations_are_numbers_with_a_unit() {
    let mut rows = Rows::default();
    for (text, millis) in [
        ("2s", Some(2000)),
        ("0.25s", Some(250)),
        ("0.020s", Some(20)),
        ("500ms", Some(500)),
        ("1m", Some(60_000)),
        ("1.5h", Some(5_400_000)),
        ("0s", Some(0)),
        ("2", None),
        ("s", None),
        (".5s", Some(500)),
        ("1.s", Some(1000)),
        ("1m30s", Some(90_000)),
        ("1h0.5m.25s", Some(3_630_250)),
        ("250000us", Some(250)),
        ("250000\u{b5}s", Some(250)),
        ("1000000ns", Some(1)),
        ("", None),
        (".s", None),
        ("1s2", None),
        ("1s.", None),
        ("s1s", None),
        ("1sm", None),
        ("1m-3s", None),
        ("0.5ns", None),
        ("1.2.3s", None),
        ("-1s", None),
        ("+1s", None),
        ("1 s", None),
        ("1d", None),
        ("0.1234567890s", None),
        ("99999999999999999999s", None),
        ("18446744073709551615h", None),
        ("9223372036854775807ns9223372036854775807ns2ns", None),
    ] {
        rows.check(text, parse_duration(text), millis.map(Duration::from_millis));
    }
}

#[test]
fn sizes_are_bytes_or_have_a_unit() {
    let mut rows = Rows::default();
    for (text, bytes) in [
        ("0", Some(0)),
        ("65536", Some(65_536)),
        ("64KiB", Some(65_536)),
        ("4MiB", Some(4_194_304)),
        ("4MB", None),
        ("MiB", None),
        ("4 MiB", None),
        ("-1KiB", None),
        ("18446744073709551615KiB", None),
    ] {
        rows.check(text, parse_bytes(text), bytes);
    }
}
