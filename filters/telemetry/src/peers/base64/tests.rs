use super::decode;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn with_and_without_padding() {
    // The examples of RFC 4648, section 10.
    let cases = [
        ("", ""),
        ("Zg==", "f"),
        ("Zm8=", "fo"),
        ("Zm9v", "foo"),
        ("Zm9vYg==", "foob"),
        ("Zm9vYmE=", "fooba"),
        ("Zm9vYmFy", "foobar"),
    ];
    let mut rows = Rows::default();
    for (text, expected) in cases {
        rows.check(text, decode(text.as_bytes()).as_deref(), Some(expected.as_bytes()));
        let bare = text.trim_end_matches('=');
        rows.check(bare, decode(bare.as_bytes()).as_deref(), Some(expected.as_bytes()));
    }
    assert_eq!(decode(b"+/8A"), Some(vec![0xfb, 0xff, 0x00]));
    assert_eq!(decode(b"////"), Some(vec![0xff, 0xff, 0xff]));
}

#[test]
fn what_is_not_base64_is_none() {
    let mut rows = Rows::default();
    for text in ["Z", "Zm9vY", "Zg=", "Zg===", "=", "Zm9v Zm9v", "Zm-_", "Z\u{e9}", "Zm=v", "Zm9v\n"] {
        rows.check(format!("{text:?}"), decode(text.as_bytes()), None);
    }
}
