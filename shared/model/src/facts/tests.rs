use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

fn encoded(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut builder = PairsBuilder::default();
    for (key, value) in pairs {
        builder.push(key, value);
    }
    builder.finish()
}

#[test]
fn every_value_of_a_repeated_header_is_seen_alone() {
    let bytes = encoded(&[(b"a", b"1"), (b"b", b""), (b"a", b"\xff\x00\x80")]);
    let headers = Headers::new(&bytes);
    assert_eq!(headers.len(), 3);
    assert_eq!(headers.all(b"a").collect::<Vec<_>>(), [b"1".as_slice(), b"\xff\x00\x80"]);
    assert_eq!(headers.first(b"b"), Some(b"".as_slice()));
    assert_eq!(headers.first(b"c"), None);
}

#[test]
fn damaged_bytes_never_read_outside_and_never_panic() {
    let whole = encoded(&[(b"host", b"x"), (b"k", b"v")]);
    let mut rows = Rows::default();
    for cut in 0..whole.len() {
        let headers = Headers::new(&whole[..cut]);
        rows.check(format!("{cut:?}"), headers.iter().count() <= 2, true);
    }
    assert!(Headers::new(&u32::MAX.to_le_bytes()).is_empty());
    let mut long = whole.clone();
    long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Headers::new(&long).iter().count(), 0);
}

#[test]
fn slots_agree_with_the_table_and_a_value_replaces_the_earlier_one() {
    let mut rows = Rows::default();
    for (slot, attribute) in Attribute::BUILTIN.iter().enumerate() {
        rows.check(format!("{attribute:?}"), attribute.slot(), Some(slot));
    }
    let mut attributes = Attributes::default();
    let state = Attribute::FilterState("k".into());
    attributes.set(&state, b"one");
    attributes.set(&state, b"two");
    attributes.set_int(&Attribute::ResponseCode, 200);
    attributes.set_bool(&Attribute::ConnectionMtls, true);
    assert_eq!(attributes.bytes(&state), Some(b"two".as_slice()));
    assert_eq!(attributes.int(&Attribute::ResponseCode), Some(200));
    assert_eq!(attributes.bool(&Attribute::ConnectionMtls), Some(true));
    assert_eq!(attributes.int(&Attribute::ConnectionMtls), None);
    attributes.clear();
    assert_eq!(attributes.bytes(&state), None);
    assert_eq!(attributes.int(&Attribute::ResponseCode), None);
}

#[test]
fn what_cannot_be_read_is_neither_absent_nor_a_value() {
    let named = Attribute::FilterState("a".into());
    let mut attributes = Attributes::default();
    let mut rows = Rows::default();
    for attribute in [&Attribute::UpstreamPeer, &named] {
        rows.check(format!("{attribute:?}"), attributes.is_unreadable(attribute), false);
        attributes.set_unreadable(attribute);
        rows.check(format!("{attribute:?}"), attributes.is_unreadable(attribute), true);
        rows.check(format!("{attribute:?}"), attributes.bytes(attribute), None);
    }
    assert!(!attributes.is_unreadable(&Attribute::FilterState("b".into())));
    attributes.clear();
    assert!(!attributes.is_unreadable(&Attribute::UpstreamPeer) && !attributes.is_unreadable(&named));
}
