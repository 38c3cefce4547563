use super::*;
use weir_model::PairsBuilder;

#[test]
fn every_element_is_guarded_and_booleans_are_numbers() {
    let attributes = [
        Attribute::PeerUriSan,
        Attribute::ConnectionMtls,
        Attribute::FilterState("a'b\\c\n".into()),
        Attribute::ResponseCode,
        Attribute::UpstreamHostMetadata,
    ];
    assert_eq!(
        expression(&attributes),
        "[has(connection.uri_san_peer_certificate)?connection.uri_san_peer_certificate:false,\
         connection.mtls?2:1,\
         'a\\'b\\\\c\\U0000000a' in filter_state?filter_state['a\\'b\\\\c\\U0000000a']:false,\
         has(response.code)?response.code:false,\
         has(xds.upstream_host_metadata)&&xds.upstream_host_metadata!=null?xds.upstream_host_metadata:false]"
    );
}

#[test]
fn a_list_is_read_back_and_a_zero_byte_is_absent() {
    let attributes = [Attribute::PeerUriSan, Attribute::ConnectionMtls, Attribute::ResponseCode];
    let mut pairs = PairsBuilder::default();
    pairs.push(b"\0", b"").push(&2i64.to_le_bytes(), b"").push(&404i64.to_le_bytes(), b"");
    let mut out = Attributes::default();
    assert!(decode(&pairs.finish(), &attributes, &mut out));
    assert_eq!(out.bytes(&Attribute::PeerUriSan), None);
    assert_eq!(out.bool(&Attribute::ConnectionMtls), Some(true));
    assert_eq!(out.int(&Attribute::ResponseCode), Some(404));
    assert!(!decode(&pairs.finish(), &attributes[..2], &mut out));
    assert!(!decode(b"", &attributes, &mut out));
}
