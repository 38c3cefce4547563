//! Loading, starting, configuring and ticking.

use crate::*;
use weir_test_host::{Clock, Clusters, Settings};
use weir_testing::Rows;

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
    let proxy = Proxy::builder()
        .world(Clusters::new(Settings::default().surroundings, Clock::new(Duration::ZERO)))
        .plugin(plugin(refuses))
        .build()
        .unwrap();
    let bad = PluginSpec { configuration: b"bad".to_vec(), ..plugin(refuses) };
    assert!(proxy.reconfigure(vec![bad]).is_err());
    assert_eq!(send(&proxy, Incoming::get("/")).downstream.status, Some(200));
}

#[test]
fn what_does_not_link_does_not_load() {
    let table = [
        ("no ABI version", r#"(module (memory (export "memory") 1))"#.to_owned()),
        ("unknown import", format!(r#"(module (import "env" "proxy_nothing" (func)) {PRELUDE} {ALLOCATOR})"#)),
        ("wrong type", format!(r#"(module {PRELUDE} {ALLOCATOR} (func (export "proxy_on_log")))"#)),
        ("no allocator", format!("(module {PRELUDE})")),
    ];
    let mut rows = Rows::default();
    for (rule, module) in table {
        let plugin = PluginSpec::new("test", module.into_bytes(), "");
        rows.check(rule, Proxy::builder().plugin(plugin).build().is_err(), true);
    }
}
