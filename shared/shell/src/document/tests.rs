use super::*;
use weir_testing::Rows;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&json(bytes.into())).into_owned()
}

/// A field of a serialised message: tag, length, bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
    out.extend_from_slice(bytes);
    out
}

fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, key.as_bytes()), field(2, value)].concat())
}

#[test]
fn text_is_left_as_it_is() {
    let mut rows = Rows::default();
    for document in [r#"{"schema":1}"#, "\n {\n \"a\": 1}", "{}", " { } ", "", "nonsense", "[1]"] {
        rows.check(document, text(document.as_bytes()), document);
    }
}

#[test]
fn a_struct_becomes_json() {
    let number = |value: f64| [&[0x11][..], &value.to_le_bytes()].concat();
    let list = field(6, &[field(1, &number(0.5)), field(1, &[0x20, 1]), field(1, &[0x08, 0])].concat());
    let name = field(3, b"a\"b\\c\n\xc3\xa9");
    let inner = field(5, &entry("k", &field(3, b"v")));
    let bytes = [entry("schema", &number(1.0)), entry("name", &name), entry("list", &list), entry("map", &inner)];
    assert_eq!(
        text(&bytes.concat()),
        r#"{"list":[0.500000000,true,null],"map":{"k":"v"},"name":"a\"b\\c\u000aé","schema":1}"#
    );
}
