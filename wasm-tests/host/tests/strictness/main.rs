//! Small modules that notice where a naive host is more lenient than Envoy.
//!
//! Each module is written in the text format. `$status` logs `WORD=STATUS` for a hostcall, so that a test reads statuses
//! from the log.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod callouts;
mod streams;
mod vms;

use std::time::Duration;
use weir_test_host::{Ended, GrpcCall, GrpcPlan, HttpCall, HttpPlan, Incoming, PluginSpec, Proxy, World};

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

const TRAPS_ON_DEMAND: &str = r#"
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (if (i32.eqz (call $value (i32.const 0) (i32.const 6) (i32.const 3) (i32.const 2000) (i32.const 2004)))
        (then unreachable)) (i32.const 0))
    (func (export "proxy_on_log") (param i32) (call $say (i32.const 108)))"#;
