use super::{Metric, MetricSet, Values};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::MetricKind;
use weir_testing::Rows;

#[test]
fn every_metric_is_in_the_set_of_its_kind_and_has_a_series_of_its_own() {
    let mut rows = Rows::default();
    for (place, metric) in Metric::ALL.into_iter().enumerate() {
        let is_counter = metric.kind() == MetricKind::Counter;
        rows.check(format!("{metric:?}"), MetricSet::COUNTERS.contains(metric), is_counter);
        rows.check(format!("{metric:?}"), MetricSet::HISTOGRAMS.contains(metric), !is_counter);
        rows.check(format!("{metric:?}"), metric.offset() as usize, place);
    }
}

#[test]
fn only_the_metrics_of_a_set_keep_their_values() {
    let values = Values { requests: Some(1), duration: Some(5), request_bytes: None, response_bytes: Some(0) };
    let rest = values.only(MetricSet::HISTOGRAMS);
    assert_eq!(rest, Values { requests: None, ..values });
    assert_eq!(rest.metrics().iter().collect::<Vec<_>>(), [Metric::Duration, Metric::ResponseBytes]);
    assert_eq!(values.metrics().without(rest.metrics()), MetricSet::COUNTERS);
    assert!(values.only(MetricSet::EMPTY).metrics().is_empty());
}
