use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

fn text_of(value: &[u8], limit: usize) -> String {
    let mut object = JsonObject::new();
    object.text("a", value, limit);
    object.finish()
}

#[test]
fn any_bytes_become_one_string() {
    let mut rows = Rows::default();
    for (value, limit, expected) in [
        (&b""[..], 9, r#"{"a":""}"#),
        (b"plain", 9, r#"{"a":"plain"}"#),
        (b"\"},{\"b\":\"", 99, r#"{"a":"\"},{\"b\":\""}"#),
        (b"a\\b", 9, r#"{"a":"a\\b"}"#),
        (b"\x00\x1f\x7f\r\n\t", 99, r#"{"a":"\u0000\u001f\u007f\r\n\t"}"#),
        ("\u{85}\u{2028}\u{202e}".as_bytes(), 99, r#"{"a":"\u0085\u2028\u202e"}"#),
        ("é😀".as_bytes(), 99, r#"{"a":"\u00e9\ud83d\ude00"}"#),
        (b"a\xffb\\x", 99, r#"{"a":"a\\xffb\\\\x","escaped":["a"]}"#),
        (b"\xed\xa0\x80", 99, r#"{"a":"\\xed\\xa0\\x80","escaped":["a"]}"#),
        (b"123456", 5, r#"{"a":"12345","truncated":["a"]}"#),
        (b"123456", 6, r#"{"a":"123456"}"#),
        // No escape is cut in two.
        ("12é".as_bytes(), 7, r#"{"a":"12","truncated":["a"]}"#),
        ("12é".as_bytes(), 8, r#"{"a":"12\u00e9"}"#),
        (b"1\xff\xff", 7, r#"{"a":"1\\xff","escaped":["a"],"truncated":["a"]}"#),
    ] {
        rows.check(format!("{value:?} {limit}"), text_of(value, limit).as_str(), expected);
    }
}

#[test]
fn what_is_written_is_ascii_and_reads_back() {
    let mut rows = Rows::default();
    let mut random = 1u32;
    for length in 0..200 {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let [.., high] = random.to_le_bytes();
                // Half of it from few bytes, so that it is UTF-8 sometimes.
                if high < 128 { b"a\"\\\n"[usize::from(high % 4)] } else { high }
            })
            .collect();
        let object = text_of(&bytes, usize::MAX);
        rows.check(format!("{bytes:?} in ASCII"), object.bytes().all(|byte| matches!(byte, b' '..=b'~')), true);
        let read: serde_json::Value = serde_json::from_str(&object).unwrap();
        let text = read["a"].as_str().unwrap();
        let back = if read["escaped"].is_null() { text.as_bytes().to_vec() } else { unescaped(text) };
        rows.check(format!("{bytes:?} read back"), back, bytes);
    }
}

/// Takes `\xNN` and `\\` back.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(found) = rest.chars().next() {
        let (piece, taken) = match (found, rest.as_bytes().get(1)) {
            ('\\', Some(b'x')) => (vec![u8::from_str_radix(rest.get(2..4).unwrap(), 16).unwrap()], 4),
            ('\\', _) => (b"\\".to_vec(), 2),
            _ => (found.to_string().into_bytes(), found.len_utf8()),
        };
        bytes.extend(piece);
        rest = rest.get(taken..).unwrap();
    }
    bytes
}

#[test]
fn objects_and_lists_stand_inside() {
    let mut object = JsonObject::new();
    object.object("empty", |_| {});
    object.object("headers", |inner| {
        inner.texts("none", [], 9);
        inner.texts("x-one", [b"1".as_slice()], 9);
        inner.texts("x-\"two", [b"1".as_slice(), b"\xff", b"\xfe"], 9);
    });
    object.flag("mtls", true);
    let expected =
        r#"{"headers":{"x-one":"1","x-\"two":["1","\\xff","\\xfe"]},"mtls":true,"escaped":["headers.x-\"two"]}"#;
    assert_eq!(object.finish(), expected);
}

#[test]
fn fields_of_another_object_are_appended() {
    let mut other = JsonObject::new();
    other.append(&JsonObject::new());
    other.text("b", b"\xff2", 5);
    let mut object = JsonObject::new();
    object.append(&other);
    object.number("c", 3);
    object.append(&JsonObject::new());
    object.append(&other);
    let expected = r#"{"b":"\\xff","c":3,"b":"\\xff","escaped":["b","b"],"truncated":["b","b"]}"#;
    assert_eq!(object.finish(), expected);
}

#[test]
fn moments_are_in_rfc_3339() {
    let mut rows = Rows::default();
    for (secs, expected) in [
        (0, "1970-01-01T00:00:00"),
        (951_782_399, "2000-02-28T23:59:59"),
        (951_782_400, "2000-02-29T00:00:00"),
        (951_868_800, "2000-03-01T00:00:00"),
        (1_709_164_800, "2024-02-29T00:00:00"),
        (1_795_799_870, "2026-11-27T17:17:50"),
        (4_107_542_399, "2100-02-28T23:59:59"),
        (4_107_542_400, "2100-03-01T00:00:00"),
    ] {
        let mut object = JsonObject::new();
        object.time("t", secs * 1_000_000_000 + 1_234_567);
        rows.check(secs, object.finish(), format!("{{\"t\":\"{expected}.001234Z\"}}"));
    }
    // The latest moment that there is does not panic.
    let mut object = JsonObject::new();
    object.time("t", u64::MAX);
    assert_eq!(object.finish(), "{\"t\":\"2554-07-21T23:34:33.709551Z\"}");
}
