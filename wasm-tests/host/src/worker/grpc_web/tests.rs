use super::*;
use weir_testing::Rows;

#[test]
fn only_the_kinds_without_text_are_taken() {
    let table = [
        ("application/grpc-web", true),
        ("application/grpc-web+proto", true),
        ("application/grpc-web-text", false),
        ("application/grpc", false),
    ];
    let mut rows = Rows::default();
    for (kind, web) in table {
        let mut headers = HeaderMap::new([(":path", "/a/b"), ("content-type", kind), ("content-length", "7")]);
        rows.check(kind, Web::of(&mut headers).is_some(), web);
        rows.check(kind, headers.get(b"content-length").is_none(), web);
        rows.check(kind, headers.get(b"content-type") == Some(PLAIN), web || kind == "application/grpc");
    }
}

#[test]
fn trailers_become_a_frame() {
    let mut trailers = HeaderMap::new([("grpc-status", "0"), ("grpc-message", "")]);
    assert_eq!(last_frame(&mut trailers), b"\x80\0\0\0\x1egrpc-status:0\r\ngrpc-message:\r\n");
    assert!(trailers.is_empty());
}

#[test]
fn a_response_that_is_not_grpc_becomes_headers() {
    let data = |end| Frame::Data { bytes: b"100% no".to_vec(), end };
    let table = [
        ("403", "text/plain", vec![data(true)], Some(("7", "100%25 no"))),
        ("403", "text/plain", vec![data(false), Frame::Trailers], Some(("7", "100%25 no"))),
        ("200", "text/plain", vec![data(true)], Some(("2", "100%25 no"))),
        ("503", "application/grpc", vec![data(true)], Some(("14", "100%25 no"))),
        ("200", "application/grpc", vec![data(true)], None),
        ("200", "application/grpc-web", vec![data(true)], None),
    ];
    let mut rows = Rows::default();
    for (status, kind, frames, translated) in table {
        let headers = HeaderMap::new([(":status", status), ("content-type", kind), ("content-length", "7")]);
        let mut all = StreamData { response_headers: Some(headers), ..StreamData::default() };
        let mut web = Web::default();
        let mut out = web.response(&mut all, Frame::Headers { end: false });
        rows.check(format!("{status} {kind}"), out.is_empty(), translated.is_some());
        out.extend(frames.into_iter().flat_map(|frame| web.response(&mut all, frame)));
        rows.check(format!("{status} {kind}"), out.first(), Some(&Frame::Headers { end: false }));
        let headers = all.response_headers.unwrap();
        let got = headers.get(b"grpc-status").zip(headers.get(b"grpc-message"));
        rows.check(format!("{status} {kind}"), got, translated.map(|(code, text)| (code.as_bytes(), text.as_bytes())));
        rows.check(format!("{status} {kind}"), headers.get(b"content-type"), Some(&b"application/grpc-web+proto"[..]));
        rows.check(format!("{status} {kind}"), out.contains(&data(true)), translated.is_none());
    }
}
