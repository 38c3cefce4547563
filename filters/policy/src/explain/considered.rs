//! The policies that were considered, rule by rule and clause by clause.

use super::answer::Judge;
use super::shown::Compared;
use super::{ClauseOutcome, ItemOutcome, Outcome, PartOutcome, PolicyOutcome, RequestField, RuleOutcome, at};
use crate::compiled::rule::{CompiledRule, Condition};
use crate::config::object::{Action, Clause, Object, Rule};
use crate::config::written::{WrittenClause, WrittenRule, WrittenRules};
use crate::decide::{all, any};

/// A policy that is for the workload.
#[derive(Debug)]
pub(super) struct Considered {
    pub(super) object: Object,
    pub(super) written: WrittenRules,
    /// The numbers of its rules in the compiled policies, [`u32::MAX`] for one that is skipped.
    pub(super) numbers: Vec<u32>,
}

impl Considered {
    /// What each of its rules comes to.
    pub(super) fn explain<'e>(&'e self, judge: &mut Judge<'_, '_>, compared: &Compared) -> PolicyOutcome<'e> {
        let Self { object, written, numbers } = self;
        PolicyOutcome {
            namespace: &object.namespace,
            name: &object.name,
            action: match object.action {
                Action::Deny => "DENY",
                Action::Allow => "ALLOW",
                Action::Audit => "AUDIT",
                Action::Custom => "CUSTOM",
            },
            dry_run: object.dry_run,
            rules: object
                .rules
                .iter()
                .filter_map(|rule| {
                    let compiled = at(numbers, rule.index).and_then(|number| judge.compiled.rules.get(*number));
                    Some(explain_rule(judge, compared, compiled, rule, at(written, rule.index)?))
                })
                .collect(),
        }
    }
}

fn explain_rule<'e>(
    judge: &mut Judge<'_, '_>,
    compared: &Compared,
    compiled: Option<&CompiledRule>,
    rule: &Rule,
    written: &'e WrittenRule,
) -> RuleOutcome<'e> {
    let Rule { index, quarantined, .. } = *rule;
    let mut parts = Vec::new();
    let left_out = written.left_out.as_slice();
    let Some(compiled) = compiled else {
        return RuleOutcome { index, outcome: Outcome::No, parts, left_out, is_skipped: true, quarantined };
    };
    if quarantined {
        // What is left of it is not what is written.
        let outcome = judge.rule(compiled, Outcome::Unknown);
        return RuleOutcome { index, outcome, parts, left_out, is_skipped: false, quarantined };
    }
    for ((conditions, clauses), written) in judge.compiled.rules.parts(compiled).zip(&rule.all_of).zip(&written.parts) {
        let mut items = Vec::new();
        for ((conditions, clauses), written) in conditions.zip(clauses).zip(&written.items) {
            let clauses = conditions.iter().zip(clauses).zip(written);
            let clauses: Vec<ClauseOutcome<'e>> = clauses
                .map(|((condition, clause), written)| explain_clause(judge, compared, condition, clause, written))
                .collect();
            items.push(ItemOutcome { outcome: all(clauses.iter().map(|clause| clause.outcome)), clauses });
        }
        let outcome = any(items.iter().map(|item| item.outcome));
        parts.push(PartOutcome { name: written.name, outcome, items });
    }
    let outcome = all(parts.iter().map(|part| part.outcome));
    RuleOutcome { index, outcome, parts, left_out, is_skipped: false, quarantined }
}

fn explain_clause<'e>(
    judge: &mut Judge<'_, '_>,
    compared: &Compared,
    condition: &Condition,
    clause: &Clause,
    written: &'e WrittenClause,
) -> ClauseOutcome<'e> {
    let outcome = judge.condition(condition, Outcome::Unknown);
    let is_missing = outcome == Outcome::Unknown && judge.missing(condition.dimension).is_some();
    ClauseOutcome {
        field: &written.field,
        looks_at: RequestField::of(&clause.field),
        negated: condition.negated,
        values: &written.values,
        outcome,
        compared: if is_missing { Vec::new() } else { compared.shown(condition.dimension, &clause.field) },
        unknown: judge.unreadable(condition),
        is_missing,
    }
}
