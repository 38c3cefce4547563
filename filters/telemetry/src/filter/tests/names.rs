//! The stat names that streams lead to.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn every_label_is_there_in_the_order_of_the_names() {
    let mut rows = Rows::default();
    for settings in [r#", "reporter": "source""#, r#", "reporter": "destination""#] {
        let mut held = Held::default();
        Streamed::default().run(&mut telemetry(settings, &node()), &mut held);
        let name = held.counters.keys().find(|name| name.ends_with(TOTAL)).expect("a stream was counted");
        let labels: Vec<&str> = name.split(";.;").filter_map(|pair| Some(pair.split_once("=.=")?.0)).collect();
        rows.check(settings, labels, crate::LABELS);
    }
    assert!(crate::labels::names::foldable().all(|label| crate::LABELS.contains(&label)));
}

#[test]
fn hostile_bytes_are_cleaned_and_counted() {
    let nasty = b"a;.;reporter=.=x\xff\x00\r\n".to_vec();
    let mut held = Held::default();
    let settings = r#", "reporter": "source", "peerMetadata": {"trust": "always"}"#;
    let mut filter = telemetry(settings, &node());
    let mut values = vec![nasty.clone(), vec![0xff; 60 * 1024], Vec::new(), b"AAAA".to_vec()];
    for seed in 0u32..200 {
        values.push((0..seed % 40).map(|at| (seed.wrapping_mul(2_654_435_761).rotate_left(at) & 0xff) as u8).collect());
    }
    for value in &values {
        let mut streamed = Streamed::default()
            .bytes(Attribute::RequestHost, value.clone())
            .header("x-envoy-peer-metadata", value.clone())
            .bytes(Attribute::RequestContentType, value.clone())
            .bytes(Attribute::UpstreamPeerMetadata, value.clone());
        for attribute in Attribute::BUILTIN {
            streamed = streamed.bytes(attribute, value);
        }
        streamed.run(&mut filter, &mut held);
    }
    assert_eq!(held.total(TOTAL), values.len() as u64);
    for (labels, _) in held.series(TOTAL) {
        assert_eq!(labels.len(), crate::LABELS.len());
        assert!(
            labels.values().all(|value| value.len() <= weir_metrics::VALUE_BYTES && !value.contains(char::is_control))
        );
    }
}
