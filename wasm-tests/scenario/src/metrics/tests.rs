//! Reading Prometheus text and stat names.

use super::{Metrics, Sample, Value};

#[test]
fn reads_counters_and_histograms() {
    let text = r#"# TYPE istio_requests_total counter
istio_requests_total{reporter="source",path="a\"b\\c"} 3
plain 2.5
# TYPE d histogram
d_bucket{x="1",le="0.5"} 1
d_bucket{x="1",le="+Inf"} 2
d_sum{x="1"} 12.5
d_count{x="1"} 2
# TYPE requests_count counter
requests_count{} 9
broken{a="b
"#;
    let Metrics(samples) = Metrics::parse(text);
    let find = |name: &str| samples.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(samples.len(), 4);
    assert_eq!(find("istio_requests_total").value, Value::Number(3.0));
    assert_eq!(find("istio_requests_total").labels["path"], r#"a"b\c"#);
    assert_eq!(find("plain").value, Value::Number(2.5));
    assert_eq!(find("requests_count").value, Value::Number(9.0));
    assert_eq!(find("d").value, Value::Histogram { count: 2, sum: 12.5 });
    assert_eq!(find("d").labels.len(), 1);
}

#[test]
fn reads_stat_names() {
    let stat = "wasmcustom.reporter=.=destination;.;code=.=200;.;empty=.=;.;istio_requests_total";
    let sample = Sample::from_stat(stat, Value::Number(1.0));
    assert_eq!(sample.name, "istio_requests_total");
    assert_eq!(sample.labels["code"], "200");
    assert_eq!(sample.labels["empty"], "");
    assert_eq!(sample.labels.len(), 3);
}
