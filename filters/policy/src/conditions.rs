//! Conditions in CEL: what Envoy is to make of the configuration, what it evaluates, and how failures are counted.

use crate::compiled::Compiled;
use crate::config::cel::Cel;
use crate::metrics::ExpressionMetrics;
use weir_metrics::SeriesIds;
use weir_model::{CelType, CelValue, Effects, Expression, Io};

/// The expressions of a document. Their numbers follow those of other expressions that the filter has.
#[derive(Debug)]
pub(crate) struct Conditions {
    /// How many others there are.
    first: usize,
    /// What becomes of one that Envoy refuses: the document is refused too, or it fails whenever it is evaluated.
    is_required: bool,
    errors: ExpressionMetrics,
}

impl Conditions {
    /// `None` if the rules ask for none. `first` is how many other expressions the filter has.
    #[inline(never)]
    pub(crate) fn new(
        plugin: &str,
        ids: &SeriesIds,
        compiled: &Compiled,
        first: usize,
        is_required: bool,
    ) -> Option<Box<Self>> {
        let has_any = !compiled.expressions.list.is_empty();
        has_any.then(|| Box::new(Self { first, is_required, errors: ExpressionMetrics::new(plugin, ids) }))
    }

    /// Adds what Envoy makes when the configuration is loaded.
    #[inline(never)]
    pub(crate) fn push_expressions(&self, compiled: &Compiled, all: &mut Vec<Expression>) {
        for Cel { text, path, .. } in &compiled.expressions.list {
            let (path, text) = (String::from(&**path), String::from(&**text));
            all.push(Expression { owner: 0, path, text, ty: CelType::Bool, is_required: self.is_required });
        }
    }

    /// Counts failures, each by the rule that asked.
    #[inline(never)]
    pub(crate) fn count(&mut self, compiled: &Compiled, failed: &[u32], effects: &mut Effects) {
        for rule in failed {
            self.errors.count(compiled, *rule, effects);
        }
    }
}

/// Evaluates an expression of a rule about the stream of the callback.
pub(crate) fn evaluate(conditions: Option<&Conditions>, io: &Io<'_>, number: u16) -> Option<bool> {
    match io.evaluate(conditions?.first.saturating_add(number.into())) {
        Ok(CelValue::Bool(holds)) => Some(holds),
        Ok(_) | Err(_) => None,
    }
}
