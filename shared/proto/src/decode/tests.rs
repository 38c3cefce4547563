use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

/// One length-delimited field, written by hand so that the numbers are checked against the published definitions.
fn field(number: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = payload.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(payload);
    out
}

fn text(value: &str) -> Vec<u8> {
    field(3, value.as_bytes())
}

fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, key.as_bytes()), field(2, value)].concat())
}

#[test]
fn a_node_as_envoy_serialises_it() {
    let labels = [entry("app", &text("cart")), entry("version", &text("v1"))].concat();
    let metadata = [
        entry("NAMESPACE", &text("shop")),
        entry("LABELS", &field(5, &labels)),
        entry("N", &[&[0x11], 2.5f64.to_le_bytes().as_slice()].concat()),
        entry("T", &[0x20, 1]),
        entry("Z", &[0x08, 0]),
        entry("E", &[]),
        entry("L", &field(6, &[field(1, &text("a")), field(1, &[0x20, 0])].concat())),
    ]
    .concat();
    // Locality (4) and user agent (6) are skipped.
    let bytes =
        [field(1, b"id-1"), field(2, b"cart"), field(3, &metadata), field(4, &field(1, b"eu")), field(6, b"envoy")]
            .concat();
    let node = decode_node(&bytes).expect("a node");
    assert_eq!((node.id.as_str(), node.cluster.as_str()), ("id-1", "cart"));
    assert_eq!((node.text("NAMESPACE"), node.label("app"), node.label("none")), (Some("shop"), Some("cart"), None));
    assert_eq!(node.labels().collect::<Vec<_>>(), [("app", "cart"), ("version", "v1")]);
    let others = ["N", "T", "Z", "E", "L"].map(|key| node.metadata.get(key).unwrap().clone());
    let list = StructValue::List(vec![StructValue::Text("a".to_owned()), StructValue::Bool(false)]);
    let expected = [StructValue::Number(2.5), StructValue::Bool(true), StructValue::Null, StructValue::Null, list];
    assert_eq!(others, expected);
    for cut in 0..bytes.len() {
        let _ = decode_node(&bytes[..cut]);
    }
    assert_eq!(node.envoy, None);
    let mut rows = Rows::default();
    for (label, is_release) in [(vec![], true), (field(2, &entry("build.label", &text("dev"))), false)] {
        let version = [field(1, &[0x08, 1, 0x10, 38, 0x18, 4]), label.clone()].concat();
        let node = decode_node(&[bytes.clone(), field(8, &version)].concat()).expect("a node");
        rows.check(format!("{label:?}"), node.envoy, Some(EnvoyVersion { major: 1, minor: 38, patch: 4, is_release }));
    }
    assert_eq!(decode_node(b""), Some(Node::default()));
}

#[test]
fn metadata_by_filter_name_with_the_typed_part_skipped() {
    let istio = entry("k", &text("v"));
    let bytes = [field(1, &[field(1, b"istio"), field(2, &istio)].concat()), field(2, &field(1, b"typed"))].concat();
    let metadata = decode_metadata(&bytes).expect("metadata");
    assert_eq!(metadata.get("other"), None);
    assert_eq!(metadata.get("istio").unwrap().get("k").unwrap().as_text(), Some("v"));
}

#[test]
fn what_is_no_message_is_none() {
    assert_eq!(decode_struct(&[0xff]), None);
    assert_eq!(decode_struct(&entry("k", &field(3, b"\xff\xfe"))), None, "a string that is not UTF-8");
    let mut deep = text("bottom");
    for _ in 0..1000 {
        deep = field(5, &entry("k", &deep));
    }
    assert_eq!(decode_struct(&entry("k", &deep)), None, "nested deeper than the limit");
    let mut shallow = text("bottom");
    for _ in 0..20 {
        shallow = field(5, &entry("k", &shallow));
    }
    assert!(decode_struct(&entry("k", &shallow)).is_some());
}
