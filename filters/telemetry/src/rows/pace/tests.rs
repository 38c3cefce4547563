use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn spent(nanos: u64) -> Spent {
    Spent { total: nanos, slowest: nanos }
}

/// Lets one slow definition after another happen as soon as the pace allows, and says when each was, in milliseconds.
fn slow_definitions(pace: &mut Pace, nanos: u64, count: usize) -> Vec<u64> {
    let mut out = Vec::new();
    for tick in 0.. {
        while pace.room() > 0 && out.len() < count {
            pace.spent(spent(nanos));
            out.push(tick * 50);
        }
        if out.len() == count {
            return out;
        }
        pace.tick((tick + 1) * 50_000_000);
    }
    out
}

#[test]
fn one_slow_definition_a_tick_and_after_the_burst_rests_in_proportion() {
    let mut pace = Pace::new(1);
    let burst = slow_definitions(&mut pace, 2_500_000, 10);
    assert_eq!(burst, (0..10).map(|tick| tick * 50).collect::<Vec<_>>());
    let later = slow_definitions(&mut pace, 2_500_000, 4);
    assert!(later.windows(2).all(|pair| pair[1] - pair[0] >= 400), "two milliseconds too many, times 200: {later:?}");
    let mut pace = Pace::new(4);
    slow_definitions(&mut pace, 2_500_000, 10);
    let later = slow_definitions(&mut pace, 2_500_000, 16);
    assert!(later.windows(5).all(|five| five[4] - five[0] >= 400), "four times as many: {later:?}");
}

#[test]
fn quick_definitions_are_bounded_by_time_alone() {
    let mut pace = Pace::new(1);
    let mut count = 0;
    while pace.room() > 0 {
        let batch = pace.room().min(5);
        pace.spent(Spent { total: 20_000 * batch as u64, slowest: 20_000 });
        count += batch;
    }
    assert!((100..100 + BATCH).contains(&count), "two milliseconds: {count}");
    assert!(!pace.rested());
    pace.tick(50_000_000);
    assert!(pace.rested() && pace.room() == BATCH);
}

#[test]
fn where_there_is_no_clock_nothing_is_slow() {
    let mut pace = Pace::new(1);
    for _ in 0..1000 {
        assert!(pace.room() > 0);
        pace.spent(Spent::default());
    }
    assert!(pace.rested());
}
