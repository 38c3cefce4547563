use super::*;
use weir_model::PairsBuilder;
use weir_testing::Rows;

fn list(attributes: &[Attribute], inbound: &[Attribute], outbound: &[Attribute]) -> List {
    let set = |attributes: &[Attribute]| attributes.iter().cloned().collect();
    let [attributes, inbound, outbound] = [attributes, inbound, outbound].map(set);
    List::new(&Demand { attributes, inbound, outbound, ..Demand::default() }, true)
}

fn values(values: &[&[u8]]) -> Box<[u8]> {
    let mut pairs = PairsBuilder::default();
    for value in values {
        pairs.push(value, b"");
    }
    pairs.finish().into()
}

/// Decodes and notes presence, as a guarded evaluation does.
fn observe(list: &mut List, given: &[&[u8]]) -> bool {
    let mut out = Attributes::default();
    let inbound = list.take(values(given), &mut out).expect("a list of that length");
    list.note_presence(inbound, &out)
}

#[test]
fn every_element_is_guarded_and_booleans_are_numbers() {
    let list = list(
        &[
            Attribute::PeerUriSan,
            Attribute::ConnectionMtls,
            Attribute::FilterState("a'b\\c\n".into()),
            Attribute::ResponseCode,
            Attribute::UpstreamHostMetadata,
            Attribute::UpstreamPeerMetadata,
            Attribute::DynamicMetadata,
        ],
        &[],
        &[],
    );
    let others = "has(response.code)?response.code:false,\
         has(xds.upstream_host_metadata)&&xds.upstream_host_metadata!=null?xds.upstream_host_metadata:false,\
         'x-envoy-peer-metadata' in response.headers?response.headers['x-envoy-peer-metadata']:false,\
         'a\\'b\\\\c\\U0000000a' in filter_state?filter_state['a\\'b\\\\c\\U0000000a']:false";
    let san = "has(connection.uri_san_peer_certificate)?connection.uri_san_peer_certificate:false";
    assert_eq!(
        list.expression(false),
        format!("(has(connection.tls_version)?[{others},connection.mtls?1:0,{san}]:[{others}])")
    );
    assert_eq!(list.expression(true), list.expression(false), "no stream has been seen");
}

#[test]
fn a_list_is_read_back_and_a_zero_byte_is_absent() {
    let list = list(&[Attribute::ConnectionMtls, Attribute::PeerUriSan, Attribute::ResponseCode], &[], &[]);
    let code = 404i64.to_le_bytes();
    let mut out = Attributes::default();
    assert_eq!(list.take(values(&[&code, &1i64.to_le_bytes(), b"\0"]), &mut out), Some(true));
    assert_eq!(out.bytes(&Attribute::PeerUriSan), None);
    assert_eq!(out.bool(&Attribute::ConnectionMtls), Some(true));
    assert_eq!(out.int(&Attribute::ResponseCode), Some(404));
    let mut rows = Rows::default();
    for wrong in [values(&[&code, b"2"]), values(&[]), Box::default()] {
        rows.check(format!("{wrong:?}"), list.take(wrong, &mut out), None);
    }
    let mut out = Attributes::default();
    assert_eq!(list.take(values(&[&code]), &mut out), Some(true), "without TLS");
    assert_eq!(out.bytes(&Attribute::PeerUriSan), None);
    assert_eq!(out.bool(&Attribute::ConnectionMtls), Some(false));
}

#[test]
fn the_direction_chooses_between_two_lists() {
    let list = list(
        &[Attribute::ResponseFlags],
        &[Attribute::PeerUriSan],
        &[Attribute::UpstreamPeerUriSan, Attribute::UpstreamAddress],
    );
    assert_eq!(list.len(), 3);
    assert_eq!(
        list.expression(false),
        "xds.listener_direction==1?\
         [has(connection.uri_san_peer_certificate)?connection.uri_san_peer_certificate:false,response.flags]:\
         [response.flags,\
         has(upstream.address)?upstream.address:false,\
         has(upstream.uri_san_peer_certificate)?upstream.uri_san_peer_certificate:false]"
    );
    let flags = 7i64.to_le_bytes();
    let mut out = Attributes::default();
    assert_eq!(list.take(values(&[b"spiffe://a", &flags]), &mut out), Some(true));
    assert_eq!(out.bytes(&Attribute::PeerUriSan), Some(b"spiffe://a".as_slice()));
    assert_eq!(out.int(&Attribute::ListenerDirection), Some(1));
    assert_eq!(list.take(values(&[&flags, b"1.2.3.4:5", b"\0"]), &mut out), Some(false));
    assert_eq!(out.bytes(&Attribute::UpstreamAddress), Some(b"1.2.3.4:5".as_slice()));
    assert_eq!(out.bytes(&Attribute::PeerUriSan), None);
    assert_eq!(out.int(&Attribute::ListenerDirection), Some(0));
    let mut rows = Rows::default();
    for wrong in [&[&flags[..]][..], &[&flags, b"", b"", b""]] {
        rows.check(
            format!("{wrong:?}, where one list has two elements, the other three"),
            list.take(values(wrong), &mut out),
            None,
        );
    }
}

#[test]
fn lists_of_one_length_are_made_to_differ() {
    let sans = [Attribute::PeerUriSan, Attribute::LocalUriSan];
    let upstream = [Attribute::UpstreamPeerUriSan, Attribute::UpstreamLocalUriSan];
    let [flags, own, other] = [7i64.to_le_bytes().as_slice(), b"spiffe://a", b"spiffe://b"].map(<[u8]>::to_vec);
    let zero = 0i64.to_le_bytes();
    let mut rows = Rows::default();
    for (attributes, inbound, outbound, padding) in [
        (&[Attribute::ResponseFlags][..], &sans[..1], &upstream[..1], 1),
        (&[Attribute::ResponseFlags], &sans[..], &upstream[..], 1),
        (&[Attribute::ResponseFlags], &sans[..], &upstream[..1], 0),
        (&[Attribute::ResponseFlags], &[], &upstream[..], 1),
        (&[], &sans[..], &[], 1),
        (&[], &sans[..], &[Attribute::UpstreamAddress, Attribute::ResponseFlags, Attribute::ResponseCode], 0),
        // The direction is demanded itself: an element outbound, known inbound.
        (&[Attribute::ListenerDirection], &sans[..1], &[], 1),
        (&[Attribute::ListenerDirection], &sans[..], &[], 0),
    ] {
        let list = list(attributes, inbound, outbound);
        let side = list.outbound.as_ref().expect("two sides");
        let expression = list.expression(false);
        rows.check(&expression, side.padding, padding);
        rows.check(&expression, expression.contains(",]"), false);
        for (side, is_inbound) in [(&list.inbound, true), (side, false)] {
            for plain in [false, true] {
                let Some(count) = (if plain { side.tls.map(|(from, _)| from) } else { Some(side.elements.len()) })
                else {
                    continue;
                };
                let mut given = vec![zero.as_slice(); side.padding];
                given.extend(side.elements.iter().take(count).map(|element| match element.attribute {
                    Attribute::ListenerDirection => &[2, 0, 0, 0, 0, 0, 0, 0],
                    Attribute::PeerUriSan | Attribute::UpstreamPeerUriSan => own.as_slice(),
                    Attribute::LocalUriSan | Attribute::UpstreamLocalUriSan => other.as_slice(),
                    _ => flags.as_slice(),
                }));
                let mut out = Attributes::default();
                let name = format!("{expression}, inbound: {is_inbound}, plain: {plain}");
                rows.check(&name, list.take(values(&given), &mut out), Some(is_inbound));
                for (index, element) in side.elements.iter().enumerate() {
                    let expected = (index < count).then(|| given[side.padding + index]);
                    rows.check(format!("{name}: {element:?}"), out.bytes(&element.attribute), expected);
                }
                let direction = match (is_inbound, attributes.contains(&Attribute::ListenerDirection)) {
                    (true, _) => 1,
                    (false, true) => 2,
                    (false, false) => 0,
                };
                rows.check(name, out.int(&Attribute::ListenerDirection), Some(direction));
            }
        }
    }
}

#[test]
fn what_was_always_there_loses_its_guard_until_it_is_absent_once() {
    let attributes = [Attribute::PeerUriSan, Attribute::ResponseCode, Attribute::UpstreamAddress];
    let mut list = list(&attributes, &[], &[]);
    let code = 200i64.to_le_bytes();
    assert!(!observe(&mut list, &[b"spiffe://a", &code, b"\0"]), "the first stream loses nothing");
    let guarded = list.expression(false);
    let address = "has(upstream.address)?upstream.address:false";
    assert_eq!(list.expression(true), format!("[connection.uri_san_peer_certificate,response.code,{address}]"));
    assert!(observe(&mut list, &[b"\0", &code, b"1.2.3.4:5"]));
    assert!(!observe(&mut list, &[b"\0", &code, b"1.2.3.4:5"]), "it is lost once");
    let san = "has(connection.uri_san_peer_certificate)?connection.uri_san_peer_certificate:false";
    let expected = format!("[{san},response.code,{address}]");
    assert_eq!(list.expression(true), expected);
    for _ in 0..100 {
        observe(&mut list, &[b"spiffe://a", &code, b"1.2.3.4:5"]);
    }
    assert_eq!(list.expression(true), expected, "once absent, guarded for good");
    assert_eq!(list.expression(false), guarded);
}

#[test]
fn each_direction_observes_for_itself() {
    let mut list = list(&[Attribute::ResponseCode], &[Attribute::PeerUriSan], &[Attribute::UpstreamAddress]);
    let code = 200i64.to_le_bytes();
    observe(&mut list, &[b"spiffe://a", &code]);
    assert_eq!(
        list.expression(true),
        "xds.listener_direction==1?[connection.uri_san_peer_certificate,response.code]:\
         [0,has(response.code)?response.code:false,has(upstream.address)?upstream.address:false]"
    );
}

#[test]
fn what_needs_tls_is_asked_under_one_guard_until_all_streams_have_it() {
    let own = [Attribute::PeerUriSan, Attribute::LocalUriSan];
    let upstream = [Attribute::UpstreamPeerUriSan, Attribute::UpstreamLocalUriSan];
    let mut list = list(&[Attribute::ResponseFlags], &own, &upstream);
    let flags = 0i64.to_le_bytes();
    let zero = 0i64.to_le_bytes();
    let sans = |root: &str, guarded: bool| {
        let sans = ["uri_san_peer_certificate", "uri_san_local_certificate"].map(|san| match guarded {
            true => format!("has({root}.{san})?{root}.{san}:false"),
            false => format!("{root}.{san}"),
        });
        sans.join(",")
    };
    let side = |padding: &str, root: &str| {
        let sans = sans(root, true);
        format!("(has({root}.tls_version)?[{padding}response.flags,{sans}]:[{padding}response.flags])")
    };
    let [inbound, outbound] = [side("", "connection"), side("0,", "upstream")];
    assert_eq!(list.expression(false), format!("xds.listener_direction==1?{inbound}:{outbound}"));

    observe(&mut list, &[&flags, b"spiffe://a", b"spiffe://b"]);
    observe(&mut list, &[&zero, &flags]);
    let bare = format!("[response.flags,{}]", sans("connection", false));
    assert_eq!(list.expression(true), format!("xds.listener_direction==1?{bare}:{outbound}"));
    observe(&mut list, &[&flags]);
    assert_eq!(list.expression(true), list.expression(false));
}

#[test]
fn short_bytes_are_not_taken_for_an_empty_list() {
    let list = list(&[Attribute::ConnectionMtls, Attribute::PeerUriSan], &[], &[]);
    let mut out = Attributes::default();
    let mut rows = Rows::default();
    for short in [&b""[..], b"\0", b"\0\0\0"] {
        rows.check(format!("{short:?}"), list.take(short.into(), &mut out), None);
    }
    assert_eq!(list.take(values(&[]), &mut out), Some(true), "without TLS");
}
