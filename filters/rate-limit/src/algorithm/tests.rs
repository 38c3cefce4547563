use super::{Algorithm, SECOND, Standing, Step};
use crate::cases;
use crate::clock::Moment;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MINUTE: Algorithm = Algorithm::FixedWindow { seconds: 60, limit: 2 };

fn agreed(seconds: u64) -> Moment {
    Moment { agreed_nanos: seconds * SECOND, mono_nanos: 0 }
}

fn mono(nanos: u64) -> Moment {
    Moment { agreed_nanos: 0, mono_nanos: nanos }
}

fn taken(step: Step) -> Option<u64> {
    match step {
        Step::Taken { state, .. } => Some(state),
        Step::Refused { .. } => None,
    }
}

/// A small generator, so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[test]
fn counters_are_the_services() {
    let Some(table) = cases::table("envoyproxy-ratelimit.yaml") else { return };
    for row in table["counter"].as_sequence().unwrap() {
        let number = |name: &str| row[name].as_u64().unwrap();
        let limit = u32::try_from(number("limit")).unwrap();
        let rule = Algorithm::FixedWindow { seconds: 1, limit };
        let before = rule.force(0, number("before"), agreed(1234));
        match rule.take(before, number("addend"), agreed(1234)) {
            Step::Taken { standing, .. } => {
                assert_eq!(("OK", standing.remaining), (row["code"].as_str().unwrap(), number("remaining")));
            }
            Step::Refused { .. } => assert_eq!(row["code"].as_str(), Some("OVER_LIMIT")),
        }
    }
}

#[test]
fn windows_begin_at_multiples_since_the_epoch() {
    let first = taken(MINUTE.take(0, 1, agreed(119))).unwrap();
    let second = taken(MINUTE.take(first, 1, agreed(119))).unwrap();
    let refused = MINUTE.take(second, 1, agreed(119));
    assert_eq!(refused, Step::Refused { retry: Some(SECOND), standing: Standing { remaining: 0, reset: SECOND } });
    let next = MINUTE.take(second, 1, agreed(120));
    assert!(matches!(next, Step::Taken { standing: Standing { remaining: 1, .. }, anew: true, .. }));
    assert!(MINUTE.is_spent(second, agreed(120)) && !MINUTE.is_spent(second, agreed(119)));
}

#[test]
fn a_late_worker_goes_on_in_the_newest_window() {
    let state = MINUTE.force(0, 2, agreed(600));
    assert_eq!(taken(MINUTE.take(state, 1, agreed(540))), None);
    assert_eq!(taken(MINUTE.take(state, 1, agreed(0))), None);
    assert!(!MINUTE.is_spent(state, agreed(0)));
    let Step::Refused { retry, .. } = MINUTE.take(state, 1, agreed(540)) else { panic!() };
    assert_eq!(retry, Some(120 * SECOND));
}

#[test]
fn asking_costs_nothing() {
    for rule in [MINUTE, Algorithm::gcra(60, 60, 2).unwrap()] {
        let state = taken(rule.take(0, 2, agreed(0))).unwrap();
        assert_eq!(taken(rule.take(state, 0, agreed(0))), Some(state));
    }
}

#[test]
fn extremes_refuse_instead_of_wrapping() {
    let never = [
        Algorithm::FixedWindow { seconds: 1, limit: 0 },
        Algorithm::gcra(0, 1, 10).unwrap(),
        Algorithm::FixedWindow { seconds: 1, limit: u32::MAX },
        Algorithm::gcra(u32::MAX, 31_536_000, u32::MAX).unwrap(),
    ];
    for rule in never {
        for now in [Moment::default(), Moment { agreed_nanos: u64::MAX, mono_nanos: u64::MAX / 2 }] {
            assert_eq!(taken(rule.take(0, u64::MAX, now)), None, "{rule:?}");
            let full = rule.force(rule.force(0, u64::MAX, now), u64::MAX, now);
            match rule {
                Algorithm::FixedWindow { .. } => assert_eq!(taken(rule.take(full, 1, now)), None, "{rule:?}"),
                Algorithm::Gcra { .. } => assert_eq!(full, 0, "what does not fit is no debt"),
            }
        }
    }
    assert_eq!(taken(never[0].take(0, 1, agreed(5))), None);
    assert_eq!(taken(never[1].take(0, 1, mono(5))), None);
    assert_eq!(Algorithm::gcra(1, 31_536_000, u32::MAX), None);
}

/// In any interval D at most `burst + rate * D` pass: over all pairs of decision times.
#[test]
fn gcra_keeps_its_promise_over_all_pairs() {
    for (seed, requests, burst) in [(1, 10, 1), (2, 10, 5), (3, 1000, 20), (4, 7, 3)] {
        let rule = Algorithm::gcra(requests, 1, burst).unwrap();
        let mut numbers = Numbers(seed);
        let mut now = 1_000_000;
        let mut state = 0;
        let mut passed: Vec<(u64, u64)> = Vec::new();
        for _ in 0..2_000 {
            now += numbers.below(3 * SECOND / u64::from(requests));
            let hits = 1 + numbers.below(3);
            if let Some(after) = taken(rule.take(state, hits, mono(now))) {
                passed.push((now, hits));
                state = after;
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
    let rule = Algorithm::gcra(10, 1, 2).unwrap();
    let mut state = 0;
    for left in [1, 0] {
        let Step::Taken { state: after, standing, .. } = rule.take(state, 1, mono(0)) else { panic!() };
        assert_eq!(standing.remaining, left);
        state = after;
    }
    let Step::Refused { retry, .. } = rule.take(state, 1, mono(0)) else { panic!() };
    assert_eq!(retry, Some(SECOND / 10));
    let retry = retry.unwrap();
    assert!(taken(rule.take(state, 1, mono(retry))).is_some());
    assert!(taken(rule.take(state, 1, mono(retry - 1))).is_none());
}

#[test]
fn no_wait_is_told_that_would_not_end() {
    // Limit or burst, hits, and whether they ever fit.
    for (limit, hits, ever) in
        [(2, 1, true), (2, 2, true), (2, 3, false), (0, 1, false), (0, 0, true), (2, u64::MAX, false)]
    {
        for rule in [
            Algorithm::FixedWindow { seconds: 60, limit },
            Algorithm::gcra(if limit == 0 { 0 } else { 6 }, 60, limit.max(1)).unwrap(),
        ] {
            let now = Moment { agreed_nanos: 630 * SECOND, mono_nanos: 10 * SECOND };
            let Step::Taken { state, .. } = rule.take(0, u64::from(limit), now) else { panic!("{rule:?}") };
            assert_eq!(rule.admits(hits), ever, "{rule:?} {hits}");
            match rule.take(state, hits, now) {
                Step::Taken { .. } => assert_eq!(hits, 0),
                Step::Refused { retry: None, .. } => assert!(!ever, "{rule:?} {hits}"),
                Step::Refused { retry: Some(retry), .. } => {
                    assert!(ever && retry > 0, "{rule:?} {hits}");
                    let then =
                        |span| Moment { agreed_nanos: now.agreed_nanos + span, mono_nanos: now.mono_nanos + span };
                    assert!(taken(rule.take(state, hits, then(retry))).is_some(), "{rule:?} {hits}: it is kept");
                    assert!(taken(rule.take(state, hits, then(retry - 1))).is_none(), "{rule:?} {hits}: it is exact");
                }
            }
        }
    }
}

#[test]
fn giving_back_undoes_and_never_underflows() {
    for rule in [MINUTE, Algorithm::gcra(60, 60, 2).unwrap()] {
        let now = Moment { agreed_nanos: 600 * SECOND, mono_nanos: 600 * SECOND };
        let one = rule.force(0, 1, now);
        let two = rule.force(one, 1, now);
        assert_eq!(rule.give_back(two, 1), one);
        let none = rule.give_back(one, u64::MAX);
        assert!(rule.is_spent(none, now));
    }
}
