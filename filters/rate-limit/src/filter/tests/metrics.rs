//! What the filter counts.

use super::{PER_USER, ask, filter, now};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{MemoryCells, MetricOp};

#[test]
fn counters_add_up_to_the_requests() {
    let mut filter = filter(PER_USER);
    let mut cells = MemoryCells::default();
    let mut names = std::collections::BTreeMap::new();
    let mut sums = std::collections::BTreeMap::<String, u64>::new();
    for user in ["ann", "ann", "ann", "bob"] {
        for op in ask(&mut filter, &mut cells, user, now(0)).effects.metrics {
            match op {
                MetricOp::Define { series, name, .. } => assert_eq!(names.insert(series, name), None),
                MetricOp::Add { series, by, .. } => *sums.entry(names[&series].clone()).or_default() += by,
                MetricOp::Record { .. } => panic!("{op:?}"),
            }
        }
    }
    let expected = [
        ("weir_plugin=.=edge;.;decision=.=ok;.;mode=.=enforced;.;weir_ratelimit_requests_total", 3),
        ("weir_plugin=.=edge;.;decision=.=over_limit;.;mode=.=enforced;.;weir_ratelimit_requests_total", 1),
        (
            "weir_plugin=.=edge;.;limit=.=per user;.;decision=.=ok;.;mode=.=enforced;.;reason=.=within;.;weir_ratelimit_decisions_total",
            3,
        ),
        (
            "weir_plugin=.=edge;.;limit=.=per user;.;decision=.=over_limit;.;mode=.=enforced;.;reason=.=exceeded;.;weir_ratelimit_decisions_total",
            1,
        ),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(sums, expected.into_iter().collect());
}
