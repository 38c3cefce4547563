//! Requests that no well-behaved client sends: the same VM still answers after each of them.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use weir_scenario::{Abort, Bytes, Fields, Node, Payload, Protocol, Proxy as Listener, Request};
use weir_test_envoy::{Booted, Plugin, Proxy, Setup, module, raw_http2};
use weir_testing::Rows;

type Outcome = Result<(), Box<dyn Error>>;
type Field<'a> = (&'a [u8], &'a [u8]);

/// The suite with work for all three: a policy, a limit keyed by what clients send, metrics.
fn suite() -> Result<Box<Proxy>, Box<dyn Error>> {
    let configuration = json!({
        "schema": 1,
        "name": "cart",
        "policy": {"policies": [{
            "apiVersion": "security.istio.io/v1",
            "kind": "AuthorizationPolicy",
            "metadata": {"name": "closed", "namespace": "shop"},
            "spec": {"action": "DENY", "rules": [
                {"to": [{"operation": {"paths": ["/admin"]}}]},
                {"when": [{"key": "request.headers[x-evil]", "values": ["yes*"]}]},
            ]},
        }]},
        "rateLimit": {
            "rate_limits": [{"actions": [{"request_headers": {"header_name": "x-user", "descriptor_key": "user"}}]}],
            "local": {"config": {"domain": "shop", "descriptors": [
                {"key": "user", "rate_limit": {"unit": "hour", "requests_per_unit": 100_000}},
            ]}},
        },
        "telemetry": {},
    });
    let plugin = Plugin {
        name: "suite".to_owned(),
        root_id: String::new(),
        vm_configuration: String::new(),
        module: module("suite")?,
        configuration: configuration.to_string(),
    };
    let metadata = json!({"NAMESPACE": "shop", "WORKLOAD_NAME": "cart", "LABELS": {"app": "cart"}});
    let node = Node { metadata: metadata.as_object().cloned().unwrap_or_default(), ..Node::default() };
    let proxy = Listener { node, max_request_headers_kb: Some(96), ..Listener::default() };
    match Proxy::start(Setup { plugins: vec![plugin], proxy, ..Setup::default() })? {
        Booted::Ready(proxy) => Ok(proxy),
        Booted::Refused(log) => Err(log.into()),
    }
}

/// What a client library would agree to send, in the two protocols.
fn requests() -> Vec<(&'static str, Request)> {
    let base = Request { headers: Fields(vec![("x-user".into(), "ann".into())]), ..Request::default() };
    let with = |headers: Vec<(Bytes, Bytes)>| Request { headers: Fields(headers), ..base.clone() };
    let high: Vec<u8> = (0x80..=0xff).collect();
    let body =
        |abort| Request { method: "POST".to_owned(), body: Payload::Size(50_000), abort: Some(abort), ..base.clone() };
    vec![
        (
            "every high byte in a value",
            with(vec![("x-user".into(), Bytes(high.clone())), ("x-evil".into(), Bytes(high))]),
        ),
        ("a hundred headers", with((0..94).map(|n| (Bytes::from(&*format!("x-{n}")), "v".into())).collect())),
        ("too many headers", with((0..300).map(|n| (Bytes::from(&*format!("x-{n}")), "v".into())).collect())),
        ("60 KiB", with(vec![("x-user".into(), Bytes(vec![b'a'; 60 * 1024]))])),
        (
            "empty values",
            with(vec![("x-user".into(), "".into()), ("x-evil".into(), "".into()), ("user-agent".into(), "".into())]),
        ),
        ("repeated", with((0..50).map(|n| ("x-user".into(), Bytes::from(&*n.to_string()))).collect())),
        ("path *", Request { method: "OPTIONS".to_owned(), path: "*".into(), ..base.clone() }),
        ("path of 8 KiB", Request { path: Bytes(vec![b'/'; 8192]), ..base.clone() }),
        ("no path", Request { path: "".into(), ..base.clone() }),
        ("path of high bytes", Request { path: Bytes(b"/\xff\xfe\x80".to_vec()), ..base.clone() }),
        ("path of escapes", Request { path: "/%ff%00%2e%2e/%zz?%".into(), ..base.clone() }),
        ("no authority", Request { omit_authority: true, ..base.clone() }),
        ("empty authority", Request { authority: "".into(), ..base.clone() }),
        ("method of high bytes", Request { method: "G\u{ff}T".to_owned(), ..base.clone() }),
        ("gone after the headers", body(Abort::AfterHeaders)),
        ("gone in mid-body", body(Abort::MidBody)),
        ("gone before the response", body(Abort::BeforeResponse)),
        ("connect", Request { method: "CONNECT".to_owned(), ..base }),
    ]
}

/// Bytes of HTTP/1.1 that no library sends.
fn raw_http1() -> Vec<(&'static str, Vec<u8>)> {
    let head = |rest: &[u8]| [b"GET / HTTP/1.1\r\nhost: a\r\n", rest, b"\r\n\r\n"].concat();
    vec![
        ("high bytes in a name", head(b"x-\xff\x80: v")),
        ("only high bytes in a name", head(b"\xfe: v")),
        ("no name", head(b": v")),
        ("NUL in a value", head(b"x-user: a\0b")),
        ("folded", head(b"x-user: a\r\n b")),
        ("no colon", head(b"x-user")),
        ("two hosts", head(b"host: b")),
        ("half a head", b"GET / HTTP/1.1\r\nhost: a\r\nx-us".to_vec()),
        ("half a body", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
        ("half a chunk", b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n40\r\nhalf".to_vec()),
        ("two lengths", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_vec()),
        ("no HTTP", b"\x16\x03\x01\x00\xff\xfe\xfd\r\n\r\n".to_vec()),
    ]
}

/// HTTP/2 frames that no library sends.
fn raw_http2_requests() -> Vec<(&'static str, Vec<u8>)> {
    const METHOD: Field<'static> = (b":method", b"POST");
    const SCHEME: Field<'static> = (b":scheme", b"http");
    const PATH: Field<'static> = (b":path", b"/");
    const AUTHORITY: Field<'static> = (b":authority", b"a");
    const USER: Field<'static> = (b"x-user", b"ann");
    let good = [METHOD, SCHEME, PATH, AUTHORITY, USER];
    let and = |field: Field<'static>| raw_http2(&[&good[..], &[field]].concat(), None, None);
    vec![
        ("high bytes in a name", and((b"x-\xff\x80", b"v"))),
        ("upper case in a name", and((b"X-User", b"v"))),
        ("no name", and((b"", b"v"))),
        ("a pseudo-header of its own", and((b":weir", b"v"))),
        ("a second path", and((b":path", b"/admin"))),
        ("a second authority", and((b"host", b"b"))),
        ("connection header", and((b"connection", b"close"))),
        ("line break in a value", and((b"x-evil", b"a\r\nx-user: b"))),
        ("NUL in a value", and((b"x-evil", b"a\0b"))),
        ("no path", raw_http2(&[METHOD, SCHEME, AUTHORITY], None, None)),
        ("no method", raw_http2(&[SCHEME, PATH, AUTHORITY], None, None)),
        ("no scheme", raw_http2(&[METHOD, PATH, AUTHORITY], None, None)),
        ("nothing", raw_http2(&[], None, None)),
        ("reset after the headers", raw_http2(&good, None, Some(8))),
        ("reset in mid-body", raw_http2(&good, Some(&[b'x'; 40_000]), Some(8))),
        ("reset with a code of its own", raw_http2(&good, Some(b"x"), Some(0xffff_ffff))),
        ("body without end", {
            let mut bytes = raw_http2(&good, Some(&[b'x'; 1000]), None);
            bytes.truncate(1100);
            bytes
        }),
    ]
}

/// Sends bytes on a connection of their own, reads what comes for a moment, and goes away.
fn send_raw(proxy: &Proxy, bytes: &[u8]) -> Outcome {
    let mut stream = TcpStream::connect(proxy.address())?;
    stream.set_read_timeout(Some(Duration::from_millis(60)))?;
    stream.write_all(bytes)?;
    let mut block = [0; 4096];
    // A reset counts as an answer, and so does silence.
    while stream.read(&mut block).is_ok_and(|read| read > 0) {}
    Ok(())
}

/// The proxy still decides.
fn still_answers(proxy: &mut Proxy, after: &str) -> Outcome {
    for protocol in [Protocol::H1, Protocol::H2] {
        for (path, status) in [("/", 200), ("/admin", 403)] {
            let headers = Fields(vec![("x-user".into(), "bob".into())]);
            let response = proxy.send(&Request { protocol, path: path.into(), headers, ..Request::default() })?;
            assert_eq!(response.status, Some(status), "{path} after {after}");
        }
    }
    Ok(())
}

#[test]
fn the_same_vm_answers_after_everything() -> Outcome {
    let mut proxy = suite()?;
    still_answers(&mut proxy, "nothing")?;
    let before = proxy.vm_stats()?;
    assert!(before.active > 0, "{before:?}");
    for (name, request) in requests() {
        for protocol in [Protocol::H1, Protocol::H2] {
            // Envoy chooses the outcome, but it must not crash and the module must not trap.
            let response = proxy.send(&Request { protocol, ..request.clone() })?;
            assert_ne!(response.status, Some(503), "{name} over {protocol:?}: {response:?}");
            still_answers(&mut proxy, name)?;
        }
    }
    for (name, bytes) in raw_http1().into_iter().chain(raw_http2_requests()) {
        send_raw(&proxy, &bytes)?;
        still_answers(&mut proxy, name)?;
    }
    assert_eq!(proxy.vm_stats()?, before, "no VM was made, lost or replaced");
    assert_eq!(proxy.vm_failures()?, 0);
    proxy.stop()?;
    Ok(())
}

#[test]
fn what_reaches_the_filters_is_decided_on() -> Outcome {
    let mut proxy = suite()?;
    // The value is found among bytes that are not text, so the hostile requests above do reach the rules.
    let mut rows = Rows::default();
    for protocol in [Protocol::H1, Protocol::H2] {
        for (value, status) in [(&b"yes\xff\x80\xfe"[..], 403), (b"no\xff\x80\xfe", 200)] {
            let headers = Fields(vec![("x-evil".into(), Bytes(value.to_vec()))]);
            let response = proxy.send(&Request { protocol, headers, ..Request::default() })?;
            rows.check(format!("{} over {protocol:?}", value.escape_ascii()), response.status, Some(status));
        }
    }
    proxy.stop()?;
    Ok(())
}
