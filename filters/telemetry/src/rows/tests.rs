use crate::labels::names::LABELS;
use crate::testing::{Held, Streamed, base64, json_struct, metadata, struct_bytes, telemetry};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Attribute, Node, Now};
use weir_testing::Rows;

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
    node.metadata.0.push(("ISTIO_VERSION".to_owned(), weir_model::StructValue::Text("1.30".to_owned())));
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
fn a_folded_label_has_no_more_values_than_configured() {
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

/// Ticks until nothing is wanted, from the time `from` in milliseconds, and returns the time then.
fn ticked(filter: &mut crate::Telemetry, held: &mut Held, from: u64, until: u64) -> u64 {
    use weir_model::Filter;
    let mut millis = from;
    while filter.tick_period().is_some() && millis < until {
        millis += 50;
        held.tick(filter, Now { wall_nanos: 0, mono_nanos: millis * 1_000_000 });
    }
    millis
}

fn sums(held: &Held) -> (u64, [(usize, u64); 3]) {
    let metrics = ["istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"];
    let sums = metrics.map(|metric| {
        let of = held.histograms.iter().filter(|(name, _)| name.ends_with(metric));
        of.fold((0, 0), |(count, sum), (_, values)| (count + values.len(), sum + values.iter().sum::<u64>()))
    });
    (held.total(TOTAL), sums)
}

fn measured(streamed: Streamed, bytes: i64) -> Streamed {
    let streamed = streamed.int(Attribute::RequestDuration, 3_000_000);
    streamed.int(Attribute::RequestTotalSize, bytes).int(Attribute::ResponseTotalSize, 7)
}

#[test]
fn where_definitions_are_slow_each_callback_makes_one_and_totals_stay_exact() {
    let mut rows = Rows::default();
    for slow in [300_000, 2_800_000, 18_000_000] {
        let mut filter = telemetry(r#", "reporter": "source""#, &Node::default());
        let mut held = Held::slow(slow);
        let mut bytes = 0;
        for host in 0..6000 {
            bytes += host;
            measured(outbound(&format!("h{host}.example")), host).run(&mut filter, &mut held);
            if host % 60 == 0 {
                let now = Now { wall_nanos: 0, mono_nanos: host.unsigned_abs() / 60 * 50_000_000 };
                held.tick(&mut filter, now);
            }
        }
        rows.check(format!("{slow}: {:?}", held.defined), held.defined.iter().all(|count| *count == 1), true);
        rows.check(format!("{slow}: no more than one for each tick"), held.defined.len() <= 102, true);
        ticked(&mut filter, &mut held, 5000, 60_000);
        held.tick(&mut filter, Now::END);
        let expected = [(6000, 18_000), (6000, bytes.unsigned_abs()), (6000, 42_000)];
        rows.check(slow, sums(&held), (6000, expected));
        let lost = held.total("weir_series_overflow_total") + held.total("weir_folded_total");
        let named = held.series(TOTAL).into_iter().filter(|(labels, _)| labels["destination_service"].starts_with('h'));
        let named: u64 = named.map(|(_, count)| count).sum();
        rows.check(format!("{slow}: {lost} lost labels, {named} named"), lost >= 6000 - named, true);
    }
}

#[test]
fn a_rare_row_is_named_although_definitions_are_slow() {
    let mut filter = telemetry(r#", "reporter": "source""#, &Node::default());
    let mut held = Held::slow(2_800_000);
    measured(outbound("a.example"), 5).run(&mut filter, &mut held);
    measured(outbound("b.example").int(Attribute::ResponseCode, 500), 6).run(&mut filter, &mut held);
    ticked(&mut filter, &mut held, 0, 60_000);
    assert_eq!(sums(&held), (2, [(2, 6), (2, 11), (2, 14)]));
    assert!(held.series(TOTAL).iter().all(|(labels, _)| labels["destination_service"].ends_with(".example")));
    assert_eq!((held.series("weir_series_overflow_total").len(), held.series("weir_folded_total").len()), (0, 0));
}

#[test]
fn rows_that_a_certificate_vouches_for_go_ahead_of_invented_ones() {
    let settings =
        r#", "reporter": "destination", "peerMetadata": {"trust": "always"}, "cardinality": {"series": 3000}"#;
    let mut filter = telemetry(settings, &Node::default());
    let mut held = Held::slow(40_000);
    let peer = |name: String| base64(&struct_bytes(&json_struct(&format!(r#"{{"WORKLOAD_NAME": "{name}"}}"#))));
    let mut millis = 0;
    for round in 0..1000 {
        for flood in 0..4 {
            let invented = peer(format!("invented-{round}-{flood}"));
            measured(Streamed::default().header("x-envoy-peer-metadata", invented), 1).run(&mut filter, &mut held);
        }
        let san = format!("spiffe://td/ns/shop/sa/w{round}");
        let vouched = Streamed::default()
            .header("x-envoy-peer-metadata", peer(format!("w{round}")))
            .bool(Attribute::ConnectionMtls, true)
            .bytes(Attribute::PeerUriSan, &san)
            .bytes(Attribute::LocalUriSan, "spiffe://td/ns/shop/sa/me");
        measured(vouched, 1).run(&mut filter, &mut held);
        if round % 10 == 0 {
            millis += 50;
            held.tick(&mut filter, Now { wall_nanos: 0, mono_nanos: millis * 1_000_000 });
        }
    }
    let vouched = |held: &Held| {
        let rows = held.series(TOTAL).into_iter();
        rows.filter(|(labels, _)| labels["source_principal"].starts_with("spiffe://td/ns/shop/sa/w")).count()
    };
    while vouched(&held) < 1000 && millis < 10_000 {
        millis += 50;
        held.tick(&mut filter, Now { wall_nanos: 0, mono_nanos: millis * 1_000_000 });
    }
    assert_eq!(vouched(&held), 1000, "within ten seconds");
    held.tick(&mut filter, Now::END);
    assert_eq!(sums(&held), (5000, [(5000, 15_000), (5000, 5000), (5000, 35_000)]));
    assert!(held.total("weir_folded_total") + held.total("weir_series_overflow_total") > 0);
}

#[test]
fn folding_is_counted_by_label() {
    let settings = r#", "reporter": "source", "cardinality": {"fold": {"destination_service": 2}}"#;
    let mut filter = telemetry(settings, &Node::default());
    let mut held = Held::default();
    for host in ["a.example", "b.example", "c.example", "d.example", "a.example"] {
        outbound(host).run(&mut filter, &mut held);
    }
    held.tick(&mut filter, Now::END);
    let folded: Vec<_> = held.series("weir_folded_total").into_iter().map(|(l, n)| (l["reason"].clone(), n)).collect();
    assert_eq!(folded, [("destination_service".to_owned(), 2)]);
}

#[test]
fn one_principal_does_not_take_the_rows_of_others() {
    let mut filter = telemetry(r#", "reporter": "destination", "cardinality": {"series": 100}"#, &Node::default());
    let mut held = Held::default();
    let stream = |principal: &str, workload: &str, code: i64| {
        let peer = json_struct(&format!(r#"{{"WORKLOAD_NAME": "{workload}", "NAMESPACE": "shop"}}"#));
        Streamed::default()
            .header("x-envoy-peer-metadata", base64(&struct_bytes(&peer)))
            .bytes(Attribute::PeerUriSan, format!("spiffe://td/ns/shop/sa/{principal}"))
            .bool(Attribute::ConnectionMtls, true)
            .int(Attribute::ListenerDirection, 1)
            .int(Attribute::ResponseCode, code)
    };
    for workload in 0..25 {
        for code in 200..240 {
            stream("greedy", &format!("w{workload}"), code).run(&mut filter, &mut held);
        }
    }
    let rows_of = |held: &Held, principal: &str| {
        let all = held.series(TOTAL).into_iter();
        all.filter(|(labels, _)| labels["source_principal"].ends_with(principal)).count()
    };
    assert_eq!(rows_of(&held, "greedy"), 50, "half of the budget at most");
    for code in 200..220 {
        stream("other", "w", code).run(&mut filter, &mut held);
    }
    assert_eq!(rows_of(&held, "/other"), 20);
    assert_eq!(held.total(TOTAL), 1020);
}

#[test]
fn many_rows_of_one_principal_do_not_make_the_first_of_another_wait() {
    let mut filter = telemetry(r#", "reporter": "destination""#, &Node::default());
    let mut held = Held::slow(2_000_000);
    let stream = |principal: &str, code: i64| {
        Streamed::default()
            .bytes(Attribute::PeerUriSan, format!("spiffe://td/ns/shop/sa/{principal}"))
            .bool(Attribute::ConnectionMtls, true)
            .int(Attribute::ListenerDirection, 1)
            .int(Attribute::ResponseCode, code)
    };
    for code in 100..1000 {
        stream("many", code).run(&mut filter, &mut held);
    }
    stream("first", 200).run(&mut filter, &mut held);
    let named = |held: &Held| {
        held.series(TOTAL).iter().any(|(labels, count)| labels["source_principal"].ends_with("/first") && *count > 0)
    };
    let mut seconds = 0;
    while !named(&held) && seconds < 60 {
        seconds += 1;
        for tick in 0..20 {
            held.tick(&mut filter, Now { mono_nanos: (seconds * 20 + tick) * 50_000_000, ..Now::default() });
        }
        stream("first", 200).run(&mut filter, &mut held);
    }
    assert!(named(&held) && seconds < 30, "after {seconds} s");
}
