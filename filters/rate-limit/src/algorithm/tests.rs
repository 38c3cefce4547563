use super::{Algorithm, Gcra, Quota, Retry, Step, Usage};
use crate::cases;
use crate::clock::{Moment, SECOND};
use crate::testing::{Numbers, gcra, window};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::{Outcome, Rows, Score};

const MINUTE: Algorithm = window(2, 60);

fn agreed(seconds: u64) -> Moment {
    Moment { agreed_nanos: seconds * SECOND, mono_nanos: 0 }
}

fn mono(nanos: u64) -> Moment {
    Moment { agreed_nanos: 0, mono_nanos: nanos }
}

fn taken(step: Step) -> Option<Usage> {
    match step {
        Step::Taken { usage, .. } => Some(usage),
        Step::Refused { .. } => None,
    }
}

#[test]
fn third_party_counters() {
    let Some(table) = cases::table("envoyproxy-ratelimit.yaml") else { return };
    let mut score = Score::new("envoyproxy-ratelimit.yaml counter");
    for row in cases::rows(&table, "counter") {
        score.row(cases::line(&row), || {
            let number = |name: &str| row[name].as_u64().unwrap();
            let limit = u32::try_from(number("limit")).unwrap();
            let rule = window(limit, 1);
            let before = rule.overdraw(Usage::NONE, number("before"), agreed(1234));
            let (code, remaining) = match rule.take(before, number("addend"), agreed(1234)) {
                Step::Taken { quota, .. } => ("OK", quota.remaining),
                Step::Refused { .. } => ("OVER_LIMIT", number("remaining")),
            };
            Outcome::equal((Some(code), remaining), (row["code"].as_str(), number("remaining")))
        });
    }
    score.end();
}

#[test]
fn windows_begin_at_multiples_since_the_epoch() {
    let first = taken(MINUTE.take(Usage::NONE, 1, agreed(119))).unwrap();
    let second = taken(MINUTE.take(first, 1, agreed(119))).unwrap();
    let refused = MINUTE.take(second, 1, agreed(119));
    assert_eq!(
        refused,
        Step::Refused { retry: Retry::After(SECOND), quota: Quota { remaining: 0, reset_nanos: SECOND } }
    );
    let next = MINUTE.take(second, 1, agreed(120));
    assert!(matches!(next, Step::Taken { quota: Quota { remaining: 1, .. }, restarted: true, .. }));
    assert!(MINUTE.is_expired(second, agreed(120)) && !MINUTE.is_expired(second, agreed(119)));
}

#[test]
fn a_late_worker_goes_on_in_the_newest_window() {
    let usage = MINUTE.overdraw(Usage::NONE, 2, agreed(600));
    assert_eq!(taken(MINUTE.take(usage, 1, agreed(540))), None);
    assert_eq!(taken(MINUTE.take(usage, 1, agreed(0))), None);
    assert!(!MINUTE.is_expired(usage, agreed(0)));
    let Step::Refused { retry, .. } = MINUTE.take(usage, 1, agreed(540)) else { panic!() };
    assert_eq!(retry, Retry::After(120 * SECOND));
}

#[test]
fn asking_costs_nothing() {
    let mut rows = Rows::default();
    for rule in [MINUTE, gcra(60, 60, 2)] {
        let usage = taken(rule.take(Usage::NONE, 2, agreed(0))).unwrap();
        rows.check(format!("{rule:?}"), taken(rule.take(usage, 0, agreed(0))), Some(usage));
    }
}

#[test]
fn extremes_refuse_instead_of_wrapping() {
    let never = [window(0, 1), gcra(0, 1, 10), window(u32::MAX, 1), gcra(u32::MAX, 31_536_000, u32::MAX)];
    let mut rows = Rows::default();
    for rule in never {
        for now in [Moment::default(), Moment { agreed_nanos: u64::MAX, mono_nanos: u64::MAX / 2 }] {
            rows.check(format!("{rule:?}"), taken(rule.take(Usage::NONE, u64::MAX, now)), None);
            let full = rule.overdraw(rule.overdraw(Usage::NONE, u64::MAX, now), u64::MAX, now);
            match rule {
                Algorithm::FixedWindow(_) => rows.check(format!("{rule:?}"), taken(rule.take(full, 1, now)), None),
                Algorithm::Gcra(_) => rows.check(format!("{rule:?}: what does not fit is not used"), full, Usage::NONE),
            }
        }
    }
    assert_eq!(taken(never[0].take(Usage::NONE, 1, agreed(5))), None);
    assert_eq!(taken(never[1].take(Usage::NONE, 1, mono(5))), None);
    assert_eq!(Gcra::new(1, 31_536_000, u32::MAX), None);
}

#[test]
fn gcra_lets_no_more_through_where_its_clock_ends() {
    let rule = gcra(1, 1, 3);
    let mut rows = Rows::default();
    for (before_the_end, passes) in
        [(0, 0), (SECOND - 1, 0), (SECOND, 1), (2 * SECOND, 2), (3 * SECOND, 3), (9 * SECOND, 3)]
    {
        let (mut usage, mut passed) = (Usage::NONE, 0);
        while let Some(after) = taken(rule.take(usage, 1, mono(u64::MAX - before_the_end))).filter(|_| passed < 10) {
            usage = after;
            passed += 1;
        }
        rows.check(before_the_end, passed, passes);
    }
}

/// In any interval D at most `burst + rate * D` pass: over all pairs of decision times.
#[test]
fn gcra_keeps_its_promise_over_all_pairs() {
    for (seed, requests, burst) in [(1, 10, 1), (2, 10, 5), (3, 1000, 20), (4, 7, 3)] {
        let rule = gcra(requests, 1, burst);
        let mut numbers = Numbers(seed);
        let mut now = 1_000_000;
        let mut usage = Usage::NONE;
        let mut passed: Vec<(u64, u64)> = Vec::new();
        for _ in 0..2_000 {
            now += numbers.below(3 * SECOND / u64::from(requests));
            let hits = 1 + numbers.below(3);
            if let Some(after) = taken(rule.take(usage, hits, mono(now))) {
                passed.push((now, hits));
                usage = after;
            }
        }
        assert!(passed.len() > 200);
        for (start, (from, _)) in passed.iter().enumerate() {
            let mut sum = 0u128;
            for (to, hits) in &passed[start..] {
                sum += u128::from(*hits);
                let allowed = u128::from(burst) * u128::from(SECOND) + u128::from(requests) * u128::from(to - from);
                assert!(sum * u128::from(SECOND) <= allowed, "{requests}/s burst {burst}: {sum} in {}", to - from);
            }
        }
    }
}

#[test]
fn gcra_says_when_to_come_back() {
    let rule = gcra(10, 1, 2);
    let mut usage = Usage::NONE;
    for left in [1, 0] {
        let Step::Taken { usage: after, quota, .. } = rule.take(usage, 1, mono(0)) else { panic!() };
        assert_eq!(quota.remaining, left);
        usage = after;
    }
    let Step::Refused { retry, .. } = rule.take(usage, 1, mono(0)) else { panic!() };
    assert_eq!(retry, Retry::After(SECOND / 10));
    assert!(taken(rule.take(usage, 1, mono(SECOND / 10))).is_some());
    assert!(taken(rule.take(usage, 1, mono(SECOND / 10 - 1))).is_none());
}

#[test]
fn every_wait_ends() {
    // Limit or burst, hits after all of them were taken, and whether so many ever fit at once.
    let rows = [(2, 1, true), (2, 2, true), (2, 3, false), (0, 1, false), (0, 0, true), (2, u64::MAX, false)];
    let now = Moment { agreed_nanos: 630 * SECOND, mono_nanos: 10 * SECOND };
    let then = |span| Moment { agreed_nanos: now.agreed_nanos + span, mono_nanos: now.mono_nanos + span };
    let mut table = Rows::default();
    for (limit, hits, ever) in rows {
        for rule in [window(limit, 60), gcra(if limit == 0 { 0 } else { 6 }, 60, limit.max(1))] {
            let name = format!("{rule:?} {hits}");
            let Step::Taken { usage, .. } = rule.take(Usage::NONE, u64::from(limit), now) else { panic!("{name}") };
            table.check(&name, rule.admits(hits), ever);
            match rule.take(usage, hits, now) {
                Step::Taken { .. } => table.check(&name, hits, 0),
                Step::Refused { retry: Retry::Never, .. } => table.check(&name, ever, false),
                Step::Refused { retry: Retry::After(retry), .. } => {
                    let fits_after = |span| taken(rule.take(usage, hits, then(span))).is_some();
                    table.check(&name, (ever, retry > 0), (true, true));
                    table.check(
                        format!("{name}, after and before the wait"),
                        (fits_after(retry), fits_after(retry - 1)),
                        (true, false),
                    );
                }
            }
        }
    }
}

#[test]
fn giving_back_undoes_and_never_underflows() {
    let mut rows = Rows::default();
    for rule in [MINUTE, gcra(60, 60, 2)] {
        let now = Moment { agreed_nanos: 600 * SECOND, mono_nanos: 600 * SECOND };
        let one = rule.overdraw(Usage::NONE, 1, now);
        let two = rule.overdraw(one, 1, now);
        rows.check(format!("{rule:?}"), rule.give_back(two, 1), one);
        let none = rule.give_back(one, u64::MAX);
        rows.check(format!("{rule:?}"), rule.is_expired(none, now), true);
    }
}
