use super::{HeaderMatch, HeaderTest, Kind, StringMatch};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Headers, PairsBuilder};
use weir_testing::Rows;

fn text(kind: Kind, text: &str, ignore_case: bool) -> StringMatch {
    StringMatch { kind, text: text.as_bytes().into(), ignore_case }
}

#[test]
fn strings_match_where_they_must() {
    let rows = [
        (Kind::Exact, "ab", false, "ab", true),
        (Kind::Exact, "ab", false, "AB", false),
        (Kind::Exact, "ab", true, "aB", true),
        (Kind::Exact, "", false, "", true),
        (Kind::Prefix, "ab", false, "abc", true),
        (Kind::Prefix, "ab", false, "a", false),
        (Kind::Prefix, "ab", true, "ABc", true),
        (Kind::Suffix, "bc", false, "abc", true),
        (Kind::Suffix, "bc", false, "c", false),
        (Kind::Contains, "b", false, "abc", true),
        (Kind::Contains, "B", true, "abc", true),
        (Kind::Contains, "x", false, "", false),
        (Kind::Contains, "", false, "", true),
    ];
    let mut table = Rows::default();
    for (kind, pattern, ignore_case, value, expected) in rows {
        let found = text(kind, pattern, ignore_case).matches(value.as_bytes());
        table.check(format!("{kind:?} {pattern} {ignore_case} {value}"), found, expected);
    }
}

#[test]
fn headers_match_as_envoy_does() {
    let present = HeaderTest::Present;
    let exact = |value| HeaderTest::Text(text(Kind::Exact, value, false));
    // name, test, invert, missing is empty, expected
    let rows = [
        ("one", exact("1"), false, false, true),
        ("one", exact("1"), true, false, false),
        ("two", exact("a,b"), false, false, false),
        ("two", exact("a"), false, false, true),
        ("two", exact("b"), false, false, true),
        ("two", exact("b"), true, false, false),
        ("two", exact("c"), true, false, true),
        ("none", exact(""), false, false, false),
        ("none", exact("x"), true, false, false),
        ("none", exact(""), false, true, true),
        ("none", present(true), false, false, false),
        ("none", present(true), true, false, true),
        ("none", present(false), false, false, true),
        ("none", present(true), false, true, true),
        ("none", present(true), true, true, false),
        ("none", present(false), false, true, false),
        ("none", present(false), true, true, true),
        ("none", exact("x"), true, true, true),
        ("one", present(true), false, false, true),
        ("one", HeaderTest::Range(0, 2), false, false, true),
        ("one", HeaderTest::Range(0, 1), false, false, false),
        ("two", HeaderTest::Range(0, 1), false, false, false),
        ("two", HeaderTest::Range(0, 1), true, false, true),
    ];
    let bytes = PairsBuilder::default().push(b"one", b"1").push(b"two", b"a").push(b"two", b"b").finish();
    let mut table = Rows::default();
    for (name, test, invert, missing_is_empty, expected) in rows {
        let matcher = HeaderMatch { name: name.as_bytes().into(), test, invert, missing_is_empty };
        table.check(format!("{matcher:?}"), matcher.matches(&Headers::new(&bytes)), expected);
    }
}
