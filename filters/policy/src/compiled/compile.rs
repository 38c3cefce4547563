//! From objects to rules in order, with shared patterns and an index.

use super::dimension::Dimensions;
use super::rule::{Condition, Rules, Values};
use super::{Compiled, Enforcement, Expressions, Section, anchors};
use crate::config::object::{Action, Clause, Field, Object, Rule};
use crate::config::workload::Workload;
use std::cmp::Ordering;
use weir_matching::{Names, Patterns};
use weir_model::Attribute;

/// A rule and the section that it belongs to.
struct SectionRule {
    section: Section,
    policy: u32,
    index: u32,
    /// [`index_as_text`] of the index.
    index_as_text: u64,
    rule: Rule,
}

impl SectionRule {
    fn new(section: Section, policy: u32, index: u32, rule: Rule) -> Self {
        Self { section, policy, index, index_as_text: index_as_text(index), rule }
    }
}

/// Where rules stand among those of a section: Envoy keeps them in a map sorted by their names, as text, and reports the
/// first that matches. A name is `ns[NAMESPACE]-policy[NAME]-rule[INDEX]`.
struct Order {
    /// The names up to the index, by policy.
    names: Vec<String>,
}

impl Order {
    fn compare(&self, a: &SectionRule, b: &SectionRule) -> Ordering {
        let by_index = || a.index_as_text.cmp(&b.index_as_text);
        let by_name = || match [a, b].map(|rule| self.name(rule.policy)) {
            _ if a.policy == b.policy => by_index(),
            [one, other] if one == other => by_index(),
            // Only in names that Kubernetes would refuse.
            [one, other] if one.starts_with(other) || other.starts_with(one) => {
                format!("{one}{}]", a.index).cmp(&format!("{other}{}]", b.index))
            }
            [one, other] => one.cmp(other),
        };
        a.section.cmp(&b.section).then_with(by_name)
    }

    fn name(&self, policy: u32) -> &str {
        usize::try_from(policy).ok().and_then(|policy| self.names.get(policy)).map_or("", String::as_str)
    }
}

/// The indices below `count` in the order of their text, each with the bracket after it.
fn in_text_order(count: u32) -> impl Iterator<Item = u32> {
    // The numbers that begin with another one are before it.
    let first = move |mut index: u32| {
        while let Some(longer) = index.checked_mul(10).filter(|longer| index > 0 && *longer < count) {
            index = longer;
        }
        index
    };
    let next = move |index: &u32| match index {
        0 if count > 1 => Some(first(1)),
        index if index % 10 != 9 && *index > 0 && index + 1 < count => Some(first(index + 1)),
        index => Some(index / 10).filter(|shorter| *shorter > 0),
    };
    std::iter::successors((count > 0).then_some(0), next)
}

/// The rules of a policy in that order.
#[inline(never)]
fn sorted(rules: Vec<Rule>) -> Vec<Rule> {
    let count = rules.iter().map(|rule| rule.index.saturating_add(1)).max().unwrap_or(0);
    // Rules that were left out are few.
    if count <= 10 || usize::try_from(count).is_ok_and(|count| count > rules.len() * 2) {
        return rules;
    }
    let mut slots: Vec<Option<Rule>> = Vec::new();
    slots.resize_with(usize::try_from(count).unwrap_or(0), || None);
    for rule in rules {
        if let Some(slot) = usize::try_from(rule.index).ok().and_then(|index| slots.get_mut(index)) {
            *slot = Some(rule);
        }
    }
    let indices = in_text_order(count).filter_map(|index| usize::try_from(index).ok());
    indices.filter_map(|index| slots.get_mut(index)?.take()).collect()
}

/// A number that is the greater the later an index and the bracket after it come as text: `10]` is before `1]`.
fn index_as_text(index: u32) -> u64 {
    const BASE: u64 = 11;
    const BRACKET: u64 = 10;
    let digits = index.checked_ilog10().unwrap_or(0) + 1;
    let digit = |place: u32| u64::from(index / 10u32.pow(place) % 10);
    let text = (0..digits).rev().fold(0, |text, place| text * BASE + digit(place));
    // All are as long as the longest, with its bracket.
    (text * BASE + BRACKET) * BASE.pow(u32::MAX.ilog10() + 1 - digits)
}

/// Compiles the objects that apply to `workload`.
#[inline(never)]
pub(crate) fn compile(objects: Vec<Object>, workload: &Workload) -> Compiled {
    let direct_address = workload.direct_address.clone().map(Attribute::FilterState);
    let (dimensions, fields) = Dimensions::new(objects.iter(), direct_address.as_ref(), workload.path_parameters);
    let mut sections: Vec<Section> = objects.iter().map(Section::of).collect();
    weir_matching::sort(&mut sections);
    sections.dedup();
    let mut policies: Vec<(Box<str>, Box<str>)> = Vec::with_capacity(objects.len());
    let mut shadow: Vec<(u32, Action)> = Vec::new();
    let mut order = Order { names: Vec::with_capacity(objects.len()) };
    let rules_in_all = objects.iter().map(|object| object.rules.len()).sum();
    let mut numbered: Vec<(u32, Section, Vec<Rule>)> = Vec::with_capacity(objects.len());
    for (object, policy) in objects.into_iter().zip(0u32..) {
        let section = Section::of(&object);
        let Object { namespace, name, rules, .. } = object;
        if section.enforcement == Enforcement::DryRun {
            shadow.push((policy, section.action));
        }
        order.names.push(format!("ns[{namespace}]-policy[{name}]-rule["));
        policies.push((namespace.into(), name.into()));
        numbered.push((policy, section, rules));
    }
    weir_matching::sort_by(&mut numbered, |(a, section, _), (b, other, _)| {
        section.cmp(other).then_with(|| order.name(*a).cmp(order.name(*b)))
    });
    let mut ordered: Vec<SectionRule> = Vec::with_capacity(rules_in_all);
    for (policy, section, rules) in numbered {
        let rules = sorted(rules).into_iter().filter(|rule| !rule.is_skipped);
        ordered.extend(rules.map(|rule| SectionRule::new(section, policy, rule.index, rule)));
    }
    // They are in order, unless names are such as Kubernetes would refuse.
    weir_matching::sort_by(&mut ordered, |a, b| order.compare(a, b));

    let mut builder = Builder {
        patterns: Patterns::new(dimensions.len()),
        dimensions,
        fields,
        rules: Rules::default(),
        lists: Names::default(),
        list_values: Vec::new(),
        bytes: Vec::new(),
    };
    for SectionRule { section, policy, index, rule, .. } in ordered {
        builder.push(policy, index, rule);
        let count = u32::try_from(builder.rules.len()).unwrap_or(u32::MAX);
        let is_now_or_later =
            |later: &&mut Section| (later.enforcement, later.action) >= (section.enforcement, section.action);
        sections.iter_mut().filter(is_now_or_later).for_each(|section| section.end = count);
    }
    let Builder { mut patterns, dimensions, fields, mut rules, .. } = builder;
    patterns.finish();
    rules.finish();
    let (index, needed) = anchors::index(&rules, &patterns, &dimensions);
    let expressions = Expressions::new(fields, &rules, &patterns, &dimensions);
    Compiled {
        policies: policies.into(),
        sections: sections.into(),
        shadow: shadow.into(),
        rules,
        dimensions,
        patterns,
        index,
        expressions,
        needed,
        peer_uri_sans: workload.peer_uri_sans.clone().map(Attribute::FilterState),
        path_parameters: workload.path_parameters,
    }
}

/// Rules and patterns while they grow.
struct Builder {
    patterns: Patterns,
    dimensions: Dimensions,
    /// The fields without names of their own, by the numbers of their dimensions.
    fields: Vec<Field>,
    rules: Rules,
    /// Lists of values as bytes, and what each became.
    lists: Names,
    list_values: Vec<Values>,
    bytes: Vec<u8>,
}

impl Builder {
    #[inline(never)]
    fn push(&mut self, policy: u32, index: u32, rule: Rule) {
        for part in rule.all_of {
            for item in part {
                for clause in item {
                    let condition = self.condition(&clause);
                    condition.into_iter().for_each(|condition| self.rules.push_condition(condition));
                }
                self.rules.end_item();
            }
            self.rules.end_part();
        }
        self.rules.end_rule(policy, index);
    }

    #[inline(never)]
    fn condition(&mut self, clause: &Clause) -> Option<Condition> {
        let dimension = self.dimensions.number(&clause.field, &self.fields)?;
        let negated = clause.negated;
        if let [only] = &*clause.values {
            let value = self.patterns.intern(dimension, only)?;
            return Some(Condition { dimension, negated, values: Values::One(value) });
        }
        let interned = clause.values.iter().filter_map(|pattern| self.patterns.intern(dimension, pattern));
        let mut values: Vec<u32> = interned.collect();
        weir_matching::sort(&mut values);
        values.dedup();
        Some(Condition { dimension, negated, values: self.values(&values) })
    }

    /// Gives equal lists one place.
    #[inline(never)]
    fn values(&mut self, values: &[u32]) -> Values {
        if let [value] = values {
            return Values::One(*value);
        }
        self.bytes.clear();
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let number = usize::try_from(self.lists.intern(&self.bytes)).unwrap_or(usize::MAX);
        if let Some(known) = self.list_values.get(number) {
            return *known;
        }
        let fresh = self.rules.push_values(values);
        self.list_values.push(fresh);
        fresh
    }
}

#[cfg(test)]
mod tests;
