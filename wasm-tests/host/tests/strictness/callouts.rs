//! Callouts, foreign functions, metrics and shared data.

use crate::*;
use weir_test_host::{Error, HeaderMap, Kind, Settings, Stat};
use weir_testing::Rows;

#[test]
fn point_6_http_callouts() {
    let never = || GrpcPlan::Never;
    let table = [
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
    let mut rows = Rows::default();
    for (rule, plan, timeout, expected) in table {
        let plugin = with_imports(&http_caller(timeout));
        let proxy = Proxy::builder().world(Always(plan, never())).plugin(plugin).build().unwrap();
        rows.check(rule, send(&proxy, Incoming::get("/")).downstream.status, Some(200));
        rows.check(rule, lines(&proxy), expected);
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
    let table = [
        (answer(0, vec![b"abc".to_vec()]), vec!["a=00", "r=03"]),
        (answer(14, Vec::new()), vec!["a=00", "c=14"]),
        (GrpcPlan::UnknownCluster, vec!["a=04"]),
        (GrpcPlan::Inline { status: 14 }, vec!["a=10", "c=14"]),
    ];
    let mut rows = Rows::default();
    for (plan, expected) in table {
        let name = format!("{plan:?}");
        let world = Always(HttpPlan::Never, plan);
        let proxy = Proxy::builder().world(world).plugin(plugin(body)).build().unwrap();
        send(&proxy, Incoming::get("/"));
        rows.check(name, lines(&proxy), expected);
    }
}

#[test]
fn point_9_too_many_pairs_are_none() {
    let many: Vec<(&str, &str)> = vec![("n", "v"); 1025];
    let mut rows = Rows::default();
    for (count, expected) in [(1024, 1024), (1025, 0)] {
        let (data, size) = pairs_data(20_000, &many[..count]);
        let body = format!(
            r#"{data} (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
              (drop (call $reply (i32.const 418) (i32.const 6) (i32.const 3) (i32.const 0) (i32.const 0)
                (i32.const 20000) (i32.const {size}) (i32.const -1))) (i32.const 1))"#
        );
        let (_, ended) = run(&body, Incoming::get("/"));
        rows.check(format!("{count:?}"), ended.downstream.headers.values("n").count(), expected);
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
        status('g', "(call $increment (i32.const 99996) (i64.const 1))"),
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
    let mut rows = Rows::default();
    for (foreign_effective, set, state) in [(true, "c=00", Some(b"v".to_vec())), (false, "c=01", None)] {
        let settings = Settings { foreign_effective, ..Settings::default() };
        let world = Always(HttpPlan::Reset { after: Duration::ZERO }, GrpcPlan::Never);
        let proxy = Proxy::builder().settings(settings).world(world).plugin(with_imports(&body)).build().unwrap();
        let ended = send(&proxy, Incoming::get("/"));
        rows.check(format!("{foreign_effective:?}, {set:?}"), lines(&proxy), ["a=00", "b=00", "l=17", set, "d=10"]);
        rows.check(
            format!("{foreign_effective:?}, {set:?}"),
            ended.filter_state.get(b"envoy.string".as_slice()).cloned(),
            state,
        );
    }
}

/// Sends a request that makes a gRPC callout to those bytes.
fn grpc_to(target: &str, size: usize) -> Result<(), Error> {
    let body = format!(
        r#"(data (i32.const 4000) "{target}")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
          (drop (call $grpc (i32.const 4000) (i32.const {size}) (i32.const 6) (i32.const 3) (i32.const 6)
            (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2008)))
          (i32.const 0))"#
    );
    let proxy = Proxy::builder().plugin(plugin(&body)).build()?;
    proxy.http_stream(0, Incoming::get("/"), Duration::from_secs(1)).map(drop)
}

#[test]
fn what_envoy_does_not_survive_ends_the_proxy() {
    let crashed = Err(Error::Crashed("a module calls a GrpcService without a target".to_owned()));
    let mut rows = Rows::default();
    for (rule, target, size) in [("nothing", "", 0), ("a word that reads as a message", "empty", 5)] {
        rows.check(rule, grpc_to(target, size), crashed.clone());
    }
    for (rule, target, size) in [("a name", "nowhere", 7), ("a message", "\\0a\\03\\0a\\01a", 5)] {
        rows.check(rule, grpc_to(target, size), Ok(()));
    }
}
