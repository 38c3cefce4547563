//! Where a naive host is more lenient than Envoy: small modules that would notice.
//!
//! Each module is written in the text format. `$status` logs `WORD=STATUS` for a hostcall, so that a test reads statuses
//! from the log.

use std::time::Duration;
use weir_test_host::{
    Clusters, Downstream, Ended, FailurePolicy, GrpcCall, GrpcPlan, HeaderMap, HttpCall, HttpPlan, Incoming, Kind,
    PluginSpec, Proxy, Settings, Stat, World,
};

/// Imports and helpers that every module here has: a bump allocator, and `$status`, which logs a letter and a number.
const PRELUDE: &str = r#"
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $value (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_size" (func $size (param i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
  (import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))
  (import "env" "proxy_get_metric" (func $metric (param i32 i32) (result i32)))
  (import "env" "proxy_get_shared_data" (func $shared (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set_shared (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_http_call" (func $http (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_call"
    (func $grpc (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (global $heap (mut i32) (i32.const 65536))
  (data (i32.const 0) ":path\00x-a\00request\00path\00request\00headers\00x-a\00name\00")
  (func (export "proxy_abi_version_0_2_1"))
  (func $status (param $letter i32) (param $status i32)
    (i32.store8 (i32.const 1000) (local.get $letter))
    (i32.store8 (i32.const 1001) (i32.const 61))
    (i32.store8 (i32.const 1002) (i32.add (i32.const 48) (i32.div_u (local.get $status) (i32.const 10))))
    (i32.store8 (i32.const 1003) (i32.add (i32.const 48) (i32.rem_u (local.get $status) (i32.const 10))))
    (drop (call $log (i32.const 2) (i32.const 1000) (i32.const 4))))
  (func $say (param $letter i32) (call $status (local.get $letter) (i32.const 0)))
  (func $path_value (result i32)
    (call $value (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 2000) (i32.const 2004)))
"#;

/// The usual allocator.
const ALLOCATOR: &str = r#"
  (func (export "malloc") (param $n i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap) (local.get $n))))
"#;

fn wat(body: &str) -> Vec<u8> {
    format!("(module {PRELUDE} {ALLOCATOR} {body})").into_bytes()
}

fn plugin(body: &str) -> PluginSpec {
    PluginSpec::new("test", wat(body), "")
}

fn letter(c: char) -> String {
    format!("(i32.const {})", u32::from(c))
}

/// `(call $status LETTER CALL)`
fn status(c: char, call: &str) -> String {
    format!("(call $status {} {call})", letter(c))
}

fn lines(proxy: &Proxy) -> Vec<String> {
    let said = |text: String| text.strip_prefix("wasm log test: ").map(str::to_owned);
    proxy.log().into_iter().filter_map(|line| said(line.text)).collect()
}

fn send(proxy: &Proxy, incoming: Incoming) -> Ended {
    proxy.http_stream(0, incoming, Duration::from_secs(30)).unwrap()
}

fn run(body: &str, incoming: Incoming) -> (Vec<String>, Ended) {
    let proxy = Proxy::builder().plugin(plugin(body)).build().unwrap();
    let ended = send(&proxy, incoming);
    (lines(&proxy), ended)
}

#[test]
fn point_1_request_headers_live_as_long_as_their_phase() {
    let property = "(call $property (i32.const 10) (i32.const 12) (i32.const 2000) (i32.const 2004))";
    let pairs = "(call $pairs (i32.const 0) (i32.const 2000) (i32.const 2004))";
    let all = |v, p, q| format!("{}{}{}", status(v, "(call $path_value)"), status(p, pairs), status(q, property));
    let body = format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {} (i32.const 0))
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) {}
          (call $status (i32.const 122) (i32.load (i32.const 2004))) (i32.const 0))
        (func (export "proxy_on_log") (param i32) {} {} {})"#,
        all('a', 'b', 'c'),
        // The property first: the length left behind is then that of the pairs.
        format!("{}{}{}", status('f', property), status('d', "(call $path_value)"), status('e', pairs)),
        all('g', 'h', 'i'),
        status('j', "(call $size (i32.const 0) (i32.const 2000))"),
        status('k', "(call $add (i32.const 0) (i32.const 6) (i32.const 3) (i32.const 6) (i32.const 3))"),
    );
    let (lines, _) = run(&body, Incoming::get("/"));
    let expected = ["a=00", "b=00", "c=00", "f=01", "d=02", "e=00", "z=00", "g=00", "h=00", "i=00", "j=02", "k=02"];
    assert_eq!(lines, expected);
}

/// Logs a letter in each callback of a stream.
fn order(extra: &str) -> String {
    format!(
        r#"(func (export "proxy_on_context_create") (param i32 i32)
          (if (local.get 1) (then (call $say (i32.const 99)))))
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
          (call $say (i32.const 114)) (i32.const 0))
        (func (export "proxy_on_log") (param i32) (call $say (i32.const 108)))
        (func (export "proxy_on_done") (param i32) (result i32) (call $say (i32.const 100)) (i32.const 1))
        (func (export "proxy_on_delete") (param i32) (call $say (i32.const 101))) {extra}"#
    )
}

#[test]
fn point_2_log_before_done_and_streams_that_begin_with_their_log() {
    let (said, _) = run(&order(""), Incoming::get("/"));
    assert_eq!(said, ["c=00", "r=00", "l=00", "d=00", "e=00"]);
    let nobody = Incoming { headers: HeaderMap::new([(":method", "GET"), (":path", "/")]), ..Incoming::default() };
    let (said, ended) = run(&order(""), nobody);
    assert_eq!(ended.downstream.status, Some(400));
    assert_eq!(said, ["c=00", "l=00", "d=00", "e=00"]);
}

#[test]
fn point_3_configured_workers_and_two_times() {
    let body = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
      (drop (call $set_shared (i32.const 6) (i32.const 3) (i32.const 6) (i32.const 3) (i32.const 0)))
      (call $say (i32.const 99)) (i32.const 1))"#;
    let proxy = Proxy::builder().workers(3).plugin(plugin(body)).build().unwrap();
    assert_eq!(lines(&proxy).len(), 5);
}

#[test]
fn point_4_hostcalls_in_start_and_in_the_allocator_trap() {
    let in_start = r#"(func (export "_initialize")
      (drop (call $set_shared (i32.const 6) (i32.const 3) (i32.const 6) (i32.const 3) (i32.const 0))))"#;
    assert!(Proxy::builder().plugin(plugin(in_start)).build().is_err());
    let may_log = r#"(func (export "_initialize") (call $say (i32.const 97)))"#;
    assert!(Proxy::builder().plugin(plugin(may_log)).build().is_ok());
    let in_malloc = format!(
        r#"(module {PRELUDE} (func (export "malloc") (param i32) (result i32)
          (drop (call $tick (i32.const 0))) (i32.const 65536))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $path_value)))"#
    );
    let proxy = Proxy::builder().plugin(PluginSpec::new("test", in_malloc.into_bytes(), "")).build().unwrap();
    assert_eq!(send(&proxy, Incoming::get("/")).record.details, "wasm_fail_stream".into());
    assert_eq!(proxy.vm_failures(), 1);
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

/// Answers every callout in one way.
struct Always(HttpPlan, GrpcPlan);

impl World for Always {
    fn http(&mut self, _: &HttpCall) -> HttpPlan {
        self.0.clone()
    }

    fn grpc(&mut self, _: &GrpcCall) -> GrpcPlan {
        self.1.clone()
    }
}

fn pairs_data(at: u32, fields: &[(&str, &str)]) -> (String, usize) {
    let mut bytes = u32::try_from(fields.len()).unwrap().to_le_bytes().to_vec();
    for (name, value) in fields {
        bytes.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
        bytes.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    }
    for (name, value) in fields {
        bytes.extend(name.bytes().chain([0]).chain(value.bytes()).chain([0]));
    }
    let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    (format!("(data (i32.const {at}) \"{text}\")"), bytes.len())
}

/// Calls out in the request, holds it, and goes on with the answer.
fn http_caller(timeout: i32) -> String {
    let (data, size) = pairs_data(3000, &[(":method", "GET"), (":path", "/"), (":authority", "a")]);
    let call = format!(
        "(call $http (i32.const 6) (i32.const 3) (i32.const 3000) (i32.const {size}) (i32.const 0) (i32.const 0)
          (i32.const 0) (i32.const 0) (i32.const {timeout}) (i32.const 2008))"
    );
    format!(
        r#"(import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
        {data} (global $held (mut i32) (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $s i32)
          (global.set $held (local.get 0)) (i32.store (i32.const 2008) (i32.const 77))
          (local.set $s {call}) (call $status (i32.const 97) (local.get $s))
          (call $status (i32.const 116) (i32.load (i32.const 2008)))
          (i32.eqz (local.get $s)))
        (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
          (call $status (i32.const 104) (local.get 2))
          {}
          (drop (call $effective (global.get $held))) (drop (call $continue (i32.const 0))))"#,
        status('p', "(call $path_value)"),
    )
}

/// Imports come before everything else, also those of a body.
fn with_imports(body: &str) -> PluginSpec {
    let (import, rest) = body.trim_start().split_once('\n').unwrap();
    PluginSpec::new("test", format!("(module {import} {PRELUDE} {ALLOCATOR} {rest})").into_bytes(), "")
}

#[test]
fn point_6_http_callouts() {
    let never = || GrpcPlan::Never;
    let rows = [
        ("inline failure", HttpPlan::Inline, 1_000, vec!["a=10", "t=00"]),
        ("unknown cluster", HttpPlan::UnknownCluster, 1_000, vec!["a=02", "t=00"]),
        ("negative timeout", HttpPlan::Never, -1, vec!["a=02", "t=00"]),
        ("timeout is a response", HttpPlan::Never, 1_000, vec!["a=00", "t=04", "h=03", "p=02"]),
        (
            "reset is three zeros",
            HttpPlan::Reset { after: Duration::ZERO },
            1_000,
            vec!["a=00", "t=04", "h=00", "p=02"],
        ),
    ];
    for (rule, plan, timeout, expected) in rows {
        let plugin = with_imports(&http_caller(timeout));
        let proxy = Proxy::builder().world(Always(plan, never())).plugin(plugin).build().unwrap();
        assert_eq!(send(&proxy, Incoming::get("/")).downstream.status, Some(200), "{rule}");
        assert_eq!(lines(&proxy), expected, "{rule}");
    }
}

#[test]
fn point_7_unary_grpc_is_received_or_closed() {
    let body = r#"
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (call $status (i32.const 97) (call $grpc (i32.const 6) (i32.const 3) (i32.const 6) (i32.const 3) (i32.const 6)
            (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2008)))
          (i32.const 0))
        (func (export "proxy_on_grpc_receive") (param i32 i32 i32) (call $status (i32.const 114) (local.get 2)))
        (func (export "proxy_on_grpc_close") (param i32 i32 i32) (call $status (i32.const 99) (local.get 2)))"#;
    let answer = |status, messages| GrpcPlan::Answer {
        after: Duration::ZERO,
        initial: HeaderMap::default(),
        messages,
        trailing: HeaderMap::default(),
        status,
        message: String::new(),
    };
    let rows = [
        (answer(0, vec![b"abc".to_vec()]), vec!["a=00", "r=03"]),
        (answer(14, Vec::new()), vec!["a=00", "c=14"]),
        (GrpcPlan::UnknownCluster, vec!["a=04"]),
        (GrpcPlan::Inline { status: 14 }, vec!["a=10", "c=14"]),
    ];
    for (plan, expected) in rows {
        let world = Always(HttpPlan::Never, plan);
        let proxy = Proxy::builder().world(world).plugin(plugin(body)).build().unwrap();
        send(&proxy, Incoming::get("/"));
        assert_eq!(lines(&proxy), expected);
    }
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
fn point_9_too_many_pairs_are_none() {
    let many: Vec<(&str, &str)> = vec![("n", "v"); 1025];
    for (count, expected) in [(1024, 1024), (1025, 0)] {
        let (data, size) = pairs_data(20_000, &many[..count]);
        let body = format!(
            r#"{data} (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
              (drop (call $reply (i32.const 418) (i32.const 6) (i32.const 3) (i32.const 0) (i32.const 0)
                (i32.const 20000) (i32.const {size}) (i32.const -1))) (i32.const 1))"#
        );
        let (_, ended) = run(&body, Incoming::get("/"));
        assert_eq!(ended.downstream.headers.values("n").count(), expected);
    }
}

#[test]
fn point_10_metrics_are_not_deduplicated() {
    let define =
        |kind, to| format!("(drop (call $define (i32.const {kind}) (i32.const 6) (i32.const 3) (i32.const {to})))");
    let id = |at| format!("(i32.load (i32.const {at}))");
    let body = format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {} {} {} {} {} {} {} {} {}
          (call $status (i32.const 101) (i32.eq {} {})) (i32.const 0))"#,
        define(0, 2000),
        define(0, 2004),
        define(2, 2008),
        status('a', &format!("(call $increment {} (i64.const 2))", id(2000))),
        status('b', &format!("(call $increment {} (i64.const 0))", id(2004))),
        status('c', &format!("(call $increment {} (i64.const 1))", id(2008))),
        status('d', &format!("(call $metric {} (i32.const 2016))", id(2008))),
        status('f', &format!("(call $record {} (i64.const 5))", id(2008))),
        status('g', "(call $increment (i32.const 99999) (i64.const 1))"),
        id(2000),
        id(2004),
    );
    let proxy = Proxy::builder().plugin(plugin(&body)).build().unwrap();
    send(&proxy, Incoming::get("/"));
    assert_eq!(lines(&proxy), ["a=00", "b=02", "c=02", "d=02", "f=00", "g=01", "e=00"]);
    assert_eq!(proxy.stats().value("x-a"), 2);
    assert_eq!(proxy.stats().get(Kind::Histogram, "x-a"), Some(&Stat::Histogram(vec![5])));
}

#[test]
fn point_11_cas_on_an_absent_key_succeeds_and_data_stays() {
    let set =
        |cas| format!("(call $set_shared (i32.const 6) (i32.const 3) (i32.const 6) (i32.const 3) (i32.const {cas}))");
    let body = format!(
        r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {} {} (i32.const 0))"#,
        status('a', &set(4242)),
        status('b', &set(4242))
    );
    let proxy = Proxy::builder().plugin(plugin(&body)).build().unwrap();
    send(&proxy, Incoming::get("/"));
    let other = PluginSpec { configuration: b"other".to_vec(), ..plugin(&body) };
    proxy.reconfigure(vec![other]).unwrap();
    send(&proxy, Incoming::get("/"));
    assert_eq!(lines(&proxy), ["a=00", "b=08", "a=08", "b=08"]);
}

const TRAPS_ON_DEMAND: &str = r#"
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (if (i32.eqz (call $value (i32.const 0) (i32.const 6) (i32.const 3) (i32.const 2000) (i32.const 2004)))
        (then unreachable)) (i32.const 0))
    (func (export "proxy_on_log") (param i32) (call $say (i32.const 108)))"#;

#[test]
fn point_12_a_trap_is_the_end_of_the_vm() {
    let rows = [
        (FailurePolicy::FailClosed, [Some(503), Some(503), Some(503)]),
        (FailurePolicy::FailOpen, [Some(200), Some(200), Some(200)]),
        (FailurePolicy::FailReload, [Some(503), Some(503), Some(200)]),
    ];
    for (failure_policy, expected) in rows {
        let plugin = PluginSpec { failure_policy, ..plugin(TRAPS_ON_DEMAND) };
        let proxy = Proxy::builder().plugin(plugin).build().unwrap();
        let hit = send(&proxy, Incoming::get("/").with("x-a", "1"));
        assert_eq!(lines(&proxy).len(), 0, "no on_log of a dead VM");
        // A new VM comes with a stream after the back-off of a second since the start.
        let soon = send(&proxy, Incoming::get("/"));
        proxy.advance(Duration::from_secs(2)).unwrap();
        let later = send(&proxy, Incoming::get("/"));
        let statuses = [hit, soon, later].map(|ended| ended.downstream.status);
        // Within the first second a FAIL_RELOAD plugin behaves as closed.
        assert_eq!(statuses, expected, "{failure_policy:?}");
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
    assert_eq!(lines(&proxy), ["s=03", "s=07"]);
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

#[test]
fn point_15_foreign_functions_and_the_effective_context() {
    let foreign = |name: u32, n: u32, arguments: u32, size: u32| {
        format!(
            "(call $foreign (i32.const {name}) (i32.const {n}) (i32.const {arguments}) (i32.const {size})
              (i32.const 2000) (i32.const 2004))"
        )
    };
    let (data, size) = pairs_data(3000, &[(":method", "GET"), (":path", "/"), (":authority", "a")]);
    let evaluate = foreign(4200, 13, 2020, 4);
    let body = format!(
        r#"(import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32))) (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
        {data} (global $held (mut i32) (i32.const 0))
        (data (i32.const 4000) "set_envoy_filter_state") (data (i32.const 4100) "expr_create")
        (data (i32.const 4200) "expr_evaluate") (data (i32.const 4300) "[request.method]")
        (data (i32.const 4400) "\0a\0cenvoy.string\12\01v")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (global.set $held (local.get 0))
          {create} (i32.store (i32.const 2020) (i32.load (i32.load (i32.const 2000)))) {evaluated}
          (call $status (i32.const 108) (i32.load (i32.const 2004)))
          (drop (call $http (i32.const 6) (i32.const 3) (i32.const 3000) (i32.const {size}) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2008)))
          (i32.const 1))
        (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
          (drop (call $effective (global.get $held))) {set} {on_root} (drop (call $continue (i32.const 0))))"#,
        create = status('a', &foreign(4100, 11, 4300, 16)),
        evaluated = status('b', &evaluate),
        set = status('c', &foreign(4000, 22, 4400, 17)),
        on_root = status('d', &evaluate),
    );
    // One pair with the value `GET` as its key: 4 + 8 + 4 + 1 bytes.
    for (foreign_effective, set, state) in [(true, "c=00", Some(b"v".to_vec())), (false, "c=01", None)] {
        let settings = Settings { foreign_effective, ..Settings::default() };
        let world = Always(HttpPlan::Reset { after: Duration::ZERO }, GrpcPlan::Never);
        let proxy = Proxy::builder().settings(settings).world(world).plugin(with_imports(&body)).build().unwrap();
        let ended = send(&proxy, Incoming::get("/"));
        assert_eq!(lines(&proxy), ["a=00", "b=00", "l=17", set, "d=10"]);
        assert_eq!(ended.filter_state.get(b"envoy.string".as_slice()).cloned(), state);
    }
}

#[test]
fn point_17_a_plugin_that_is_there_is_not_created_again() {
    let body = r#"(func (export "proxy_on_context_create") (param i32 i32)
      (if (i32.eqz (local.get 1)) (then (call $say (i32.const 114)))))"#;
    let proxy = Proxy::builder().plugin(plugin(body)).build().unwrap();
    assert_eq!(lines(&proxy).len(), 3, "canary, main and one worker");
    proxy.reconfigure(vec![plugin(body)]).unwrap();
    assert_eq!(lines(&proxy).len(), 3);
    send(&proxy, Incoming::get("/"));
}

#[test]
fn point_16_ticks_come_on_the_main_thread_too() {
    let body = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $tick (i32.const 100))) (i32.const 1))
      (func (export "proxy_on_tick") (param i32) (call $say (i32.const 116)))"#;
    let proxy = Proxy::builder().workers(2).plugin(plugin(body)).build().unwrap();
    proxy.advance(Duration::from_millis(250)).unwrap();
    assert_eq!(lines(&proxy).len(), 6, "two ticks on each of three threads");
}

#[test]
fn a_refused_configuration_keeps_the_old_one() {
    let refuses = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
      (i32.eqz (local.get 1)))"#;
    let proxy =
        Proxy::builder().world(Clusters(Settings::default().surroundings)).plugin(plugin(refuses)).build().unwrap();
    let bad = PluginSpec { configuration: b"bad".to_vec(), ..plugin(refuses) };
    assert!(proxy.reconfigure(vec![bad]).is_err());
    assert_eq!(send(&proxy, Incoming::get("/")).downstream.status, Some(200));
}

#[test]
fn what_does_not_link_does_not_load() {
    let rows = [
        ("no ABI version", r#"(module (memory (export "memory") 1))"#.to_owned()),
        ("unknown import", format!(r#"(module (import "env" "proxy_nothing" (func)) {PRELUDE} {ALLOCATOR})"#)),
        ("wrong type", format!(r#"(module {PRELUDE} {ALLOCATOR} (func (export "proxy_on_log")))"#)),
        ("no allocator", format!("(module {PRELUDE})")),
    ];
    for (rule, module) in rows {
        let plugin = PluginSpec::new("test", module.into_bytes(), "");
        assert!(Proxy::builder().plugin(plugin).build().is_err(), "{rule}");
    }
}
