//! What scenarios cannot show of the shell: callouts that fail before the call returns, plugins in the wrong position, and
//! cells of limits that another plugin wrote.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_test_host::{GrpcCall, GrpcPlan, HttpCall, HttpPlan, Incoming, PluginSpec, Proxy, World};
use weir_testing::Rows;

const PATIENCE: Duration = Duration::from_secs(1);

/// A world in which every callout ends inside the call; a gRPC call is also closed, with a token that was never
/// handed out.
struct Inline;

impl World for Inline {
    fn http(&mut self, _: &HttpCall) -> HttpPlan {
        HttpPlan::Inline
    }

    fn grpc(&mut self, _: &GrpcCall) -> GrpcPlan {
        GrpcPlan::Inline { status: 14 }
    }
}

/// A module of `dist`.
fn module(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dist = std::env::var_os("WEIR_DIST").map_or_else(|| root.join("dist"), PathBuf::from);
    std::fs::read(dist.join(name)).unwrap()
}

/// Sends a request with that plan, lets time pass, and gives the answers that the filter logged, and the outcome.
fn run(plan: &str) -> (Vec<String>, Option<u16>, u64) {
    let module = module("shell-probe.wasm");
    let proxy = Proxy::builder().plugin(PluginSpec::new("shell", module, "v1")).world(Inline).build().unwrap();
    let ended = proxy.http_stream(0, Incoming::get("/").with("x-do", plan), PATIENCE).unwrap();
    proxy.advance(PATIENCE).unwrap();
    let lines = proxy.log().into_iter().filter_map(|line| Some(line.text.split_once("answer: ")?.1.to_owned()));
    (lines.collect(), ended.downstream.status, proxy.vm_failures())
}

#[test]
fn a_callout_that_fails_inside_the_call_has_one_answer() {
    let failed = |times: usize| vec!["failed without a host".to_owned(); times];
    let mut rows = Rows::default();
    for (plan, answers, status) in [
        ("http a", 1, 200),
        ("grpc a", 1, 200),
        ("grpc a; http a", 2, 200),
        ("grpc a; grpc a; reply 403", 2, 403),
        ("http a; reply 429", 1, 429),
    ] {
        rows.check(plan, run(plan), (failed(answers), Some(status), 0));
    }
}

/// A plugin of the probe with this root id.
fn plugin(root_id: &str) -> PluginSpec {
    let module = module("shell-probe.wasm");
    PluginSpec { root_id: root_id.to_owned(), ..PluginSpec::new("shell", module, "v1") }
}

/// How many lines of a log have this text.
fn said(proxy: &Proxy, text: &str) -> usize {
    proxy.log().iter().filter(|line| line.text.contains(text)).count()
}

#[test]
fn the_tcp_filter_refuses_requests() {
    let proxy = Proxy::builder().plugin(plugin("weir.tcp")).build().unwrap();
    for _ in 0..2 {
        let ended = proxy.http_stream(0, Incoming::get("/"), PATIENCE).unwrap();
        assert_eq!((ended.downstream.status, ended.seen), (Some(500), None));
    }
    assert_eq!((said(&proxy, "loaded as an HTTP filter"), proxy.vm_failures()), (1, 0));
}

#[test]
fn the_http_filter_closes_connections() {
    let proxy = Proxy::builder().plugin(plugin("")).build().unwrap();
    for _ in 0..2 {
        let connection = proxy.tcp_open(0).unwrap();
        assert!(proxy.tcp_seen(0, connection).unwrap().closed);
    }
    assert_eq!((said(&proxy, "loaded as a network filter"), proxy.vm_failures()), (1, 0));
}

#[test]
fn a_root_id_that_is_neither_is_refused() {
    let (proxy, built) = Proxy::builder().plugin(plugin("weir.udp")).try_build().unwrap();
    assert!(built.is_err());
    assert!(said(&proxy, "root id `weir.udp` is unknown") > 0);
}

#[test]
fn a_connection_that_waits_leaves_with_its_client() {
    let mut spec = plugin("weir.tcp");
    spec.configuration = b"tcp downstream=http:upstream".to_vec();
    /// A service that does not answer.
    struct Silent;
    impl World for Silent {
        fn http(&mut self, _: &HttpCall) -> HttpPlan {
            HttpPlan::Reset { after: Duration::from_secs(3600) }
        }

        fn grpc(&mut self, _: &GrpcCall) -> GrpcPlan {
            GrpcPlan::Inline { status: 14 }
        }
    }
    let proxy = Proxy::builder().plugin(spec).world(Silent).build().unwrap();
    let connection = proxy.tcp_open(0).unwrap();
    proxy.tcp_send(0, connection, b"waits", false).unwrap();
    assert_eq!(proxy.tcp_seen(0, connection).unwrap().received, b"");
    proxy.tcp_abort(0, connection).unwrap();
    assert_eq!((said(&proxy, "tcp gone"), said(&proxy, "end: 5 down, 0 up")), (1, 1));
    proxy.advance(Duration::from_secs(7200)).unwrap();
    assert_eq!((said(&proxy, "resume"), proxy.vm_failures()), (0, 0));
}

#[test]
fn an_expression_is_evaluated_only_where_the_core_asks() {
    let evaluated = |words: &str, plan: &str| {
        let mut spec = plugin("");
        spec.configuration = format!("v1 cel=bool:request.method=='GET' {words}").into_bytes();
        let proxy = Proxy::builder().plugin(spec).build().unwrap();
        let ended = proxy.http_stream(0, Incoming::get("/").with("x-do", plan), PATIENCE).unwrap();
        assert_eq!(ended.downstream.status, Some(200));
        let foreign = ended.transcript.iter().filter(|call| call.name == "proxy_call_foreign_function").count();
        (foreign, said(&proxy, "cel 0: Bool(true)"))
    };
    let (without, none) = evaluated("", "");
    for (words, plan, more) in
        [("", "cel 0", 1), ("", "cel 0; cel 0", 2), ("cel-at-end", "", 1), ("cel-at-end", "cel 0", 2)]
    {
        assert_eq!(evaluated(words, plan), (without + more, more), "{words} {plan}");
    }
    assert_eq!(none, 0);
}

#[test]
fn configurations_that_come_and_go_define_a_stat_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dist = std::env::var_os("WEIR_DIST").map_or_else(|| root.join("dist"), PathBuf::from);
    let module = std::fs::read(dist.join("suite.wasm")).unwrap();
    let configuration = |number: u32| {
        let rule = format!(r#"{{"to": [{{"operation": {{"paths": ["/", "/{number}"]}}}}]}}"#);
        let policy = format!(
            r#"{{"kind": "AuthorizationPolicy", "metadata": {{"name": "p", "namespace": "shop"}}, "spec": {{"rules": [{rule}]}}}}"#
        );
        format!(
            r#"{{"schema": 1, "name": "s", "policy": {{"workload": {{"namespace": "shop", "proxy": "gateway"}}, "policies": [{policy}]}}, "telemetry": {{}}}}"#
        )
    };
    let plugin = |number: u32| PluginSpec::new("suite", module.clone(), configuration(number));
    let proxy = Proxy::builder().plugin(plugin(0)).build().unwrap();
    let mut defined = Vec::new();
    for number in 1..=4 {
        assert_eq!(proxy.http_stream(0, Incoming::get("/"), PATIENCE).unwrap().downstream.status, Some(200));
        proxy.advance(PATIENCE).unwrap();
        defined.push(proxy.costs().unwrap().hostcalls["proxy_define_metric"]);
        proxy.reconfigure(vec![plugin(number)]).unwrap();
    }
    let first = defined[0];
    assert!(first > 4, "{defined:?}");
    assert_eq!(defined, [first; 4], "a reload defines nothing that the VM has");
    let stats = proxy.stats();
    let names = stats.iter().map(|(_, name, _)| String::from_utf8_lossy(name).into_owned());
    let requests = names.filter(|name| name.contains("requests_total"));
    assert_eq!(requests.map(|name| stats.value(&name)).sum::<u64>(), 4);
}

/// A module that takes all headers from a request. Envoy, too, shows the next filter an empty map.
const REMOVES_HEADERS: &str = r#"(module
  (import "env" "proxy_set_header_map_pairs" (func $set (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "malloc") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $set (i32.const 0) (i32.const 0) (i32.const 4))) (i32.const 0)))"#;

#[test]
fn a_request_whose_headers_cannot_be_read_is_a_500() {
    let first = PluginSpec::new("removes", REMOVES_HEADERS.as_bytes().to_vec(), "");
    let proxy = Proxy::builder().plugin(first).plugin(plugin("")).build().unwrap();
    let ended = proxy.http_stream(0, Incoming::get("/"), PATIENCE).unwrap();
    assert_eq!((ended.downstream.status, ended.seen), (Some(500), None));
    assert_eq!(ended.record.details, "weir_headers_unavailable".into());
    assert_eq!(proxy.vm_failures(), 0);
}

#[test]
fn a_filter_whose_period_keeps_changing_is_called() {
    let mut spec = plugin("");
    spec.configuration = b"v1 ticks changing".to_vec();
    let proxy = Proxy::builder().plugin(spec).build().unwrap();
    for _ in 0..30 {
        assert_eq!(proxy.http_stream(0, Incoming::get("/"), PATIENCE).unwrap().downstream.status, Some(200));
        proxy.advance(Duration::from_millis(100)).unwrap();
    }
    assert_eq!(said(&proxy, " tick "), 3, "the first three are logged");
}

/// A plugin of somebody else's that writes a value into the shared data when it is configured. Like all WasmPlugins of
/// Istio, it has the `vm_id` of the others.
fn writer(key: &[u8], value: &[u8]) -> PluginSpec {
    let text = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let module = format!(
        r#"(module
          (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 2)
          (func (export "malloc") (param i32) (result i32) (i32.const 65536))
          (func (export "proxy_abi_version_0_2_1"))
          (data (i32.const 0) "{}") (data (i32.const 1000) "{}")
          (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (call $set (i32.const 0) (i32.const {}) (i32.const 1000) (i32.const {}) (i32.const 0)) (i32.eqz)))"#,
        text(key),
        text(value),
        key.len(),
        value.len(),
    );
    PluginSpec::new("writer", module.into_bytes(), "")
}

#[test]
fn cells_that_another_plugin_wrote_count_as_empty_unless_they_fit() {
    let document = r#"{"schema": 1, "name": "cart", "rate_limits": [{"actions": [{"generic_key": {"descriptor_value": "all"}}]}],
      "local": {"config": {"domain": "shop", "descriptors": [
        {"key": "generic_key", "value": "all", "rate_limit": {"unit": "year", "requests_per_unit": 2}}]}}}"#;
    let limits = PluginSpec::new("limits", module("rate-limit.wasm"), document);
    let proxy = Proxy::builder().plugin(limits.clone()).build().unwrap();
    let ask = || proxy.http_stream(0, Incoming::get("/"), PATIENCE).unwrap().downstream.status.unwrap();
    let restarted = || {
        // Counters reach the host with a tick.
        proxy.advance(PATIENCE).unwrap();
        let stats = proxy.stats();
        let counters = stats.iter().filter(|(_, name, _)| name.ends_with(b"weir_ratelimit_restarted_cells_total"));
        counters.map(|(_, name, _)| stats.value(std::str::from_utf8(name).unwrap())).sum::<u64>()
    };
    assert_eq!((ask(), restarted()), (200, 0));
    // The one cell of the limit, after one request.
    let cells: Vec<_> = proxy.shared_data("").into_iter().filter(|(key, _)| key.starts_with(b"w1/cart/")).collect();
    let [(cell, of_one)] = &cells[..] else { panic!("{cells:?}") };
    assert_eq!([ask(), ask()], [200, 429]);

    let longer = [of_one.as_slice(), b"x"].concat();
    let (mut version, mut limit) = (of_one.clone(), of_one.clone());
    *version.first_mut().unwrap() += 1;
    *limit.get_mut(4).unwrap() ^= 1;
    let empty = [200, 200, 429];
    let mut rows = Rows::default();
    for (name, value, expected, damaged) in [
        ("nothing", b"".as_slice(), empty, 1),
        ("text", b"hello", empty, 1),
        ("ones", &[0xff; 40], empty, 1),
        ("a byte more", &longer, empty, 1),
        ("another version of the layout", &version, empty, 1),
        ("another limit", &limit, empty, 1),
        ("what fits, with one request in it", of_one, [200, 429, 429], 0),
    ] {
        let before = restarted();
        proxy.reconfigure(vec![limits.clone(), writer(cell, value)]).unwrap();
        rows.check(name, [ask(), ask(), ask()], expected);
        rows.check(format!("{name}: damaged"), restarted() - before, damaged);
    }
    assert_eq!(proxy.vm_failures(), 0);
}
