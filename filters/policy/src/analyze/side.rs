//! One set of policies: its rules as formulas over questions, and what it decides.

use super::request::ExampleRequest;
use super::space::{Answered, Space};
use crate::compiled::rule::Condition;
use crate::compiled::{Enforcement, Section};
use crate::config::cel::Cel;
use crate::config::object::{Action, Clause, Field};
use crate::decide::{Evaluation, Outcome, decide};
use crate::decision::Decisions;
use crate::explain::hash;
use crate::{Explainer, Reason, RuleName};
use weir_config::Mode;
use weir_matching::PathParameters;

/// What a clause comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// It holds if that question is answered so.
    Asks(Answered),
    /// It looks at what the filter can never read, which counts as if it held or did not.
    Always(bool),
}

/// A rule: all parts, in each any item, in each all literals, as in the compiled rule.
pub(super) type Formula = Vec<Vec<Vec<Literal>>>;

/// A rule in force.
#[derive(Debug)]
pub(super) struct RuleForm {
    pub(super) number: u32,
    pub(super) action: Action,
    pub(super) enforcement: Enforcement,
    pub(super) formula: Formula,
}

/// What a set of policies does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Allow,
    Deny,
    /// A provider is asked; equal numbers are equal providers. If it lets the request pass, the policies do too.
    Ask(u64),
}

/// What was decided of a request, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) class: Class,
    pub(super) by: Option<u32>,
    /// What the DENY and ALLOW policies say, and by which rule.
    pub(super) allow: bool,
    pub(super) inner: Option<u32>,
    /// The CUSTOM rule that asks.
    pub(super) asking: Option<u32>,
}

/// A set of policies.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) explainer: Explainer,
    /// By number.
    pub(super) rules: Vec<RuleForm>,
    /// A number for the provider that is asked; none if CUSTOM policies refuse what they match.
    provider: Option<u64>,
    pub(super) is_off: bool,
}

impl Side {
    /// Takes the rules apart. Their questions go into `space`.
    pub(super) fn new(mut explainer: Explainer, space: &mut Space) -> Self {
        let is_off = explainer.mode() == Mode::Off;
        let parameters = explainer.path_parameters();
        let has_direct_address = explainer.direct_address().is_some();
        space.has_unclear_paths |= parameters == PathParameters::Unclear;
        let mut rules: Vec<Option<RuleForm>> = Vec::new();
        for (object, numbers) in explainer.considered() {
            for rule in &object.rules {
                let number = usize::try_from(rule.index).ok().and_then(|index| numbers.get(index)).copied();
                let Some(number) = number.filter(|number| *number != u32::MAX) else { continue };
                let is_allow = object.action == Action::Allow;
                let mut literal = |clause: &Clause| {
                    // A rule that hangs on what cannot be read refuses in DENY and grants nothing in ALLOW.
                    if clause.field == Field::DirectAddress && !has_direct_address {
                        return Literal::Always(!is_allow);
                    }
                    if let Field::Cel(Cel { text, .. }) = &clause.field {
                        // The same goes for an expression that fails.
                        let question = space.expression(text, clause.negated != is_allow);
                        return Literal::Asks((question, is_allow));
                    }
                    let question = space.question(&clause.field, parameters, &clause.values);
                    Literal::Asks((question, !clause.negated))
                };
                let formula = rule
                    .all_of
                    .iter()
                    .map(|part| part.iter().map(|item| item.iter().map(&mut literal).collect()).collect())
                    .collect();
                let place = usize::try_from(number).unwrap_or(usize::MAX);
                if rules.len() <= place {
                    rules.resize_with(place + 1, || None);
                }
                let enforcement = Section::of(object).enforcement;
                let form = RuleForm { number, action: object.action, enforcement, formula };
                if let Some(known) = rules.get_mut(place) {
                    *known = Some(form);
                }
            }
        }
        let provider = explainer.provider_content().map(|content| hash(&content));
        Self { rules: rules.into_iter().flatten().collect(), explainer, provider, is_off }
    }

    /// The rules of an action that are in force.
    pub(super) fn of_action(&self, action: Action) -> impl Iterator<Item = &RuleForm> {
        let is_it = move |rule: &&RuleForm| rule.action == action && rule.enforcement == Enforcement::Enforced;
        self.rules.iter().filter(is_it)
    }

    pub(super) fn rule(&self, number: u32) -> Option<&RuleForm> {
        self.rules.get(usize::try_from(number).ok()?).filter(|rule| rule.number == number)
    }

    /// Whether what CUSTOM policies match is refused, since no provider is there.
    pub(super) fn refuses_custom(&self) -> bool {
        self.provider.is_none()
    }

    /// Decides a request, as the filter does.
    pub(super) fn see(&mut self, request: &ExampleRequest) -> Seen {
        let Self { explainer, provider, is_off, rules } = self;
        if *is_off {
            return Seen { class: Class::Allow, by: None, allow: true, inner: None, asking: None };
        }
        let (direct, names) = (explainer.direct_address().cloned(), explainer.peer_uri_sans().cloned());
        let (compiled, scratch, _) = explainer.parts();
        request.with_sources(direct.as_ref(), names.as_ref(), |facts| {
            let decided = decide(compiled, facts, &|expression| request.evaluate(compiled, expression), scratch);
            let asking = crate::custom::asking(compiled, decided.found);
            let decision = Decisions::of(compiled, decided).enforced;
            // A rule of ALLOW that hangs on what cannot be read grants nothing, as if it did not match.
            let is_open = |number: &u32| {
                let rule = usize::try_from(*number).ok().and_then(|number| rules.get(number));
                decision.reason == Reason::Unknown && rule.is_some_and(|rule| rule.action == Action::Allow)
            };
            let (allow, inner) = (decision.allow, decision.number.filter(|number| !is_open(number)));
            let (class, by) = match (asking, *provider) {
                (Some(rule), None) => (Class::Deny, Some(rule)),
                _ if !allow => (Class::Deny, inner),
                (Some(rule), Some(provider)) => (Class::Ask(provider), Some(rule)),
                (None, _) => (Class::Allow, inner),
            };
            Seen { class, by, allow, inner, asking }
        })
    }

    /// Lets `then` evaluate conditions of the rules on a request.
    fn evaluate<T>(&mut self, request: &ExampleRequest, then: impl FnOnce(&mut Evaluation<'_>) -> T) -> T {
        let explainer = &mut self.explainer;
        let (direct, names) = (explainer.direct_address().cloned(), explainer.peer_uri_sans().cloned());
        let (compiled, scratch, _) = explainer.parts();
        request.with_sources(direct.as_ref(), names.as_ref(), |facts| {
            scratch.read(compiled, facts);
            scratch.evaluate_all(compiled, &|expression| request.evaluate(compiled, expression));
        });
        then(&mut scratch.evaluation(compiled))
    }

    /// The first of these rules that matches a request. One that may match, and so refuses, counts.
    pub(super) fn first_match(&mut self, request: &ExampleRequest, numbers: &[u32]) -> Option<u32> {
        let allows: Vec<(u32, bool)> = numbers
            .iter()
            .map(|number| (*number, self.rule(*number).is_some_and(|rule| rule.action == Action::Allow)))
            .collect();
        self.evaluate(request, |evaluation| {
            let matches = |(number, is_allow): &&(u32, bool)| match evaluation.rule_by_number(*number) {
                Outcome::Yes => true,
                Outcome::Unknown => !is_allow,
                Outcome::No => false,
            };
            allows.iter().find(matches).map(|(number, _)| *number)
        })
    }

    /// Why a rule matches a request: literals of it that hold and suffice. One of them must fail where the rule does not
    /// match. `None` if the rule does not match it.
    pub(super) fn support(&mut self, request: &ExampleRequest, number: u32) -> Option<Vec<Answered>> {
        let places = self.evaluate(request, |evaluation| evaluation.holding_items(number))?;
        let rule = self.rule(number)?;
        let mut support = Vec::new();
        for (part, place) in rule.formula.iter().zip(places) {
            for literal in part.get(place)? {
                match literal {
                    Literal::Asks(answered) => support.push(*answered),
                    Literal::Always(_) => {}
                }
            }
        }
        support.sort_unstable();
        support.dedup();
        Some(support)
    }

    /// The name of a rule.
    pub(super) fn name(&mut self, number: u32) -> Option<RuleName<'_>> {
        let (compiled, ..) = self.explainer.parts();
        compiled.rule_name(number)
    }
}

impl Evaluation<'_> {
    fn rule_by_number(&mut self, number: u32) -> Outcome {
        match self.compiled.rules.get(number).copied() {
            Some(rule) => self.rule(&rule),
            None => Outcome::No,
        }
    }

    /// Of each part of a rule the place of the first item that holds, or of one that may; `None` if a part has neither.
    fn holding_items(&mut self, number: u32) -> Option<Vec<usize>> {
        let compiled = self.compiled;
        let rule = compiled.rules.get(number).copied()?;
        let parts: Vec<Vec<&[Condition]>> = compiled.rules.parts(&rule).map(Iterator::collect).collect();
        parts
            .into_iter()
            .map(|part| {
                let outcomes: Vec<Outcome> = part.into_iter().map(|item| self.item(item)).collect();
                let place = |wanted: Outcome| outcomes.iter().position(|outcome| *outcome == wanted);
                place(Outcome::Yes).or(place(Outcome::Unknown))
            })
            .collect()
    }
}
