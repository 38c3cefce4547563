use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use weir_launch::{Client, Protocol, Request};
use weir_scenario::Cluster;

use super::*;
use weir_testing::Rows;

fn surroundings(behaviour: Behaviour) -> Surroundings {
    let cluster = Cluster { behaviour, ..Cluster::default() };
    let clusters = BTreeMap::from([("upstream".to_owned(), cluster)]);
    Surroundings { clusters, ..Surroundings::default() }
}

fn world(behaviour: Behaviour) -> Upstreams {
    Upstreams::start(&surroundings(behaviour)).unwrap()
}

fn ask(upstreams: &Upstreams, protocol: Protocol) -> Option<weir_launch::Response> {
    let request = Request::new("POST", "shop", "/a?b=1").header("x-raw", [0xff, b'a']);
    let request = Request { body: b"four".to_vec(), ..request };
    Client::new().unwrap().send(upstreams.address("upstream"), protocol, &request).ok()
}

#[test]
fn an_upstream_does_as_it_is_asked_over_both_protocols() {
    let control = crate::control((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let answer = || Answer { status: 418, body: Bytes::from("short"), ..Answer::default() };
    let table = [
        (Behaviour::Answer(answer()), Some(418)),
        (Behaviour::ResetMidBody(answer()), None),
        (Behaviour::ResetBeforeHeaders, None),
        (Behaviour::Unreachable, None),
    ];
    let mut rows = Rows::default();
    for (behaviour, status) in table {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let far = Upstreams::start_elsewhere(control.address(), &surroundings(behaviour.clone())).unwrap();
            for (machine, upstreams) in [("here", world(behaviour.clone())), ("elsewhere", far)] {
                let name = format!("{behaviour:?} {protocol:?}, {machine}");
                let response = ask(&upstreams, protocol);
                rows.check(&name, response.map(|response| response.status), status);
                let seen = upstreams.seen().unwrap();
                rows.check(&name, seen.is_some(), behaviour != Behaviour::Unreachable);
                if let Some(seen) = seen {
                    let request = (seen.method.as_str(), &seen.path, seen.body_size);
                    rows.check(&name, request, ("POST", &Bytes::from("/a?b=1"), 4));
                    let raw = seen.headers.values("x-raw").next();
                    rows.check(&name, raw, Some(&Bytes(vec![0xff, b'a'])));
                }
                upstreams.forget().unwrap();
                rows.check(format!("{name}, forgotten"), upstreams.seen().unwrap(), None);
            }
        }
    }
}

#[test]
fn trailers_come_over_http2() {
    let trailers = Fields(vec![(Bytes::from("grpc-status"), Bytes::from("7"))]);
    let behaviour = Behaviour::Answer(Answer { trailers, ..Answer::default() });
    let control = crate::control((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let far = Upstreams::start_elsewhere(control.address(), &surroundings(behaviour.clone())).unwrap();
    let mut rows = Rows::default();
    for (machine, upstreams) in [("here", world(behaviour)), ("elsewhere", far)] {
        let response = ask(&upstreams, Protocol::Http2).unwrap();
        rows.check(machine, response.trailers, [("grpc-status".to_owned(), b"7".to_vec())]);
    }
}

#[test]
fn a_tunnel_greets_sends_a_line_back_and_ends() {
    let control = crate::control((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let upgrade = Fields(["connection", "upgrade"].map(|name| (Bytes::from(name), Bytes::from("upgrade"))).to_vec());
    let answer = |status, headers| Answer { status, headers, body: Bytes::from("hello "), ..Answer::default() };
    let table = [
        ("GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: upgrade\r\n\r\n", answer(101, upgrade)),
        ("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n", answer(200, Fields::default())),
    ];
    let mut rows = Rows::default();
    for (request, answer) in table {
        let behaviour = Behaviour::Tunnel(answer);
        let far = Upstreams::start_elsewhere(control.address(), &surroundings(behaviour.clone())).unwrap();
        for (machine, upstreams) in [("here", world(behaviour)), ("elsewhere", far)] {
            let mut tcp = TcpStream::connect(upstreams.address("upstream")).unwrap();
            tcp.write_all(request.as_bytes()).unwrap();
            let mut got = String::new();
            while !got.ends_with("\r\n\r\nhello ") {
                let mut byte = [0];
                tcp.read_exact(&mut byte).unwrap();
                got.push(char::from(byte[0]));
            }
            tcp.write_all(b"two ").unwrap();
            tcp.write_all(b"parts\n").unwrap();
            tcp.read_to_string(&mut got).unwrap();
            let name = format!("{request:?}, {machine}");
            rows.check(format!("{name}: {got:?}"), got.ends_with("\r\n\r\nhello two parts\n"), true);
            rows.check(name, upstreams.seen().unwrap().map(|seen| seen.body_size), Some(0));
        }
    }
}

#[test]
fn upstreams_elsewhere_end_when_dropped() {
    let control = crate::control((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let far = Upstreams::start_elsewhere(control.address(), &Surroundings::default()).unwrap();
    let address = far.address("upstream");
    assert!(TcpStream::connect(address).is_ok());
    drop(far);
    let gone = || TcpStream::connect(address).is_err().then_some(());
    assert!(weir_launch::wait_until(Duration::from_secs(5), gone).is_some());
}
