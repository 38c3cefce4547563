//! What the index finds each rule by: its anchors.
//!
//! If in one part of a rule every item has a positive condition, the rule cannot match unless one of the patterns of those
//! conditions is hit. The rule is *anchored* under them, in the part where the fewest other rules are. A rule without such
//! a part is a candidate of every request.
//!
//! If a part is a single item, the rule cannot match once a pattern is hit that a negated condition of that item names, nor
//! unless a pattern is hit of each positive one. Where many rules share such a condition, all of them are left out at once.
//!
//! Expressions lead to no rule: what they come to is not known before a rule asks for it.

use super::dimension::Dimensions;
use super::rule::{CompiledRule, Condition, Rules};
use weir_matching::{Names, Patterns, RuleIndex, RuleKeys};

/// The key for rules that may match because a dimension is unknown.
pub(super) fn unknown_key(patterns: &Patterns, dimension: u16) -> u32 {
    u32::try_from(patterns.len()).unwrap_or(u32::MAX).saturating_add(dimension.into())
}

/// A positive condition that many rules need, and the key that leaves those rules out where it does not hold.
pub(crate) type Needed = (u32, Condition);

/// The index over all rules, and what many of them need.
#[inline(never)]
pub(super) fn index(rules: &Rules, patterns: &Patterns, dimensions: &Dimensions) -> (RuleIndex, Box<[Needed]>) {
    let costs = Costs::of(rules, patterns, dimensions);
    let first_needed = patterns.len() + dimensions.named_by_field();
    let mut keys = RuleKeys { rules: rules.len(), keys: first_needed, ..RuleKeys::default() };
    let mut conditions = Names::default();
    let mut needed: Vec<Needed> = Vec::new();
    for (rule, number) in rules.iter().zip(0u32..) {
        let anchors = costs.anchors(rule);
        if anchors.is_empty() {
            keys.always.push(number);
        }
        for condition in &anchors {
            if dimensions.fail_closed(condition.dimension).is_some() {
                keys.posted.add(unknown_key(patterns, condition.dimension), number);
            }
            rules.values(condition).iter().for_each(|value| keys.posted.add(*value, number));
        }
        for condition in single_items(rules, rule).filter(|condition| !is_expression(dimensions, condition)) {
            let values = rules.values(condition);
            if condition.negated {
                values.iter().for_each(|value| keys.excluded.add(*value, number));
            } else if !anchors.contains(&condition) {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                let place = conditions.intern(&bytes);
                let key = u32::try_from(first_needed).unwrap_or(u32::MAX).saturating_add(place);
                if usize::try_from(place) == Ok(needed.len()) {
                    needed.push((key, *condition));
                }
                keys.excluded.add(key, number);
            }
        }
    }
    let index = RuleIndex::new(keys);
    needed.retain(|(key, _)| index.excludes(*key));
    (index, needed.into())
}

/// The conditions of those parts of a rule that are a single item.
fn single_items<'r>(rules: &'r Rules, rule: &CompiledRule) -> impl Iterator<Item = &'r Condition> {
    rules.parts(rule).filter(|part| part.len() == 1).flatten().flatten()
}

fn is_expression(dimensions: &Dimensions, condition: &Condition) -> bool {
    dimensions.expression(condition.dimension).is_some()
}

/// How many rules share each pattern.
struct Costs<'r> {
    rules: &'r Rules,
    /// By pattern number: how many positive conditions name it.
    named: Vec<u32>,
    patterns: &'r Patterns,
    dimensions: &'r Dimensions,
}

/// What every request has is worse an anchor than anything else.
const PRESENCE: u32 = 1 << 20;

impl<'r> Costs<'r> {
    fn of(rules: &'r Rules, patterns: &'r Patterns, dimensions: &'r Dimensions) -> Self {
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
        Self { rules, named, patterns, dimensions }
    }

    /// The conditions that anchor a rule; none if no part can.
    #[inline(never)]
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
        let positive = item.iter().filter(|condition| !condition.negated && !is_expression(self.dimensions, condition));
        positive.map(|condition| (self.cost(condition), condition)).min_by_key(|(cost, _)| *cost)
    }

    #[inline(never)]
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
