//! From objects to rules in order, with shared patterns and an index.

use super::dimension::Dimensions;
use super::rule::{Condition, Rules, Values};
use super::{Compiled, Section, anchors};
use crate::config::object::{AnyOf, Clause, Field, Object, Rule};
use crate::config::workload::Workload;
use weir_matching::{Names, Patterns};
use weir_model::Attribute;

/// A rule and the section that it belongs to.
struct SectionRule {
    section: Section,
    /// Envoy keeps rules in a map sorted by this name, as text, and reports the first that matches.
    id: String,
    policy: u32,
    index: u32,
    rule: Rule,
}

/// Compiles the objects that apply to `workload`.
#[inline(never)]
pub(crate) fn compile(mut objects: Vec<Object>, workload: &Workload) -> Compiled {
    objects.retain(|object| Section::of(object).is_some());
    let direct_address = workload.direct_address.clone().map(Attribute::FilterState);
    let (dimensions, fields) = Dimensions::new(objects.iter(), direct_address.as_ref(), workload.path_parameters);
    let mut sections: Vec<Section> = objects.iter().filter_map(Section::of).collect();
    weir_matching::sort(&mut sections);
    sections.dedup();
    let mut policies: Vec<(Box<str>, Box<str>)> = Vec::with_capacity(objects.len());
    let mut ordered: Vec<SectionRule> = Vec::with_capacity(objects.iter().map(|object| object.rules.len()).sum());
    for (object, policy) in objects.into_iter().zip(0u32..) {
        let section = Section::of(&object);
        let Object { namespace, name, rules, .. } = object;
        for (rule, index) in rules.into_iter().zip(0u32..) {
            let id = format!("ns[{namespace}]-policy[{name}]-rule[{index}]");
            ordered.extend(section.map(|section| SectionRule { section, id, policy, index, rule }));
        }
        policies.push((namespace.into(), name.into()));
    }
    weir_matching::sort_by(&mut ordered, |a, b| (a.section, &a.id).cmp(&(b.section, &b.id)));

    let mut builder = Builder {
        patterns: Patterns::new(dimensions.len()),
        dimensions,
        fields,
        rules: Rules::default(),
        lists: Names::default(),
        list_values: Vec::new(),
        bytes: Vec::new(),
    };
    for SectionRule { section, id, policy, index, rule } in ordered {
        drop(id);
        builder.push(policy, index, rule);
        let count = u32::try_from(builder.rules.len()).unwrap_or(u32::MAX);
        let is_now_or_later =
            |later: &&mut Section| (later.enforcement, later.action) >= (section.enforcement, section.action);
        sections.iter_mut().filter(is_now_or_later).for_each(|section| section.end = count);
    }
    let Builder { mut patterns, dimensions, mut rules, .. } = builder;
    patterns.finish();
    rules.finish();
    let (index, needed) = anchors::index(&rules, &patterns, &dimensions);
    Compiled {
        policies: policies.into(),
        sections: sections.into(),
        rules,
        dimensions,
        patterns,
        index,
        needed,
        peer_uri_sans: workload.peer_uri_sans.clone().map(Attribute::FilterState),
        path_parameters: workload.path_parameters,
    }
}

/// Rules and patterns while they grow.
struct Builder {
    patterns: Patterns,
    dimensions: Dimensions,
    /// The fields that are not headers, by the numbers of their dimensions.
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
        let mut part = |part: &AnyOf| -> Vec<Vec<Condition>> {
            part.iter().map(|item| item.iter().filter_map(|clause| self.condition(clause)).collect()).collect()
        };
        let all_of: Vec<Vec<Vec<Condition>>> = rule.all_of.iter().map(&mut part).collect();
        self.rules.push(policy, index, &all_of);
    }

    #[inline(never)]
    fn condition(&mut self, clause: &Clause) -> Option<Condition> {
        let dimension = match &clause.field {
            Field::Header(name) => self.dimensions.header(name.as_bytes())?,
            field => u16::try_from(self.fields.iter().position(|known| known == field)?).ok()?,
        };
        let interned = clause.values.iter().filter_map(|pattern| self.patterns.intern(dimension, pattern));
        let mut values: Vec<u32> = interned.collect();
        weir_matching::sort(&mut values);
        values.dedup();
        Some(Condition { dimension, negated: clause.negated, values: self.values(&values) })
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
