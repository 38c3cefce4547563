//! Spellings of bytes and of header fields.

use super::{Bytes, Fields};
use weir_testing::Rows;

#[test]
fn spellings() {
    let cases: &[(&str, Result<&[u8], &str>)] = &[
        ("plain", Ok(b"plain")),
        ("7", Ok(b"7")),
        ("true", Ok(b"true")),
        (r"{escaped: 'caf\xe9\\'}", Ok(b"caf\xe9\\")),
        (r"{escaped: '\r\n\0\t'}", Ok(b"\r\n\0\t")),
        ("{base64: /wA=}", Ok(b"\xff\0")),
        ("{repeat: ab, times: 3}", Ok(b"ababab")),
        (r"{escaped: '\q'}", Err("is not an escape")),
        (r"{escaped: '\xg0'}", Err("is not a byte")),
        ("{base64: '%'}", Err("`%`")),
        ("{repeat: ab}", Err("expected `escaped`")),
        ("{hex: ab}", Err("did not match")),
    ];
    let mut rows = Rows::default();
    for (yaml, expected) in cases {
        let found = serde_yaml_ng::from_str::<Bytes>(yaml).map_err(|error| error.to_string());
        match expected {
            Ok(wanted) => rows.check(yaml, found, Ok(Bytes(wanted.to_vec()))),
            Err(wanted) => rows.contains(yaml, &found.err().unwrap_or_default(), wanted),
        }
    }
}

#[test]
fn fields_keep_repeats_and_fill() {
    let map: Fields = serde_yaml_ng::from_str("{x-b: [1, 2], x-a: v}").unwrap();
    assert_eq!(format!("{:?}", map.0), r#"[("x-a", "v"), ("x-b", "1"), ("x-b", "2")]"#);
    let list: Fields = serde_yaml_ng::from_str("[{name: b, value: 1}, {prefix: h-, count: 2, value: v}]").unwrap();
    assert_eq!(format!("{:?}", list.0), r#"[("b", "1"), ("h-0", "v"), ("h-1", "v")]"#);
    assert_eq!(map.values("X-B").count(), 2);
}

#[test]
fn prints_what_is_not_printable() {
    assert_eq!(Bytes(b"a\xff\\".to_vec()).to_string(), r"a\xff\\");
    assert!(Bytes(vec![b'a'; 300]).to_string().ends_with("... (300 bytes)"));
}
