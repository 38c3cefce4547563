use super::*;
use crate::message::{Field, FilterMetadata, ListValue, MetadataMessage, StructMessage, Value, value::Kind};
use prost::Message as _;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

fn text(text: &str) -> Value {
    value(Kind::Text(text.to_owned()))
}

fn map<const N: usize>(fields: [(&str, Value); N]) -> StructMessage {
    let fields = fields.map(|(key, value)| Field { key: key.to_owned(), value: Some(value) });
    StructMessage { fields: fields.into() }
}

fn metadata(filters: Vec<(&str, StructMessage)>) -> Vec<u8> {
    let filters = filters.into_iter().map(|(key, value)| FilterMetadata { key: key.to_owned(), value: Some(value) });
    MetadataMessage { filter_metadata: filters.collect() }.encode_to_vec()
}

/// A payload as jwt_authn leaves it, between two other filters.
fn sample() -> Vec<u8> {
    let realm =
        map([("access", value(Kind::Struct(map([("role", text("admin"))])))), ("level", value(Kind::Number(3.0)))]);
    let list = ListValue { values: vec![text("a"), value(Kind::Number(1.0)), text(""), value(Kind::Null(0))] };
    let payload = map([
        ("iss", text("https://issuer.example")),
        ("groups", value(Kind::List(list))),
        ("realm", value(Kind::Struct(realm))),
        ("admin", value(Kind::Bool(true))),
        ("none", value(Kind::Null(0))),
        ("twice", text("first")),
        ("twice", text("last")),
        ("", text("unnamed")),
    ]);
    metadata(vec![
        ("before", map([("payload", text("x"))])),
        ("jwt", map([("payload", value(Kind::Struct(payload)))])),
        ("after", map([])),
    ])
}

/// What is found, in a form that can be compared.
fn shown(bytes: &[u8], filter: &str, path: &[&str]) -> Result<Option<String>, Damaged> {
    let Some(fields) = MetadataView::new(bytes).get(filter)? else { return Ok(None) };
    let mut value = ValueView::Map(fields);
    for name in path {
        let ValueView::Map(fields) = value else { return Ok(None) };
        let Some(found) = fields.get(name)? else { return Ok(None) };
        value = found;
    }
    show(value).map(Some)
}

fn show(value: ValueView<'_>) -> Result<String, Damaged> {
    Ok(match value {
        ValueView::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
        ValueView::List(list) => list.items().map(|item| show(item?)).collect::<Result<Vec<_>, _>>()?.join(", "),
        ValueView::Map(_) => "map".to_owned(),
        ValueView::Other => "other".to_owned(),
    })
}

#[test]
fn values_are_found_by_their_path() {
    let bytes = sample();
    let mut rows = Rows::default();
    for (filter, path, expected) in [
        ("jwt", ["payload", "iss"].as_slice(), Some("\"https://issuer.example\"")),
        ("jwt", &["payload", "groups"], Some("\"a\", other, \"\", other")),
        ("jwt", &["payload", "realm", "access", "role"], Some("\"admin\"")),
        ("jwt", &["payload", "realm", "access"], Some("map")),
        ("jwt", &["payload", "realm", "level"], Some("other")),
        ("jwt", &["payload", "realm", "level", "more"], None),
        ("jwt", &["payload", "iss", "more"], None),
        ("jwt", &["payload", "groups", "a"], None),
        ("jwt", &["payload", "admin"], Some("other")),
        ("jwt", &["payload", "none"], Some("other")),
        ("jwt", &["payload", "twice"], Some("\"last\"")),
        ("jwt", &["payload", ""], Some("\"unnamed\"")),
        ("jwt", &["payload", "is"], None),
        ("jwt", &["iss"], None),
        ("before", &["payload"], Some("\"x\"")),
        ("after", &["payload"], None),
        ("jw", &["payload"], None),
        ("", &["payload"], None),
    ] {
        rows.check(format!("{filter} {path:?}"), shown(&bytes, filter, path), Ok(expected.map(str::to_owned)));
    }
    rows.check("no metadata at all", shown(b"", "jwt", &["payload"]), Ok(None));
}

#[test]
fn fields_come_in_the_order_of_the_message() -> Result<(), Damaged> {
    let bytes = sample();
    let mut filters = MetadataView::new(&bytes).filters();
    assert_eq!(
        filters.by_ref().map(|filter| Ok(filter?.0)).collect::<Result<Vec<_>, _>>()?,
        [b"before".as_slice(), b"jwt", b"after"]
    );
    let jwt = MetadataView::new(&bytes).get("jwt")?.ok_or(Damaged)?;
    let Some(ValueView::Map(payload)) = jwt.get("payload")? else { return Err(Damaged) };
    let shown =
        payload.fields().map(|field| Ok((String::from_utf8_lossy(field?.name).into_owned(), show(field?.value()?)?)));
    let expected = [
        ("iss", "\"https://issuer.example\""),
        ("groups", "\"a\", other, \"\", other"),
        ("realm", "map"),
        ("admin", "other"),
        ("none", "other"),
        ("twice", "\"first\""),
        ("twice", "\"last\""),
        ("", "\"unnamed\""),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(shown.collect::<Result<Vec<_>, Damaged>>()?, expected);
    let damaged = [bytes.as_slice(), &[0x0f]].concat();
    let last = MetadataView::new(&damaged).filters().last();
    assert!(matches!(last, Some(Err(Damaged))), "{last:?}");
    Ok(())
}

#[test]
fn a_field_without_a_value_is_null_and_a_filter_without_fields_has_none() {
    let field = Field { key: "a".to_owned(), value: None };
    let bytes = metadata(vec![("f", StructMessage { fields: vec![field] })]);
    assert_eq!(shown(&bytes, "f", &["a"]), Ok(Some("other".to_owned())));
    let empty = MetadataMessage { filter_metadata: vec![FilterMetadata { key: "f".to_owned(), value: None }] };
    assert_eq!(shown(&empty.encode_to_vec(), "f", &["a"]), Ok(None));
}

#[test]
fn damaged_bytes_are_damaged_and_never_an_absent_value() {
    let bytes = sample();
    let mut rows = Rows::default();
    // Cut anywhere inside of the filter's metadata: found before the cut, or damaged.
    let whole = shown(&bytes, "jwt", &["payload", "twice"]);
    let end = bytes.windows(5).position(|window| window == b"after").unwrap();
    let start = bytes.windows(3).position(|window| window == b"jwt").unwrap() + 3;
    for cut in start..end - 3 {
        let read = shown(&bytes[..cut], "jwt", &["payload", "twice"]);
        rows.check(format!("cut at {cut}"), read == Err(Damaged) || read == whole, true);
    }
    for (name, bytes) in [
        ("a length beyond the end", [0x0a, 0x05, 0x0a].as_slice()),
        ("a varint without an end", &[0x0a, 0xff]),
        ("an entry that is a number", &[0x08, 0x01]),
        ("a key that is a number", &[0x0a, 0x02, 0x08, 0x01]),
        ("a field number of 0", &[0x02, 0x00]),
        ("a length of 64 bits", &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ("a group without an end", &[0x2b, 0x08, 0x01]),
    ] {
        rows.check(name, MetadataView::new(bytes).get("jwt"), Err(Damaged));
    }
    // A text that is a number on the wire.
    let value = [0x0a, 0x0a, 0x0a, 0x01, b'f', 0x12, 0x05, 0x0a, 0x03, 0x12, 0x01, 0x18];
    rows.check("a text without a length", shown(&value, "f", &[""]), Err(Damaged));
}

#[test]
fn objects_may_be_nested_as_deep_as_the_bytes_allow() {
    let mut inner = text("deep");
    for _ in 0..200 {
        inner = value(Kind::Struct(map([("n", inner)])));
    }
    let bytes = metadata(vec![("f", map([("n", inner)]))]);
    assert_eq!(shown(&bytes, "f", &["n"]), Ok(Some("map".to_owned())));
    assert_eq!(shown(&bytes, "f", &vec!["n"; 201]), Ok(Some("\"deep\"".to_owned())));
}
