//! What was decided where a request may not be known in full.
//!
//! A clause on what is missing may hold or not. Kleene's three values carry that to the rules, and the decision is known
//! where the most that could refuse, and the most that could allow, come to the same.

use super::missing::{CelOutcome, Knowledge, Missing};
use super::{Considered, RequestField};
use crate::compiled::rule::{CompiledRule, Condition};
use crate::compiled::{Compiled, Enforcement};
use crate::config::object::Action;
use crate::custom::Custom;
use crate::decide::{Evaluation, Found, Outcome, Undecided, all, any};
use crate::metrics::{self, DecisionMode};
use crate::{Decision, Reason, RuleName};
use weir_config::Mode;

/// What policies say of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'e> {
    /// Whether the request may go on; `None` if that hangs on what is missing.
    pub allow: Option<bool>,
    /// Why.
    pub reason: Reason,
    /// The rule that decided. With [`Reason::Unknown`] the first that could not be decided.
    pub rule: Option<RuleName<'e>>,
    /// With [`Reason::Unknown`]: what the filter could not read, for which it refuses.
    pub unknown: Option<&'static str>,
    /// What the answer hangs on, ascending.
    pub missing: Vec<RequestField>,
    /// The same by policy, each with its number.
    pub(super) hangs_on: Vec<(u32, RequestField)>,
    /// The number of `rule` in the compiled policies.
    pub(super) number: Option<u32>,
    decision: Option<Decision<'e>>,
}

impl<'e> Answer<'e> {
    pub(super) fn of(decision: Decision<'e>) -> Self {
        let Decision { allow, reason, rule, unknown, number } = decision;
        let (missing, hangs_on) = Default::default();
        Self { allow: Some(allow), reason, rule, unknown, missing, hangs_on, number, decision: Some(decision) }
    }

    /// The labels of the metric that the filter of that name counts the decision in; none if it is not known.
    pub fn labels(&self, plugin: &str, mode: Mode) -> Vec<(String, String)> {
        let mode = if mode == Mode::Enforce { DecisionMode::Enforced } else { DecisionMode::Shadow };
        let Some(decision) = &self.decision else { return Vec::new() };
        let name = metrics::name(plugin, decision, mode);
        let labels = name.split(";.;").filter_map(|label| label.split_once("=.="));
        labels.map(|(label, value)| (label.to_owned(), value.to_owned())).collect()
    }
}

/// What the policies of a workload say of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers<'e> {
    /// Those in force.
    pub enforced: Answer<'e>,
    /// Those under dry run: each as if it were the only one, then all of them together, if there are any.
    pub shadow: Vec<Shadow<'e>>,
}

/// What policies under dry run say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow<'e> {
    /// Namespace and name of the policy, as if it were the only one; `None` for all of them together.
    pub policy: Option<(&'e str, &'e str)>,
    /// What they say.
    pub answer: Answer<'e>,
}

/// Evaluates rules on one request of which something may be missing.
pub(super) struct Judge<'r, 'e> {
    pub(super) evaluation: Evaluation<'r>,
    pub(super) compiled: &'e Compiled,
    pub(super) custom: Option<&'e Custom>,
    pub(super) missing: &'r Missing,
}

/// The numbers of the rules of policies of one action; `None` if there is no such policy.
type Numbers = Option<Vec<u32>>;

impl<'e> Judge<'_, 'e> {
    /// What is not known that a dimension is about. What an expression comes to, Envoy alone can tell.
    pub(super) fn missing(&self, dimension: u16) -> Option<RequestField> {
        match self.expression(dimension) {
            Some(_) if self.missing.expression(dimension).is_some() => None,
            Some(text) => Some(RequestField::Expression(text.into())),
            None => self.missing.get(dimension).map(|(field, _)| field.clone()),
        }
    }

    fn expression(&self, dimension: u16) -> Option<&'e str> {
        let number = self.compiled.dimensions.expression(dimension)?;
        self.compiled.expressions.list.get(usize::from(number)).map(|cel| &*cel.text)
    }

    /// Whether nothing that rules look at is unknown.
    fn is_all_known(&self) -> bool {
        let mut expressions = self.compiled.dimensions.expressions();
        self.missing.is_empty() && expressions.all(|dimension| self.missing.expression(dimension).is_some())
    }

    /// What a condition says if what is missing has that outcome.
    pub(super) fn condition(&mut self, condition: &Condition, assumed: Outcome) -> Outcome {
        if self.expression(condition.dimension).is_some() {
            return match self.missing.expression(condition.dimension).map(CelOutcome::value) {
                None => assumed,
                Some(None) => Outcome::Unknown,
                Some(Some(holds)) => {
                    if holds == condition.negated {
                        Outcome::No
                    } else {
                        Outcome::Yes
                    }
                }
            };
        }
        let Some((_, knowledge)) = self.missing.get(condition.dimension) else {
            return self.evaluation.condition(condition);
        };
        if *knowledge == Knowledge::Nothing {
            return assumed;
        }
        let outcome = self.evaluation.condition(condition);
        let is_hit = (outcome == Outcome::Yes) != condition.negated;
        let is_settled = outcome != Outcome::Unknown
            && match knowledge {
                Knowledge::AtLeast => is_hit,
                Knowledge::AtMost => !is_hit,
                Knowledge::Whole | Knowledge::Nothing => true,
            };
        if is_settled { outcome } else { assumed }
    }

    /// What the filter cannot read of a condition that is not missing.
    pub(super) fn unreadable(&mut self, condition: &Condition) -> Option<&'static str> {
        let is_unknown = self.condition(condition, Outcome::No) == Outcome::Unknown;
        is_unknown.then(|| self.compiled.dimensions.fail_closed(condition.dimension)).flatten()
    }

    pub(super) fn rule(&mut self, rule: &CompiledRule, assumed: Outcome) -> Outcome {
        let compiled = self.compiled;
        let mut item = |item: &[Condition]| all(item.iter().map(|condition| self.condition(condition, assumed)));
        all(compiled.rules.parts(rule).map(|part| any(part.map(&mut item))))
    }

    /// What all of the policies say; what was decided of those in force, and of those under dry run together, holds if nothing
    /// is missing.
    pub(super) fn answers(
        &mut self,
        objects: &'e [Considered],
        enforced: Decision<'e>,
        together: Option<Decision<'e>>,
    ) -> Answers<'e> {
        let enforced = match self.is_all_known() && self.custom.is_none() {
            true => Answer::of(enforced),
            false => self.enforced(),
        };
        Answers { enforced, shadow: self.shadow(objects, together) }
    }

    /// What the policies in force say.
    pub(super) fn enforced(&mut self) -> Answer<'e> {
        self.of_provider().unwrap_or_else(|| self.sections(Enforcement::Enforced))
    }

    /// The answer where a CUSTOM rule matches, or may match: it hangs on the provider, or on whether there is one.
    fn of_provider(&mut self) -> Option<Answer<'e>> {
        let custom = self.custom?;
        let numbers = self.section(Enforcement::Enforced, Action::Custom);
        let Found { matched, undecided } = self.found(&numbers, Outcome::Unknown)?;
        let number = matched.or(undecided.map(|undecided| undecided.rule))?;
        let is_unknown =
            matched.is_none() && self.found(&numbers, Outcome::No).is_some_and(|found| found == Found::default());
        let mut hangs_on = if is_unknown { self.hangs_on(&numbers) } else { Vec::new() };
        match custom.asked() {
            Some(provider) => {
                let policy = self.compiled.rules.get(number).map(|rule| rule.policy);
                hangs_on.extend(policy.map(|policy| (policy, RequestField::Provider(provider.into()))));
            }
            None if is_unknown => {}
            None => return Some(Answer::of(Decision::of_provider(self.compiled, number, false, Reason::Error))),
        }
        Some(self.open((Reason::Provider, Some(number)), hangs_on))
    }

    /// An answer that hangs on that.
    fn open(&self, (reason, number): (Reason, Option<u32>), mut hangs_on: Vec<(u32, RequestField)>) -> Answer<'e> {
        hangs_on.sort();
        hangs_on.dedup();
        let mut missing: Vec<RequestField> = hangs_on.iter().map(|(_, field)| field.clone()).collect();
        missing.sort();
        missing.dedup();
        let rule = number.and_then(|number| self.compiled.rule_name(number));
        Answer { allow: None, reason, rule, unknown: None, missing, hangs_on, number, decision: None }
    }

    pub(super) fn sections(&mut self, enforcement: Enforcement) -> Answer<'e> {
        let [denies, allows] = [Action::Deny, Action::Allow].map(|action| self.section(enforcement, action));
        self.answer(denies, allows)
    }

    /// What each of the policies under dry run says, and all together, which is `together` if nothing is missing.
    fn shadow(&mut self, objects: &'e [Considered], together: Option<Decision<'e>>) -> Vec<Shadow<'e>> {
        let mut shadow = Vec::new();
        for Considered { object, numbers, .. } in objects.iter().filter(|considered| considered.object.dry_run) {
            let mut numbers = numbers.clone();
            numbers.sort_unstable();
            let answer = match object.action {
                Action::Deny => self.answer(Some(numbers), None),
                Action::Allow => self.answer(None, Some(numbers)),
                // Neither can be under dry run.
                Action::Audit | Action::Custom => continue,
            };
            shadow.push(Shadow { policy: Some((&object.namespace, &object.name)), answer });
        }
        let together = match together {
            Some(_) if !self.is_all_known() => Some(self.sections(Enforcement::DryRun)),
            together => together.map(Answer::of),
        };
        shadow.extend(together.map(|answer| Shadow { policy: None, answer }));
        shadow
    }

    fn section(&self, enforcement: Enforcement, action: Action) -> Numbers {
        let sections = &self.compiled.sections;
        let place = sections.iter().position(|one| one.enforcement == enforcement && one.action == action)?;
        let start = place.checked_sub(1).and_then(|before| sections.get(before)).map_or(0, |before| before.end);
        Some((start..sections.get(place)?.end).collect())
    }

    fn answer(&mut self, denies: Numbers, allows: Numbers) -> Answer<'e> {
        // What could refuse, does.
        let found = [&denies, &allows].map(|numbers| self.found(numbers, Outcome::Unknown));
        let [denied, allowed] = found;
        let closed = Decision::settled(self.compiled, denied, allowed);
        if closed.reason != Reason::Unknown || self.is_all_known() {
            return Answer::of(closed);
        }
        // What could allow, does.
        let (denied, allowing) = (self.found(&denies, Outcome::No), self.found(&allows, Outcome::Yes));
        let open = Decision::settled(self.compiled, denied, allowing);
        if !open.allow {
            return Answer::of(open);
        }
        let mut hangs_on = self.hangs_on(&denies);
        if allowed.is_some_and(|allowed| allowed.matched.is_none()) {
            hangs_on.extend(self.hangs_on(&allows));
        }
        self.open((closed.reason, closed.number), hangs_on)
    }

    fn found(&mut self, numbers: &Numbers, assumed: Outcome) -> Option<Found> {
        let mut found = Found::default();
        for number in numbers.as_ref()? {
            let Some(rule) = self.compiled.rules.get(*number) else { continue };
            match self.rule(rule, assumed) {
                Outcome::No => {}
                Outcome::Yes => {
                    found.matched = Some(*number);
                    break;
                }
                Outcome::Unknown if found.undecided.is_none() => {
                    let mut conditions = self.compiled.rules.parts(rule).flatten().flatten();
                    let unknown = conditions.find_map(|condition| self.unreadable(condition)).unwrap_or_default();
                    found.undecided = Some(Undecided { rule: *number, unknown });
                }
                Outcome::Unknown => {}
            }
        }
        Some(found)
    }

    /// What is missing of the rules that may match, or not, by that alone, with the number of their policy.
    fn hangs_on(&mut self, numbers: &Numbers) -> Vec<(u32, RequestField)> {
        let mut missing = Vec::new();
        for number in numbers.iter().flatten() {
            let Some(rule) = self.compiled.rules.get(*number) else { continue };
            if self.rule(rule, Outcome::Unknown) != Outcome::Unknown {
                continue;
            }
            for item in self.compiled.rules.parts(rule).flatten() {
                if all(item.iter().map(|condition| self.condition(condition, Outcome::Unknown))) == Outcome::No {
                    continue;
                }
                for condition in item {
                    let is_open = self.condition(condition, Outcome::Unknown) == Outcome::Unknown;
                    let field = if is_open { self.missing(condition.dimension) } else { None };
                    missing.extend(field.map(|field| (rule.policy, field)));
                }
            }
        }
        missing
    }
}
