use super::*;
use weir_testing::Rows;

fn envoy_grpc(cluster: &str, authority: Option<&str>) -> GrpcTarget {
    let bytes = |text: &str| text.as_bytes().to_vec();
    GrpcTarget::Envoy { cluster: bytes(cluster), authority: authority.map(bytes), metadata: Vec::new() }
}

#[test]
fn a_target_is_a_message_first() {
    let long = [b"\x0a\x85\x01\x0a\x82\x01".as_slice(), &[b'a'; 130]].concat();
    let table: [(&str, &[u8], GrpcTarget); 14] = [
        ("a name", b"upstream", GrpcTarget::Name),
        ("a name with bars", b"outbound|8081||ratelimit", GrpcTarget::Name),
        ("nothing", b"", GrpcTarget::Nothing),
        ("a name that reads as a message", b"empty", GrpcTarget::Nothing),
        ("a timeout alone", b"\x1a\x02\x08\x01", GrpcTarget::Nothing),
        ("a cluster", b"\x0a\x03\x0a\x01a", envoy_grpc("a", None)),
        ("over 127 bytes", &long, envoy_grpc(&"a".repeat(130), None)),
        ("an authority", b"\x0a\x06\x0a\x01a\x12\x01b", envoy_grpc("a", Some("b"))),
        ("merged", b"\x0a\x03\x0a\x01a\x0a\x03\x12\x01b", envoy_grpc("a", Some("b"))),
        ("the last cluster", b"\x0a\x03\x0a\x01a\x0a\x03\x0a\x01b", envoy_grpc("b", None)),
        ("no name", b"\x0a\x00", envoy_grpc("", None)),
        ("not UTF-8", b"\x0a\x03\x0a\x01\xff", GrpcTarget::Name),
        ("google", b"\x12\x03\x0a\x01a", GrpcTarget::Google),
        ("a broken header", b"\x0a\x03\x0a\x01a\x2a\x01x", GrpcTarget::Name),
    ];
    let mut rows = Rows::default();
    for (rule, bytes, expected) in table {
        rows.check(rule, GrpcTarget::read(bytes), expected);
    }
}
