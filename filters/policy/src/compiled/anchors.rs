//! What the index finds each rule by: its anchors.
//!
//! If in one part of a rule every item has a positive condition, the rule cannot match unless one of the patterns of those
//! conditions is hit. The rule is *anchored* under them, in the part where the fewest other rules are. A rule without such
//! a part is a candidate of every request. And if a part is a single item, the rule cannot match once a pattern is hit that
//! a negated condition of that item names.

use super::dimension::Dimensions;
use super::rule::{CompiledRule, Condition, Rules};
use weir_matching::{Patterns, RuleIndex, RuleKeys};

/// The key for rules that may match because a dimension is unknown.
pub(super) fn unknown_key(patterns: &Patterns, dimension: u16) -> u32 {
    u32::try_from(patterns.len()).unwrap_or(u32::MAX).saturating_add(dimension.into())
}

/// The index over all rules.
pub(super) fn index(rules: &Rules, patterns: &Patterns, dimensions: &Dimensions) -> RuleIndex {
    let costs = Costs::of(rules, patterns);
    let mut keys =
        RuleKeys { rules: rules.len(), keys: patterns.len() + dimensions.named_by_field(), ..RuleKeys::default() };
    for (rule, number) in rules.iter().zip(0u32..) {
        let anchors = costs.anchors(rule);
        if anchors.is_empty() {
            keys.always.push(number);
        }
        for condition in anchors {
            if dimensions.fail_closed(condition.dimension).is_some() {
                keys.posted.add(unknown_key(patterns, condition.dimension), number);
            }
            rules.values(condition).iter().for_each(|value| keys.posted.add(*value, number));
        }
        for mut part in rules.parts(rule) {
            if let (Some(item), None) = (part.next(), part.next()) {
                let excluding = item.iter().filter(|condition| condition.negated);
                excluding.flat_map(|condition| rules.values(condition)).for_each(|value| {
                    keys.excluded.add(*value, number);
                });
            }
        }
    }
    RuleIndex::new(keys)
}

/// How many rules share each pattern.
struct Costs<'r> {
    rules: &'r Rules,
    /// By pattern number: how many positive conditions name it.
    named: Vec<u32>,
    patterns: &'r Patterns,
}

/// What every request has is worse an anchor than anything else.
const PRESENCE: u32 = 1 << 20;

impl<'r> Costs<'r> {
    fn of(rules: &'r Rules, patterns: &'r Patterns) -> Self {
        let mut named = vec![0u32; patterns.len()];
        for rule in rules.iter() {
            for condition in rules.parts(rule).flatten().flatten().filter(|condition| !condition.negated) {
                for value in rules.values(condition) {
                    if let Some(named) = usize::try_from(*value).ok().and_then(|value| named.get_mut(value)) {
                        *named = named.saturating_add(1);
                    }
                }
            }
        }
        Self { rules, named, patterns }
    }

    /// The conditions that anchor a rule; none if no part can.
    fn anchors(&self, rule: &CompiledRule) -> Vec<&'r Condition> {
        let parts = self.rules.parts(rule).filter_map(|part| {
            let cheapest: Option<Vec<(u32, &Condition)>> = part.map(|item| self.cheapest(item)).collect();
            let cheapest = cheapest.filter(|chosen| !chosen.is_empty())?;
            let cost = cheapest.iter().fold(0u32, |sum, (cost, _)| sum.saturating_add(*cost));
            Some((cost, cheapest))
        });
        let best = parts.min_by_key(|(cost, _)| *cost);
        best.map(|(_, chosen)| chosen.into_iter().map(|(_, condition)| condition).collect()).unwrap_or_default()
    }

    /// The positive condition of an item that leads to the fewest rules, and how many.
    fn cheapest(&self, item: &'r [Condition]) -> Option<(u32, &'r Condition)> {
        let positive = item.iter().filter(|condition| !condition.negated);
        positive.map(|condition| (self.cost(condition), condition)).min_by_key(|(cost, _)| *cost)
    }

    fn cost(&self, condition: &Condition) -> u32 {
        let (present, any) = (self.patterns.present(condition.dimension), self.patterns.any(condition.dimension));
        self.rules.values(condition).iter().fold(0u32, |sum, value| {
            let named = usize::try_from(*value).ok().and_then(|value| self.named.get(value)).copied().unwrap_or(1);
            let presence = if Some(*value) == present || Some(*value) == any { PRESENCE } else { 0 };
            sum.saturating_add(named).saturating_add(presence)
        })
    }
}

#[cfg(test)]
mod tests;
