use super::{Decision, LimitDecision, OnFull};
use crate::algorithm::{Quota, Retry};
use crate::table::Outcome;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

/// Decisions by the outcomes of limits: `taken N`, `exceeded N`, `never`, `full N`, `contended`, `unavailable`, `unlimited`; before it `shadow`.
fn decisions(text: &str, on_full: OnFull) -> Vec<LimitDecision> {
    let decisions = text.split(", ").enumerate().map(|(limit, text)| {
        let (shadow, text) = text.strip_prefix("shadow ").map_or((false, text), |text| (true, text));
        let (word, number) = text.split_once(' ').unwrap_or((text, "0"));
        let number = number.parse().unwrap();
        let quota = |remaining| Quota { remaining, reset_nanos: 9 };
        let outcome = match word {
            "taken" => Some(Outcome::Taken { quota: quota(number), receipt: None }),
            "exceeded" => Some(Outcome::Exceeded { quota: quota(3), retry: Retry::After(number) }),
            "never" => Some(Outcome::Exceeded { quota: quota(3), retry: Retry::Never }),
            "full" => Some(Outcome::Full { quota: quota(number), retry: Retry::After(number) }),
            "contended" => Some(Outcome::Contended),
            "unavailable" => Some(Outcome::Unavailable),
            _ => None,
        };
        LimitDecision::new(limit, shadow, outcome, on_full)
    });
    decisions.collect()
}

#[test]
fn one_limit_stands_for_all() {
    // What the limits came to, the one that stands for all, and if it refuses, when the hits fit.
    let rows = [
        ("taken 5", 0, None),
        ("taken 5, taken 2, taken 2", 1, None),
        ("unlimited", 0, None),
        ("unlimited, taken 7", 1, None),
        ("taken 7, shadow exceeded 9", 1, None),
        ("taken 7, shadow unavailable", 0, None),
        ("shadow unavailable", 0, None),
        ("taken 7, exceeded 9", 1, Some(Some(Retry::After(9)))),
        ("exceeded 9, exceeded 30", 1, Some(Some(Retry::After(30)))),
        ("exceeded 30, exceeded 9", 0, Some(Some(Retry::After(30)))),
        ("exceeded 9, exceeded 9", 0, Some(Some(Retry::After(9)))),
        ("exceeded 9, never", 1, Some(Some(Retry::Never))),
        ("never, exceeded 9", 0, Some(Some(Retry::Never))),
        ("exceeded 9, shadow exceeded 30", 0, Some(Some(Retry::After(9)))),
        ("contended, exceeded 9, taken 0", 1, Some(Some(Retry::After(9)))),
        ("unavailable, contended", 0, Some(None)),
        ("taken 0, contended", 1, Some(None)),
        ("full 4, exceeded 3", 0, Some(Some(Retry::After(4)))),
    ];
    let mut table = Rows::default();
    for (text, limit, refusal) in rows {
        let decisions = decisions(text, OnFull::Deny);
        let found = match Decision::of(&decisions) {
            Decision::NoLimit => None,
            Decision::Allowed(by) => Some((by, None)),
            Decision::Refused(by, refusal) => Some((by, Some(refusal.retry))),
        };
        table.check(text, found, Some((decisions[limit], refusal)));
        table.check(text, Decision::of(&decisions).refuses(), refusal.is_some());
    }
    assert_eq!(Decision::of(&[]), Decision::NoLimit);
}

#[test]
fn every_outcome_has_its_label_its_refusal_and_its_quota() {
    use OnFull::{Allow, Deny};
    // The outcome, what a full set means, the label, the body of the refusal, and the hits left.
    let rows = [
        ("taken 5", Allow, "within", None, Some(5)),
        ("exceeded 5", Allow, "exceeded", Some("local_rate_limited"), Some(0)),
        ("never", Allow, "exceeded", Some("local_rate_limited"), Some(0)),
        ("full 4", Allow, "full", None, Some(4)),
        ("full 4", Deny, "full", Some("local_rate_limit_full"), None),
        ("contended", Allow, "contended", Some("local_rate_limit_contended"), None),
        ("unavailable", Allow, "unavailable", Some("local_rate_limit_unavailable"), None),
        ("unlimited", Allow, "unlimited", None, None),
    ];
    let mut table = Rows::default();
    for (text, on_full, label, body, left) in rows {
        let [found] = decisions(text, on_full)[..] else { panic!("{text}") };
        let LimitDecision { reason, quota, refusal, .. } = found;
        let found = (reason.word(), refusal.map(|refusal| refusal.body), quota.map(|quota| quota.remaining));
        table.check(format!("{text} {on_full:?}"), found, (label, body, left));
    }
}
