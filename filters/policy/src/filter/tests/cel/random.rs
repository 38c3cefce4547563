//! Random policies with expressions, beside an evaluator that asks for all of them.

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let end = u64::try_from(end).unwrap();
        usize::try_from((self.0 >> 16) % end).unwrap()
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn rules(&mut self) -> String {
        let word = |random: &mut Self| match random.below(4) {
            0 => random.pick(&["/a", "/b"]).to_owned(),
            1 => format!("!{}", random.pick(&["t1", "f1", "e1", "f1|e2", "t2|f2"])),
            _ => random.pick(&["t1", "t2", "f1", "f2", "e1", "e2", "f1|t1", "e1|f2", "f1|f2"]).to_owned(),
        };
        let rule = |random: &mut Self| {
            let words: Vec<String> = (0..1 + random.below(3)).map(|_| word(random)).collect();
            words.join(" ")
        };
        let rules: Vec<String> = (0..1 + self.below(4)).map(|_| rule(self)).collect();
        rules.join(",")
    }
}

/// What a word comes to for the path `/a`: `None` if that is not known.
fn holds(word: &str, expression: impl Fn(&str) -> Option<bool>) -> Option<bool> {
    let any = |list: &str| {
        let outcomes: Vec<Option<bool>> = list.split('|').map(&expression).collect();
        if outcomes.contains(&Some(true)) {
            Some(true)
        } else if outcomes.contains(&None) {
            None
        } else {
            Some(false)
        }
    };
    match (word.strip_prefix('/'), word.strip_prefix('!')) {
        (Some(path), _) => Some(path == "a"),
        (_, Some(not)) => any(not).map(|holds| !holds),
        _ => any(word),
    }
}

fn matches(rule: &str, expression: impl Fn(&str) -> Option<bool> + Copy) -> Option<bool> {
    let outcomes: Vec<Option<bool>> = rule.split_whitespace().map(|word| holds(word, expression)).collect();
    if outcomes.contains(&Some(false)) {
        Some(false)
    } else if outcomes.contains(&None) {
        None
    } else {
        Some(true)
    }
}

/// Whether policies allow, by expressions that come to that; `None` if that is not known.
fn allows(given: &[(&str, String)], expression: impl Fn(&str) -> Option<bool> + Copy) -> Option<bool> {
    let of = |wanted: &str| {
        let mut policies = given.iter().filter(|(action, _)| *action == wanted).peekable();
        policies.peek()?;
        let outcomes: Vec<Option<bool>> =
            policies.flat_map(|(_, rules)| rules.split(',')).map(|rule| matches(rule, expression)).collect();
        Some(outcomes)
    };
    let found =
        |outcomes: &Option<Vec<Option<bool>>>, wanted| outcomes.as_ref().is_some_and(|all| all.contains(&wanted));
    let (denies, allowing) = (of("DENY"), of("ALLOW"));
    if found(&denies, Some(true)) {
        return Some(false);
    }
    let passes = allowing.is_none() || found(&allowing, Some(true));
    match (passes, found(&allowing, None), found(&denies, None)) {
        (true, _, false) => Some(true),
        (false, false, _) => Some(false),
        _ => None,
    }
}

fn value(text: &str) -> Option<bool> {
    match text.as_bytes().first() {
        Some(b't') => Some(true),
        Some(b'f') => Some(false),
        _ => None,
    }
}

#[test]
fn random_policies_decide_as_if_all_was_evaluated_and_ask_for_no_more_than_they_need() {
    let mut random = Random(0x5eed_ce11);
    let (mut rows, mut open, mut asking) = (Rows::default(), 0, 0);
    for _ in 0..1_000 {
        let given: Vec<(&str, String)> =
            (0..1 + random.below(3)).map(|_| (random.pick(&["DENY", "ALLOW"]), random.rules())).collect();
        let borrowed: Vec<(&str, &str)> = given.iter().map(|(action, rules)| (*action, &**rules)).collect();
        let (outcome, asked, failed) = decided(&mut policies("", &borrowed), "/a");
        let asked: Vec<&str> = asked.split_whitespace().collect();
        // What fails refuses.
        let expected = allows(&given, value).unwrap_or(false);
        rows.check(format!("{given:?} {outcome}"), outcome.starts_with("allow"), expected);
        let mut once = asked.clone();
        once.sort_unstable();
        once.dedup();
        rows.check(format!("{given:?} asked once"), once.len(), asked.len());
        // Where the paths settle it, nothing is asked; where they do not, something is.
        let settled = allows(&given, |_| None);
        rows.check(format!("{given:?} {asked:?}"), asked.is_empty() || settled.is_none(), true);
        if settled.is_none() {
            open += 1;
            rows.check(format!("{given:?} not asked"), asked.is_empty(), false);
        }
        // Of a rule that a path rules out nothing is asked.
        let asked_for = |text: &&str| {
            let mut rules = given.iter().flat_map(|(_, rules)| rules.split(','));
            rules.any(|rule| rule.contains(*text) && matches(rule, |_| None) != Some(false))
        };
        rows.check(format!("{given:?} {asked:?} needed"), asked.iter().all(asked_for), true);
        let failures: usize = failed.split(' ').filter_map(|one| one.split_once('=')?.1.parse::<usize>().ok()).sum();
        rows.check(format!("{given:?} failures"), failures, asked.iter().filter(|text| text.starts_with('e')).count());
        asking += usize::from(!asked.is_empty());
    }
    assert!(open > 250 && asking > 250, "the generator makes too few policies that ask: {open} {asking}");
}
