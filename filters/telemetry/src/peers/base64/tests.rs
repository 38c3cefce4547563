use super::decode;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

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
    for (text, expected) in cases {
        assert_eq!(decode(text.as_bytes()).as_deref(), Some(expected.as_bytes()), "{text}");
        let bare = text.trim_end_matches('=');
        assert_eq!(decode(bare.as_bytes()).as_deref(), Some(expected.as_bytes()), "{bare}");
    }
    assert_eq!(decode(b"+/8A"), Some(vec![0xfb, 0xff, 0x00]));
    assert_eq!(decode(b"////"), Some(vec![0xff, 0xff, 0xff]));
}

#[test]
fn what_is_not_base64_is_none() {
    for text in ["Z", "Zm9vY", "Zg=", "Zg===", "=", "Zm9v Zm9v", "Zm-_", "Z\u{e9}", "Zm=v", "Zm9v\n"] {
        assert_eq!(decode(text.as_bytes()), None, "{text:?}");
    }
}
