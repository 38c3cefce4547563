use super::*;

/// What a client makes of a response that comes in two pieces and then ends.
fn read(response: &str, cut: usize) -> (Response, bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (client, mut server) = tokio::io::duplex(4096);
        let mut h1 = H1::new(Box::new(client));
        let (first, second) = response.as_bytes().split_at(cut.min(response.len()));
        server.write_all(first).await.unwrap();
        let mut got = Response::default();
        let writer = async {
            server.write_all(second).await.unwrap();
            drop(server);
        };
        let (whole, ()) = tokio::join!(h1.read(false, &mut got), writer);
        (got, whole.is_ok())
    })
}

#[test]
fn every_framing_is_read_and_a_short_one_is_reported() {
    let table = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", "ok", false),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", "ok", false),
        ("HTTP/1.1 200 OK\r\n\r\nok", "ok", true),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "", true),
    ];
    for (text, body, whole) in table {
        for cut in 0..text.len() {
            let (response, read_whole) = read(text, cut);
            assert_eq!((response.status, read_whole), (Some(200), whole), "{text:?} cut at {cut}");
            assert_eq!(response.body, Bytes::from(body));
        }
    }
}

#[test]
fn bytes_go_out_as_they_are() {
    let header = (Bytes(vec![b'x', 0xff]), Bytes(vec![0x80, b' ', 0xfe]));
    let request = Request { path: "/a b#c".into(), headers: weir_scenario::Fields(vec![header]), ..Request::default() };
    assert_eq!(written(&request).0, b"GET /a b#c HTTP/1.1\r\nhost: example.com\r\nx\xff: \x80 \xfe\r\n\r\n");
}
