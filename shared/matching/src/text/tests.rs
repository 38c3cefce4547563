use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn forms() {
    let cases: [(&str, &[u8], bool); 18] = [
        ("abc", b"abc", true),
        ("abc", b"ABC", false),
        ("abc", b"abcd", false),
        ("abc*", b"abc", true),
        ("abc*", b"abcd", true),
        ("abc*", b"ab", false),
        ("*abc", b"abc", true),
        ("*abc", b"xabc", true),
        ("*abc", b"abcx", false),
        ("*abc*", b"xabc*", true),
        ("*abc*", b"xabcx", false),
        ("a*c", b"a*c", true),
        ("a*c", b"abc", false),
        ("*", b"", false),
        ("*", b"\xff", true),
        ("\u{e4}*", b"\xc3\xa4x", true),
        ("\u{e4}*", b"\xc3", false),
        ("**", b"x*", true),
    ];
    let mut rows = Rows::default();
    for (pattern, value, expected) in cases {
        rows.check(format!("{pattern} on {}", value.escape_ascii()), Pattern::parse(pattern).matches(value), expected);
    }
    assert!(Pattern::Any.matches(b""));
    assert!(Pattern::parse_lower("*.Example.COM").matches(b"a.example.com"));
}

#[test]
fn globs() {
    let cases: [(&str, &[u8], bool); 10] = [
        ("", b"", true),
        ("a", b"a", true),
        ("a", b"ab", false),
        ("*", b"", true),
        ("*/ns/*/*", b"td/ns/foo/sa/x", true),
        ("*/ns/foo/*", b"td/ns/foo", false),
        ("*/ns/foo/*", b"td/ns/foo/", true),
        ("a*a", b"a", false),
        ("a*b*c", b"abbc", true),
        ("a*b*b", b"ab", false),
    ];
    let mut rows = Rows::default();
    for (glob, value, expected) in cases {
        rows.check(format!("{glob} on {}", value.escape_ascii()), Glob::parse(glob).matches(value), expected);
        rows.check(format!("text of {glob}"), Glob::parse(glob).text(), glob.as_bytes());
    }
}
