//! Rules that ask for expressions.
//!
//! An expression is unknown until it is evaluated, once for a request at most. Its rule is put off until all rules without
//! expressions have been tried. Then it is evaluated if the rest of its rule holds and the decision hangs on it: not where an
//! ALLOW rule matches already or none can, nor where a DENY rule refuses already.

use super::request::Request;
use super::{Alone, Evaluation, Found, ListResults, Outcome, Scratch, Undecided, record};
use crate::compiled::rule::{CompiledRule, Condition};
use crate::compiled::{Compiled, Enforcement, Section};
use crate::config::object::Action;
use weir_matching::BitSet;

/// What evaluates an expression, by its number: `None` if that fails.
pub(crate) type Evaluate<'e> = dyn Fn(u16) -> Option<bool> + 'e;

/// What expressions have come to, kept while a request waits: they are about the request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results(Box<[(u16, Option<bool>)]>);

impl Results {
    /// What an expression came to. One that was not evaluated has failed.
    pub(crate) fn get(&self, expression: u16) -> Option<bool> {
        self.0.iter().find(|(known, _)| *known == expression)?.1
    }
}

/// What was asked about one request. Its memory is kept between requests.
#[derive(Debug, Default)]
pub(super) struct Asked {
    evaluated: BitSet,
    /// The rule that asked, for each expression that failed.
    failed: Vec<u32>,
    /// The rules that are put off, ascending.
    deferred: Vec<u32>,
}

impl Asked {
    /// Forgets the request before.
    pub(super) fn start(&mut self, compiled: &Compiled) {
        self.evaluated.start(compiled.expressions.list.len());
        self.failed.clear();
        self.deferred.clear();
    }

    pub(super) fn failed(&self) -> &[u32] {
        &self.failed
    }

    /// Whether rules are put off.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Makes the expressions of a rule unknown that are not evaluated yet.
    fn mark(&self, compiled: &Compiled, request: &mut Request, rule: &CompiledRule) {
        for condition in compiled.rules.parts(rule).flatten().flatten() {
            let expression = compiled.dimensions.expression(condition.dimension);
            if expression.is_some_and(|expression| !self.evaluated.contains(expression.into())) {
                request.unknown.insert(condition.dimension.into());
            }
        }
    }
}

fn place_of(compiled: &Compiled, rule: u32) -> usize {
    compiled.sections.iter().position(|section| rule < section.end).unwrap_or(usize::MAX)
}

/// What deciding on a request has come to so far.
pub(super) struct Pass<'d> {
    pub(super) compiled: &'d Compiled,
    pub(super) request: &'d mut Request,
    pub(super) lists: &'d mut ListResults,
    pub(super) found: &'d mut [Found],
    pub(super) alone: &'d mut Vec<Alone>,
    pub(super) asked: &'d mut Asked,
    pub(super) evaluate: &'d Evaluate<'d>,
}

impl Pass<'_> {
    /// Puts a rule off, if it may match.
    #[inline(never)]
    pub(super) fn defer(&mut self, number: u32, rule: &CompiledRule) {
        let Self { compiled, request, lists, asked, .. } = self;
        asked.mark(compiled, request, rule);
        if (Evaluation { compiled, request, lists }).rule(rule) != Outcome::No {
            asked.deferred.push(number);
        }
    }

    /// Decides on the rules that were put off.
    #[inline(never)]
    pub(super) fn settle(&mut self) {
        let compiled = self.compiled;
        let deferred = std::mem::take(&mut self.asked.deferred);
        let may_pass = self.in_force(Action::Allow).is_none_or(|(place, found)| {
            found.matched.is_some() || deferred.iter().any(|number| place_of(compiled, *number) == place)
        });
        for number in &deferred {
            let place = place_of(compiled, *number);
            let (Some(section), Some(rule)) = (compiled.sections.get(place), compiled.rules.get(*number)) else {
                break;
            };
            if !self.hangs_on(place, section, rule, may_pass) {
                continue;
            }
            let outcome = self.outcome(*number, rule, Edits::None);
            let of_rule = self.matching(*number, rule, outcome);
            let Some(found) = self.found.get_mut(place) else { break };
            if section.enforcement == Enforcement::DryRun {
                let place = self.alone.iter().position(|alone| alone.policy == rule.policy);
                record(rule.policy, of_rule, found, self.alone, place);
            } else {
                found.matched = found.matched.or(of_rule.matched);
                found.undecided = found.undecided.or(of_rule.undecided);
            }
        }
        // Its memory is kept.
        self.asked.deferred = deferred;
        self.asked.deferred.clear();
    }

    /// The policies in force of an action: the place of their section, and what they have come to.
    fn in_force(&self, action: Action) -> Option<(usize, Found)> {
        let is_it = |section: &Section| section.enforcement == Enforcement::Enforced && section.action == action;
        let place = self.compiled.sections.iter().position(is_it)?;
        Some((place, self.found.get(place).copied().unwrap_or_default()))
    }

    /// Whether an answer hangs on a rule that was put off. `may_pass` says whether a rule may allow the request, if one has to.
    fn hangs_on(&self, place: usize, section: &Section, rule: &CompiledRule, may_pass: bool) -> bool {
        let known = match section.enforcement {
            // Each policy is decided on by itself.
            Enforcement::DryRun => {
                let own = self.alone.iter().find(|alone| alone.policy == rule.policy);
                own.map(|alone| alone.found)
            }
            Enforcement::Enforced | Enforcement::Audit => self.found.get(place).copied(),
        };
        let matters = match (section.enforcement, section.action) {
            (Enforcement::Enforced, Action::Deny) => may_pass,
            (Enforcement::Enforced, Action::Allow) => {
                self.in_force(Action::Deny).is_none_or(|(_, found)| !found.is_settled(Action::Deny))
            }
            _ => true,
        };
        matters && !known.unwrap_or_default().is_settled(section.action)
    }

    fn matching(&mut self, number: u32, rule: &CompiledRule, outcome: Outcome) -> Found {
        let Self { compiled, request, lists, .. } = self;
        let undecided =
            |evaluation: Evaluation<'_>| evaluation.unknown(rule).map(|unknown| Undecided { rule: number, unknown });
        match outcome {
            Outcome::No => Found::default(),
            Outcome::Yes => Found { matched: Some(number), undecided: None },
            Outcome::Unknown => Found { matched: None, undecided: undecided(Evaluation { compiled, request, lists }) },
        }
    }

    /// Evaluates the expressions of a rule one after the other, as long as it hangs on one.
    fn outcome(&mut self, number: u32, rule: &CompiledRule, edits: Edits) -> Outcome {
        let Self { compiled, request, lists, asked, evaluate, .. } = self;
        asked.mark(compiled, request, rule);
        loop {
            let evaluation = Evaluation { compiled, request, lists };
            let (outcome, open) = look(evaluation, rule, edits, &asked.evaluated);
            let Some((expression, condition)) = open else { return outcome };
            asked.evaluated.insert(expression.into());
            match evaluate(expression) {
                Some(holds) => {
                    request.unknown.remove(condition.dimension.into());
                    if let Some(pattern) = compiled.expressions.pattern(expression).filter(|_| holds) {
                        request.hits.insert(pattern);
                    }
                }
                None => asked.failed.push(number),
            }
        }
    }
}

/// Whether a provider may still edit the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edits {
    None,
    /// What it can edit may match or not.
    Ahead,
}

/// The outcome of a rule as far as it is known, and an expression that it hangs on and that is not evaluated.
fn look<'c>(
    mut evaluation: Evaluation<'c>,
    rule: &CompiledRule,
    edits: Edits,
    evaluated: &BitSet,
) -> (Outcome, Option<(u16, &'c Condition)>) {
    let compiled = evaluation.compiled;
    let dimensions = &compiled.dimensions;
    let mut holds = |condition: &Condition| match edits {
        Edits::Ahead if dimensions.may_be_edited(condition.dimension) => Outcome::Unknown,
        Edits::Ahead | Edits::None => evaluation.condition(condition),
    };
    let pending = |condition: &'c Condition| {
        let expression = dimensions.expression(condition.dimension)?;
        (!evaluated.contains(expression.into())).then_some((expression, condition))
    };
    let (mut all, mut open) = (Outcome::Yes, None);
    for part in compiled.rules.parts(rule) {
        let (mut any, mut of_part) = (Outcome::No, None);
        for item in part {
            match super::all(item.iter().map(&mut holds)) {
                Outcome::No => {}
                Outcome::Yes => {
                    any = Outcome::Yes;
                    break;
                }
                Outcome::Unknown => {
                    any = Outcome::Unknown;
                    of_part = of_part.or_else(|| item.iter().find_map(pending));
                }
            }
        }
        match any {
            Outcome::No => return (Outcome::No, None),
            Outcome::Yes => {}
            Outcome::Unknown => {
                all = Outcome::Unknown;
                open = open.or(of_part);
            }
        }
    }
    (all, open)
}

impl Scratch {
    /// Evaluates, about the request that was decided last, what deciding on it may need once a provider has edited it: the
    /// expressions of rules that neither an address nor the peer rules out.
    #[inline(never)]
    pub(crate) fn evaluate_ahead(&mut self, compiled: &Compiled, evaluate: &Evaluate<'_>) -> Results {
        let Self { request, lists, found, alone, asked, .. } = self;
        let mut pass = Pass { compiled, request, lists, found, alone, asked, evaluate };
        let section = |number: u32| compiled.sections.get(place_of(compiled, number));
        let is_custom = |number| section(number).is_some_and(|section| section.action == Action::Custom);
        // Who is asked is settled.
        for number in compiled.expressions.rules.iter().filter(|number| !is_custom(**number)) {
            if let Some(rule) = compiled.rules.get(*number) {
                pass.outcome(*number, rule, Edits::Ahead);
            }
        }
        let Pass { request, asked, .. } = pass;
        let value = |expression: &u32| {
            let expression = u16::try_from(*expression).unwrap_or(u16::MAX);
            let dimension = compiled.dimensions.expressions().start.saturating_add(expression);
            let holds = compiled.expressions.pattern(expression).is_some_and(|pattern| request.hits.contains(pattern));
            (expression, (!request.unknown.contains(dimension.into())).then_some(holds))
        };
        Results(asked.evaluated.members().iter().map(value).collect())
    }

    /// Evaluates every expression about the request that was read last.
    pub(crate) fn evaluate_all(&mut self, compiled: &Compiled, evaluate: &Evaluate<'_>) {
        for (dimension, expression) in compiled.dimensions.expressions().zip(0u16..) {
            match (evaluate(expression), compiled.expressions.pattern(expression)) {
                (Some(true), Some(pattern)) => {
                    self.request.hits.insert(pattern);
                }
                (Some(_), _) => {}
                (None, _) => {
                    self.request.unknown.insert(dimension.into());
                }
            }
        }
    }

    /// The rules that asked for an expression which failed, each failure once.
    pub(crate) fn failed(&self) -> &[u32] {
        self.asked.failed()
    }
}
