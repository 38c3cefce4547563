//! Records of connections that are not HTTP.

use super::*;
use crate::TcpPolicy;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Data, Side, TcpFilter, TcpPhase, TcpVerdict};

#[test]
fn a_connection_leaves_one_record_of_its_peer() {
    let document = r#"{"schema":1,"name":"t","audit":{"to":{"log":true},"include":{"headers":["x-a"],"claims":["sub"]}},
        "policies":[{"kind":"AuthorizationPolicy","metadata":{"name":"no-db","namespace":"shop"},
        "spec":{"action":"DENY","rules":[{"to":[{"operation":{"ports":["6379"]}}]}]}}]}"#;
    let mut policy = TcpPolicy::compile(document.as_bytes(), &node()).unwrap_or_else(|problems| panic!("{problems}"));
    let demand = policy.demand(TcpPhase::Data);
    assert!(demand.late.contains(&Attribute::PeerUriSan) && !demand.late.contains(&Attribute::DynamicMetadata));
    assert!(policy.demand(TcpPhase::Opened).late.is_empty());
    let mut attributes = Attributes::default();
    attributes.set(&Attribute::DestinationAddress, b"10.9.9.9:6379");
    let mut sent = Sent::default().with(&Attribute::PeerUriSan, b"spiffe://td/ns/a/sa/b");
    sent.attributes.set(&Attribute::SourceAddress, b"10.0.0.1:7");
    sent.attributes.set_bool(&Attribute::ConnectionMtls, true);
    let (mut cells, mut effects, mut state) = (MemoryCells::default(), Effects::default(), Default::default());
    for verdict in [TcpVerdict::Close, TcpVerdict::Close] {
        let facts = facts(Headers::default(), &attributes);
        let mut io = Io { late: Some(&mut sent), ..Io::new(Now::default(), &mut cells, &mut effects) };
        let data = Data { side: Side::Downstream, length: 5, first: &[], end: false };
        assert_eq!(policy.data(&mut state, data, &facts, &mut Edits::default(), &mut io), verdict);
    }
    let [(Level::Info, line)] = effects.logs.as_slice() else { panic!("{:?}", effects.logs) };
    let mut record: Value = serde_json::from_str(line.strip_prefix("weir audit: ").unwrap()).unwrap();
    let fields = record.as_object_mut().unwrap();
    for name in ["id", "config", "release", "time"] {
        assert!(fields.remove(name).is_some(), "{name}");
    }
    let expected = json!({
        "schema": 1, "sequence": 1, "proxy": "sidecar~1", "plugin": "t", "workload": "shop/cart", "protocol": "tcp",
        "decision": "deny", "mode": "enforced", "reason": "matched", "policy": "shop/no-db", "rule": 0,
        "source": "10.0.0.1:7", "destination": "10.9.9.9:6379", "principal": "spiffe://td/ns/a/sa/b", "mtls": true,
    });
    assert_eq!(record, expected);
}

#[test]
fn records_of_connections_go_to_a_collector_too() {
    let document = r#"{"schema":1,"name":"t","audit":{"to":{"otlp":{"cluster":"otel"}},"queue":{"records":16},"batch":{"records":1}},
        "policies":[{"kind":"AuthorizationPolicy","metadata":{"name":"none","namespace":"shop"},"spec":{}}]}"#;
    let mut policy = TcpPolicy::compile(document.as_bytes(), &node()).unwrap_or_else(|problems| panic!("{problems}"));
    let (mut cells, mut effects, attributes) = (MemoryCells::default(), Effects::default(), Attributes::default());
    let open = |policy: &mut TcpPolicy, effects: &mut Effects, cells: &mut MemoryCells| {
        let (facts, mut state) = (facts(Headers::default(), &attributes), Default::default());
        let data = Data { side: Side::Downstream, length: 5, first: &[], end: false };
        policy.data(&mut state, data, &facts, &mut Edits::default(), &mut Io::new(Now::default(), cells, effects))
    };
    assert_eq!(open(&mut policy, &mut effects, &mut cells), TcpVerdict::Close);
    assert_eq!(open(&mut policy, &mut effects, &mut cells), TcpVerdict::Close);
    let [(id, Callout::Grpc(_))] = effects.calls.as_slice() else { panic!("{:?}", effects.calls) };
    let id = *id;
    effects.calls.clear();
    policy.called(id, Answer::Grpc { message: b"" }, &mut Io::new(Now::default(), &mut cells, &mut effects));
    assert_eq!(effects.calls.len(), 1, "the second follows when the first is answered");
}
