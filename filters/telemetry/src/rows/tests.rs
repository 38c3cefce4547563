use crate::label::LABELS;
use crate::testing::{Held, Streamed, base64, json_struct, metadata, struct_bytes, telemetry};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Attribute, Node};

const TOTAL: &str = "istio_requests_total";

fn outbound(host: &str) -> Streamed {
    Streamed::default()
        .bytes(Attribute::RequestHost, host)
        .int(Attribute::ListenerDirection, 2)
        .int(Attribute::ResponseCode, 200)
}

fn endpoint(workload: &str) -> Streamed {
    let workload = metadata(&format!(r#"{{"workload": "{workload};shop;s;r;c"}}"#));
    Streamed::default().bytes(Attribute::UpstreamHostMetadata, workload).int(Attribute::ResponseCode, 200)
}

#[test]
fn a_flood_of_hosts_leaves_room_for_workloads() {
    let mut filter = telemetry(r#", "reporter": "source", "cardinality": {"series": 100}"#, &Node::default());
    let mut held = Held::default();
    for host in 0..20_000 {
        outbound(&format!("h{host}.example")).run(&mut filter, &mut held);
    }
    let series = held.series(TOTAL);
    assert_eq!(held.total(TOTAL), 20_000);
    assert_eq!(series.len(), 51, "half of the budget, and one row for the rest");
    let folded = series.iter().find(|(labels, _)| labels["destination_service"] == "other").expect("a folded row");
    assert_eq!((folded.1, folded.0["destination_service_name"].as_str()), (19_950, "other"));
    for workload in 0..49 {
        endpoint(&format!("w{workload}")).run(&mut filter, &mut held);
    }
    let mine = held.series(TOTAL).iter().filter(|(labels, _)| labels["destination_workload"].starts_with('w')).count();
    assert_eq!(mine, 49, "every new workload has a series of its own");
    assert_eq!(held.series("weir_series_overflow_total").len(), 0);
}

#[test]
fn a_flood_of_hosts_leaves_the_names_that_istio_gives() {
    let mut node = Node::default();
    node.metadata.insert("ISTIO_VERSION".to_owned(), weir_model::StructValue::Text("1.30".to_owned()));
    let settings = r#", "reporter": "source", "cardinality": {"series": 10, "fold": {"destination_service": 2}}"#;
    let mut filter = telemetry(settings, &node);
    let mut held = Held::default();
    for host in 0..100 {
        for route in ["default", "block_all", "allow_any"] {
            outbound(&format!("h{host}.example")).bytes(Attribute::RouteName, route).run(&mut filter, &mut held);
        }
    }
    let folded = held.series(TOTAL).into_iter().filter(|(labels, _)| labels["destination_service"] == "other");
    let mut named: Vec<(String, u64)> =
        folded.map(|(labels, count)| (labels["destination_service_name"].clone(), count)).collect();
    named.sort();
    let expected = [("BlackHoleCluster", 98), ("PassthroughCluster", 99)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!((held.total(TOTAL), &named[..2]), (300, expected.as_slice()), "{named:?}");
    assert_eq!(held.series("weir_series_overflow_total").len(), 0);
}

#[test]
fn beyond_the_budget_totals_stay_exact_and_labels_few() {
    let settings = r#", "reporter": "source", "cardinality": {"series": 100, "keep": ["reporter", "response_code", "destination_workload"]}"#;
    let mut filter = telemetry(settings, &Node::default());
    let mut held = Held::default();
    for round in 0..3 {
        for workload in 0..1000 {
            endpoint(&format!("w{workload}")).run(&mut filter, &mut held);
        }
        assert_eq!(held.total(TOTAL), 1000 * (round + 1));
        assert_eq!(held.series(TOTAL).len(), 111, "the budget, a tenth more, and the last row");
    }
    assert_eq!(held.total("weir_series_overflow_total"), 2700);
    let kept = held.series(TOTAL).into_iter().filter(|(labels, _)| labels["destination_app"] == "other");
    let kept: Vec<_> = kept.collect();
    assert_eq!(kept.len(), 11);
    for (labels, total) in &kept {
        assert_eq!(labels.len(), LABELS.len(), "an overflow series has the same labels");
        let last = labels["response_code"] == "other";
        assert_eq!(*total, if last { 2670 } else { 3 }, "{labels:?}");
        assert_eq!((labels["reporter"].as_str(), labels["destination_workload"] == "other"), ("source", last));
    }
}

#[test]
fn a_folded_label_has_no_more_values_than_told() {
    let settings = r#", "reporter": "destination", "peerMetadata": {"trust": "always"}, "cardinality": {"fold": {"source_version": 2}}"#;
    let mut filter = telemetry(settings, &Node::default());
    let mut held = Held::default();
    for version in ["v1", "v2", "v3", "v4", "v1"] {
        let peer = json_struct(&format!(r#"{{"WORKLOAD_NAME": "w", "LABELS": {{"version": "{version}"}}}}"#));
        Streamed::default().header("x-envoy-peer-metadata", base64(&struct_bytes(&peer))).run(&mut filter, &mut held);
    }
    let versions: Vec<(String, u64)> = held
        .series(TOTAL)
        .into_iter()
        .map(|(mut labels, total)| (labels.remove("source_version").unwrap(), total))
        .collect();
    assert_eq!(versions, [("other".to_owned(), 2), ("v1".to_owned(), 2), ("v2".to_owned(), 1)]);
}

#[test]
fn a_series_seen_before_is_not_defined_again() {
    let mut filter = telemetry(r#", "reporter": "source""#, &Node::default());
    let mut held = Held::default();
    for _ in 0..1000 {
        outbound("a.example").run(&mut filter, &mut held);
    }
    assert_eq!(held.counters.values().copied().collect::<Vec<_>>(), [1000]);
}
