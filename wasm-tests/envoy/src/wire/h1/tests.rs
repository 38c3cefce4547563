use super::*;
use weir_testing::Rows;

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
        let request = Request::default();
        let (whole, ()) = tokio::join!(h1.read(&request, &mut got), writer);
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
    let mut rows = Rows::default();
    for (text, body, whole) in table {
        for cut in 0..text.len() {
            let (response, read_whole) = read(text, cut);
            rows.check(format!("{text:?} cut at {cut}"), (response.status, read_whole), (Some(200), whole));
            rows.check(format!("body of {text:?} cut at {cut}"), response.body, Bytes::from(body));
        }
    }
}

#[test]
fn bytes_go_out_as_they_are() {
    let header = (Bytes(vec![b'x', 0xff]), Bytes(vec![0x80, b' ', 0xfe]));
    let request = Request { path: "/a b#c".into(), headers: weir_scenario::Fields(vec![header]), ..Request::default() };
    assert_eq!(written(&request).0, b"GET /a b#c HTTP/1.1\r\nhost: example.com\r\nx\xff: \x80 \xfe\r\n\r\n");
}

#[test]
fn bytes_for_a_tunnel_go_out_once_it_is_there() {
    let table = [
        ("GET", "HTTP/1.1 101 Switching Protocols\r\n\r\nhi", true),
        ("CONNECT", "HTTP/1.1 200 OK\r\n\r\nhi", true),
        ("GET", "HTTP/1.1 200 OK\r\n\r\nhi", false),
        ("CONNECT", "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nhi", false),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut rows = Rows::default();
    for (method, answer, sent) in table {
        let request = Request { method: method.to_owned(), tunnel: "line".into(), ..Request::default() };
        runtime.block_on(async {
            let (client, mut server) = tokio::io::duplex(4096);
            let mut h1 = H1::new(Box::new(client));
            let mut response = Response::default();
            let proxy = async {
                server.write_all(answer.as_bytes()).await.unwrap();
                server.shutdown().await.unwrap();
                let mut got = Vec::new();
                while server.read_buf(&mut got).await.unwrap() > 0 {}
                got
            };
            let exchange = async {
                let whole = h1.send(&request, &mut response).await;
                drop(h1);
                whole
            };
            let (whole, got) = tokio::join!(exchange, proxy);
            rows.check(format!("{method} {answer}"), (whole.is_ok(), got.ends_with(b"\r\n\r\nline")), (true, sent));
            rows.check(format!("{method} {answer}"), response.body, Bytes::from("hi"));
        });
    }
}
