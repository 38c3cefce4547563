//! The expressions that rules ask for.

use super::dimension::Dimensions;
use super::rule::{CompiledRule, Rules};
use crate::config::cel::Cel;
use crate::config::object::Field;
use weir_matching::Patterns;

/// The expressions, and who asks for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expressions {
    /// By number, in the order of their dimensions.
    pub(crate) list: Box<[Cel]>,
    /// The pattern of each, which is hit if it is true.
    patterns: Box<[u32]>,
    /// The numbers of the rules that ask for any, ascending.
    pub(crate) rules: Box<[u32]>,
}

impl Expressions {
    #[inline(never)]
    pub(super) fn new(fields: Vec<Field>, rules: &Rules, patterns: &Patterns, dimensions: &Dimensions) -> Self {
        let cel = |field| match field {
            Field::Cel(cel) => Some(cel),
            _ => None,
        };
        let list: Box<[Cel]> = fields.into_iter().filter_map(cel).collect();
        if list.is_empty() {
            return Self::default();
        }
        let pattern = |dimension| patterns.any(dimension).unwrap_or(u32::MAX);
        let asks = |rule: &CompiledRule| {
            let mut conditions = rules.parts(rule).flatten().flatten();
            conditions.any(|condition| dimensions.expression(condition.dimension).is_some())
        };
        let asking = rules.iter().zip(0u32..).filter(|(rule, _)| asks(rule));
        Self {
            list,
            patterns: dimensions.expressions().map(pattern).collect(),
            rules: asking.map(|(_, number)| number).collect(),
        }
    }

    /// Whether a rule asks for any. Where none does, this costs next to nothing.
    #[inline]
    pub(crate) fn are_asked_by(&self, rule: u32) -> bool {
        !self.rules.is_empty() && self.rules.binary_search(&rule).is_ok()
    }

    /// The pattern of an expression, by its number.
    pub(crate) fn pattern(&self, expression: u16) -> Option<u32> {
        self.patterns.get(usize::from(expression)).copied()
    }
}
