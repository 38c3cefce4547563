use super::{Json, parse};
use weir_testing::Rows;

/// The value as serde has it.
fn tree(value: &Json<'_>) -> serde_json::Value {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    match value {
        Json::Null => serde_json::Value::Null,
        Json::Bool(bool) => (*bool).into(),
        Json::Number(digits) => serde_json::from_slice(digits).unwrap(),
        Json::Text(bytes) => text(bytes).into(),
        Json::Doubtful(_) => panic!("doubtful"),
        Json::List(items) => items.iter().map(tree).collect(),
        Json::Map(fields) => fields.iter().map(|(name, value)| (text(name), tree(value))).collect(),
    }
}

#[test]
fn what_is_json_reads_as_serde_reads_it() {
    let mut rows = Rows::default();
    for line in [
        "null",
        " true ",
        "[false,1,-2.5e3, \"\"]",
        r#"{"a":{"b":[{},[]]},"c":"d"}"#,
        r#""\"\\\/\b\f\n\r\t\u0041\u20ac\ud83d\ude00 é""#,
        r#"{"":0}"#,
    ] {
        let expected: serde_json::Value = serde_json::from_str(line).unwrap();
        rows.check(line, parse(line.as_bytes()).map(|value| tree(&value)), Ok(expected));
    }
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    let mut rows = Rows::default();
    let deep = "[".repeat(100);
    for (line, expected) in [
        ("", "a value at byte 1"),
        ("{", "a name in quotation marks at byte 2"),
        (r#"{"a""#, "`:` at byte 5"),
        (r#"{"a":1 "b""#, "`,` or `}` at byte 8"),
        ("[1 2]", "`,` or `]` at byte 4"),
        ("[1,]", "a value at byte 4"),
        (r#""a"#, "the end of a string"),
        (r#""\x""#, "an escape at byte 3"),
        (r#""\u12""#, "four hexadecimal digits"),
        (r#""\ud83dx""#, "the other half of a surrogate pair"),
        (r#""\ud83d\u0041""#, "the other half of a surrogate pair"),
        ("nul", "a value"),
        ("{} {}", "the end of the line at byte 4"),
        (&deep, "more than 64 levels"),
    ] {
        rows.contains(line, &parse(line.as_bytes()).err().unwrap_or_default(), expected);
    }
}

/// As Envoy 1.36 to 1.40 write the bytes `ff`, `"`, `c3 a4`.
#[test]
fn bytes_and_letters_that_are_written_alike_are_neither() {
    assert_eq!(parse(br#""\u00ff\u0022\u00c3\u00a4""#), Ok(Json::Doubtful("\u{ff}\"\u{c3}\u{a4}".as_bytes().into())));
    assert_eq!(
        parse(br#"["\u00e4","b"]"#),
        Ok(Json::List(vec![Json::Doubtful("\u{e4}".as_bytes().into()), Json::Text(b"b"[..].into())]))
    );
    // Beyond that range, and as they are, they are letters.
    assert_eq!(parse("\"\\u0101\u{e4}\"".as_bytes()), Ok(Json::Text("\u{101}\u{e4}".as_bytes().into())));
    assert_eq!(parse(b"\"\xff\""), Ok(Json::Text(b"\xff"[..].into())));
}
