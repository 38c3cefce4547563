//! What the index may find each rule by: its positive tests.

use super::{Asked, Running, Test};
use weir_matching::{Alternative, Anchor, Group};

/// For each rule its groups, each alternative reduced to the clauses of positive patterns.
pub(super) fn of(rules: &[Running], tests: &[Test]) -> Vec<Vec<Group>> {
    let alternative = |asked: &[Asked]| -> Alternative {
        let positive = asked.iter().filter(|(_, negated)| !negated);
        let tests = positive.filter_map(|(test, _)| tests.get(usize::try_from(*test).ok()?));
        tests.map(anchors).collect()
    };
    let group =
        |alternatives: &[Box<[Asked]>]| -> Group { alternatives.iter().map(|asked| alternative(asked)).collect() };
    rules.iter().map(|rule| rule.groups.iter().map(|alternatives| group(alternatives)).collect()).collect()
}

fn anchors(test: &Test) -> Vec<Anchor> {
    let patterns = test.any_of.iter();
    patterns.map(|pattern| Anchor { dimension: test.field.0, pattern: pattern.clone() }).collect()
}
