//! A module that is loaded as a network filter cannot decide, so it closes every connection and logs why.

use serde_json::json;
use weir_scenario::{Proxy as Listener, Request, Session};
use weir_test_envoy::{Booted, Plugin, Proxy, Setup, module};
use weir_testing::Rows;

#[test]
fn a_module_loaded_as_a_network_filter_closes_connections_and_says_so_once() {
    let mut rows = Rows::default();
    for name in ["policy", "rate-limit", "telemetry", "telemetry-response", "suite"] {
        let configuration = match name {
            "policy" => json!({"schema": 1, "name": "t", "workload": {"namespace": "a"}}),
            "rate-limit" => json!({"schema": 1, "name": "t", "local": {"config": {"domain": "d", "descriptors": []}}}),
            "telemetry" | "telemetry-response" => json!({"schema": 1, "name": "t"}),
            _ => json!({"schema": 1, "name": "t", "telemetry": {}}),
        };
        let plugin = Plugin {
            name: name.to_owned(),
            root_id: String::new(),
            vm_configuration: String::new(),
            module: module(name).unwrap(),
            configuration: configuration.to_string(),
        };
        let setup = Setup { network: vec![plugin], proxy: Listener::default(), ..Setup::default() };
        let mut proxy = match Proxy::start(setup).unwrap() {
            Booted::Ready(proxy) => proxy,
            Booted::Refused(log) => panic!("{name}: {log}"),
        };
        for _ in 0..3 {
            let response = proxy.send(&Request::default()).unwrap();
            rows.check(name, (response.status, response.seen), (None, None));
        }
        let logs = proxy.logs().unwrap();
        let said: Vec<&str> =
            logs.iter().map(|line| line.text.as_str()).filter(|text| text.contains("weir:")).collect();
        rows.check(format!("{name}: {said:?}"), said.len(), 1);
        rows.contains(name, &said.concat(), "loaded as a network filter");
        let counted = proxy.metrics().unwrap().0;
        let is_counted = counted.iter().any(|sample| sample.name == "istio_requests_total");
        rows.check(format!("{name}: {counted:?}"), is_counted, false);
        rows.check(name, proxy.vm_failures().unwrap(), 0);
        proxy.stop().unwrap();
    }
}
