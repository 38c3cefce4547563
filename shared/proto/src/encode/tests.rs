use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn a_target_is_there_whatever_its_name() {
    let long = "outbound|8081||ratelimit.rate-limit-system.svc.cluster.local".repeat(4);
    let mut rows = Rows::default();
    for (cluster, authority, start) in [
        ("c", "", b"\x0a\x03\x0a\x01c".as_slice()),
        ("c", "a", b"\x0a\x06\x0a\x01c\x12\x01a"),
        ("empty", "", b"\x0a\x07\x0a\x05empty"),
        // Not even an empty name leaves the target out.
        ("", "", b"\x0a\x00"),
        // From 128 bytes on the length has a byte that is not UTF-8.
        (&long, "", b"\x0a\xf3\x01\x0a\xf0\x01outbound"),
    ] {
        let bytes = encode_grpc_service(cluster, authority);
        rows.check(format!("{cluster}: {bytes:?}"), bytes.starts_with(start), true);
        let target = GrpcServiceMessage::decode(bytes.as_slice()).ok().and_then(|message| message.envoy_grpc);
        let expected = EnvoyGrpcMessage { cluster_name: cluster.to_owned(), authority: authority.to_owned() };
        rows.check(format!("{cluster} {authority}"), target, Some(expected));
    }
}

#[test]
fn metadata_comes_back_as_it_was() {
    let list = StructValue::List(vec![StructValue::Text("a".to_owned()), StructValue::Null, StructValue::Bool(true)]);
    let inner: Struct = [("list".to_owned(), list), ("number".to_owned(), StructValue::Number(2.5))].into();
    let fields: Struct =
        [("inner".to_owned(), StructValue::Map(inner)), (String::new(), StructValue::Bool(false))].into();
    let bytes = encode_metadata([("one", &fields), ("other", &Struct::default())]);
    let metadata = crate::decode_metadata(&bytes).unwrap();
    assert_eq!((metadata.get("one"), metadata.get("other")), (Some(&fields), Some(&Struct::default())));
}
