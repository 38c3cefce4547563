use super::*;
use crate::stat_name;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::MetricOp;
use weir_testing::Rows;

/// What Envoy would hold after the operations: name and total of each series, in order of definition.
fn totals(effects: &Effects) -> Vec<(String, u64)> {
    let mut out: Vec<(String, u64)> = Vec::new();
    for op in &effects.metrics {
        match op {
            MetricOp::Define { series, name, .. } => {
                assert_eq!(*series as usize, out.len(), "numbers are dense and each is defined once");
                out.push((name.clone(), 0));
            }
            MetricOp::Add { series, by, .. } => out[*series as usize].1 += by,
            MetricOp::Record { .. } => panic!("no histogram here"),
        }
    }
    out
}

fn count(series: &mut Series<String>, effects: &mut Effects, key: &str) {
    let id = series.get(effects, key, MetricKind::Counter, || stat_name(&[("k", key)], "m"));
    effects.add(id, 1);
}

#[test]
fn series_are_bounded_and_totals_are_exact() {
    let ids = SeriesIds::default();
    let mut effects = Effects::default();
    let mut series = Series::new(&ids, 3, stat_name(&[("k", "other")], "m"));
    for key in ["a", "b", "a", "c", "d", "e", "a", "d"] {
        count(&mut series, &mut effects, key);
    }
    let expected = [("k=.=a;.;m", 3), ("k=.=b;.;m", 1), ("k=.=c;.;m", 1), ("k=.=other;.;m", 3)];
    assert_eq!(totals(&effects), expected.map(|(name, total)| (name.to_owned(), total)));
    assert_eq!((series.len(), series.is_full(), series.overflowed()), (3, true, 3));
    assert_eq!((series.existing("a"), series.existing("d")), (Some(0), None));
}

#[test]
fn a_million_keys_make_no_more_than_the_budget() {
    let ids = SeriesIds::default();
    let mut effects = Effects::default();
    let mut series: Series<u64> = Series::new(&ids, 10, "over".to_owned());
    for key in 0..1_000_000u64 {
        series.get(&mut effects, &key, MetricKind::Counter, || key.to_string());
    }
    assert_eq!((series.len(), ids.allotted(), effects.metrics.len()), (10, 11, 11));
    assert_eq!(series.overflowed(), 999_990);
}

#[test]
fn two_metrics_of_one_owner_never_share_a_number() {
    let ids = SeriesIds::default();
    let mut effects = Effects::default();
    let mut one: Series<String> = Series::new(&ids, 1, "one_over".to_owned());
    let mut two: Series<String> = Series::new(&ids, 1, "two_over".to_owned());
    for key in ["a", "b"] {
        count(&mut one, &mut effects, key);
        count(&mut two, &mut effects, key);
    }
    let names: Vec<String> = totals(&effects).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["k=.=a;.;m", "k=.=a;.;m", "one_over", "two_over"]);
}

#[test]
fn crowded_is_half_rounded_up_and_a_budget_of_none_only_overflows() {
    let mut rows = Rows::default();
    for (budget, used, crowded) in [(0, 0, true), (1, 0, false), (1, 1, true), (5, 2, false), (5, 3, true)] {
        let mut series: Series<u64> = Series::new(&SeriesIds::default(), budget, String::new());
        for key in 0..used {
            series.get(&mut Effects::default(), &key, MetricKind::Gauge, String::new);
        }
        rows.check(format!("{used} of {budget}"), series.is_crowded(), crowded);
    }
}
