//! Maps, bodies, replies and ends of streams.

use crate::*;
use weir_test_host::{Downstream, FailurePolicy, HeaderMap, Settings};
use weir_testing::Rows;

#[test]
fn point_1_request_headers_live_as_long_as_their_phase() {
    let property = "(call $property (i32.const 10) (i32.const 12) (i32.const 2000) (i32.const 2004))";
    let pairs = "(call $pairs (i32.const 0) (i32.const 2000) (i32.const 2004))";
    let all = |v, p, q| format!("{}{}{}", status(v, "(call $path_value)"), status(p, pairs), status(q, property));
    let late = [status('f', property), status('d', "(call $path_value)"), status('e', pairs)].concat();
    let body = format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {} (i32.const 0))
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) {}
          (call $status (i32.const 122) (i32.load (i32.const 2004))) (i32.const 0))
        (func (export "proxy_on_log") (param i32) {} {} {})"#,
        all('a', 'b', 'c'),
        // The property first: the length left behind is then that of the pairs.
        late,
        all('g', 'h', 'i'),
        status('j', "(call $size (i32.const 0) (i32.const 2000))"),
        status('k', "(call $add (i32.const 0) (i32.const 6) (i32.const 3) (i32.const 6) (i32.const 3))"),
    );
    let (lines, _) = run(&body, Incoming::get("/"));
    let expected = ["a=00", "b=00", "c=00", "f=01", "d=02", "e=00", "z=00", "g=00", "h=00", "i=00", "j=02", "k=02"];
    assert_eq!(lines, expected);
}

#[test]
fn point_2_log_before_done_and_streams_that_begin_with_their_log() {
    let (said, _) = run(&order(""), Incoming::get("/"));
    assert_eq!(said, ["c=00", "r=00", "l=00", "d=00", "e=00"]);
    let incoming = Incoming { headers: HeaderMap::new([(":method", "GET"), (":path", "/")]), ..Incoming::default() };
    let (said, ended) = run(&order(""), incoming);
    assert_eq!(ended.downstream.status, Some(400));
    assert_eq!(said, ["c=00", "l=00", "d=00", "e=00"]);
}

#[test]
fn point_5_a_reply_stops_the_callback_and_meets_its_own_filter() {
    let body = order(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (drop (call $reply (i32.const 418) (i32.const 6) (i32.const 3) (i32.const 6) (i32.const 3)
            (i32.const 0) (i32.const 0) (i32.const -1)))
          (i32.const 0))"#,
    );
    let (said, ended) = run(&body, Incoming::get("/"));
    assert_eq!(said, ["c=00", "r=00", "l=00", "d=00", "e=00"]);
    assert_eq!((ended.downstream.status, ended.seen), (Some(418), None));
    assert_eq!((ended.downstream.body, ended.record.details), ("x-a".into(), "x-a".into()));
}

#[test]
fn point_8_first_value_and_joined_values() {
    let first = "(call $value (i32.const 0) (i32.const 6) (i32.const 3) (i32.const 2000) (i32.const 2004))";
    let joined = "(call $property (i32.const 23) (i32.const 19) (i32.const 2000) (i32.const 2004))";
    let body = format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          {} (call $status (i32.const 108) (i32.load (i32.const 2004)))
          {} (call $status (i32.const 108) (i32.load (i32.const 2004))) (i32.const 0))"#,
        status('a', first),
        status('b', joined)
    );
    let (said, _) = run(&body, Incoming::get("/").with("x-a", "12").with("X-A", "345"));
    assert_eq!(said, ["a=00", "l=02", "b=00", "l=06"]);
}

#[test]
fn point_12_a_trap_is_the_end_of_the_vm() {
    let table = [
        (FailurePolicy::FailClosed, false, [Some(503), Some(503), Some(503)]),
        (FailurePolicy::FailOpen, false, [Some(503), Some(200), Some(200)]),
        (FailurePolicy::FailReload, false, [Some(503), Some(503), Some(200)]),
        (FailurePolicy::default(), true, [Some(200), Some(200), Some(200)]),
    ];
    let mut rows = Rows::default();
    for (failure_policy, fail_open, expected) in table {
        let plugin = PluginSpec { failure_policy, fail_open, ..plugin(TRAPS_ON_DEMAND) };
        let proxy = Proxy::builder().plugin(plugin).build().unwrap();
        let hit = send(&proxy, Incoming::get("/").with("x-a", "1"));
        rows.check(format!("{failure_policy:?}: no on_log of a dead VM"), lines(&proxy).len(), 0);
        // A new VM comes with a stream after the back-off of a second since the start.
        let soon = send(&proxy, Incoming::get("/"));
        proxy.advance(Duration::from_secs(2)).unwrap();
        let later = send(&proxy, Incoming::get("/"));
        let statuses = [hit, soon, later].map(|ended| ended.downstream.status);
        // Within the first second a FAIL_RELOAD plugin behaves as closed.
        rows.check(format!("{failure_policy:?}, fail_open: {fail_open}"), statuses, expected);
    }
}

#[test]
fn point_13_body_size_is_what_was_held_back_and_too_much_is_413() {
    let body = r#"(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
      (call $status (i32.const 115) (local.get 1)) (i32.eqz (local.get 2)))"#;
    let proxy = Proxy::builder().plugin(plugin(body)).build().unwrap();
    let stream = proxy.open(0, Incoming::get("/"), false).unwrap();
    proxy.send(0, stream, b"abc".to_vec(), false).unwrap();
    proxy.send(0, stream, b"defg".to_vec(), true).unwrap();
    let ended = proxy.finish(0, stream, Duration::from_secs(1)).unwrap();
    // HTTP/1 ends a body with one more chunk, an empty one.
    assert_eq!(lines(&proxy), ["s=03", "s=07", "s=07"]);
    assert_eq!(ended.seen.unwrap().body_size, 7);
    let settings = Settings { buffer_limit: 5, ..Settings::default() };
    let proxy = Proxy::builder().settings(settings).plugin(plugin(body)).build().unwrap();
    let stream = proxy.open(0, Incoming::get("/"), false).unwrap();
    proxy.send(0, stream, b"abcdef".to_vec(), false).unwrap();
    let Ended { downstream: Downstream { status, .. }, .. } = proxy.finish(0, stream, Duration::from_secs(1)).unwrap();
    assert_eq!(status, Some(413));
}

#[test]
fn point_14_statuses_that_the_sdk_does_not_know() {
    let body = format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {} {} {} (i32.const 0))"#,
        status('a', "(call $continue (i32.const 3))"),
        status('b', "(call $value (i32.const 0) (i32.const -5) (i32.const 9) (i32.const 2000) (i32.const 2004))"),
        status('c', "(call $value (i32.const 9) (i32.const 0) (i32.const 5) (i32.const 2000) (i32.const 2004))"),
    );
    assert_eq!(run(&body, Incoming::get("/")).0, ["a=12", "b=06", "c=02"]);
}
