use super::{Answer, Decision, Reason, Wait};
use crate::algorithm::Standing;
use crate::table::Outcome;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What a limit said: `taken N`, `exceeded N`, `never`, `full N`, `contended`, `unavailable`, `unlimited`; before it `shadow`.
fn answers(said: &str, deny_full: bool) -> Vec<Answer> {
    let answers = said.split(", ").enumerate().map(|(limit, said)| {
        let (shadow, said) = said.strip_prefix("shadow ").map_or((false, said), |said| (true, said));
        let (word, number) = said.split_once(' ').unwrap_or((said, "0"));
        let number = number.parse().unwrap();
        let standing = |remaining| Standing { remaining, reset: 9 };
        let outcome = match word {
            "taken" => Some(Outcome::Taken { standing: standing(number), receipt: 0 }),
            "exceeded" => Some(Outcome::Exceeded { standing: standing(3), retry: Some(number) }),
            "never" => Some(Outcome::Exceeded { standing: standing(3), retry: None }),
            "full" => Some(Outcome::Full { standing: standing(number), retry: Some(number) }),
            "contended" => Some(Outcome::Contended),
            "unavailable" => Some(Outcome::Unavailable),
            _ => None,
        };
        Answer::new(limit, shadow, outcome, deny_full)
    });
    answers.collect()
}

#[test]
fn the_limit_that_speaks() {
    // What was said, who speaks, and how long to wait if it refuses.
    let rows = [
        ("taken 5", 0, None),
        ("taken 5, taken 2, taken 2", 1, None),
        ("unlimited", 0, None),
        ("unlimited, taken 7", 1, None),
        ("taken 7, shadow exceeded 9", 1, None),
        ("taken 7, shadow unavailable", 0, None),
        ("shadow unavailable", 0, None),
        ("taken 7, exceeded 9", 1, Some(Wait::Nanos(9))),
        ("exceeded 9, exceeded 30", 1, Some(Wait::Nanos(30))),
        ("exceeded 30, exceeded 9", 0, Some(Wait::Nanos(30))),
        ("exceeded 9, exceeded 9", 0, Some(Wait::Nanos(9))),
        ("exceeded 9, never", 1, Some(Wait::Forever)),
        ("never, exceeded 9", 0, Some(Wait::Forever)),
        ("exceeded 9, shadow exceeded 30", 0, Some(Wait::Nanos(9))),
        ("contended, exceeded 9, taken 0", 1, Some(Wait::Nanos(9))),
        ("unavailable, contended", 0, Some(Wait::Unknown)),
        ("taken 0, contended", 1, Some(Wait::Unknown)),
        ("full 4, exceeded 3", 0, Some(Wait::Nanos(4))),
    ];
    for (said, speaker, wait) in rows {
        let answers = answers(said, true);
        let expected = match wait {
            None => Decision::Passes(answers[speaker]),
            Some(wait) => Decision::Refused(answers[speaker], wait),
        };
        assert_eq!(Decision::of(&answers), expected, "{said}");
        assert_eq!(Decision::of(&answers).refuses(), wait.is_some(), "{said}");
    }
    assert_eq!(Decision::of(&[]), Decision::Unasked);
}

#[test]
fn what_is_left_is_told_only_where_it_is_known() {
    // What was said, whether new keys are refused, the hits left.
    let rows = [
        ("taken 5", false, Some(5)),
        ("exceeded 5", false, Some(0)),
        ("never", false, Some(0)),
        ("full 4", false, Some(4)),
        ("full 4", true, None),
        ("contended", false, None),
        ("unavailable", false, None),
        ("unlimited", false, None),
    ];
    for (said, deny_full, left) in rows {
        let [answer] = answers(said, deny_full)[..] else { panic!("{said}") };
        assert_eq!(answer.standing.map(|standing| standing.remaining), left, "{said}");
    }
}

#[test]
fn only_an_excess_is_told_as_one() {
    let words = [Reason::Exceeded, Reason::Full, Reason::Contended, Reason::Unavailable].map(Reason::refusal);
    assert_eq!(words[0], "local_rate_limited");
    for (number, word) in words.iter().enumerate() {
        assert!(!words[..number].contains(word) && !word.contains(['[', ' ']), "{word}");
    }
}
