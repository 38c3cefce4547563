//! Deciding which rules match one request.
//!
//! A condition holds, does not, or cannot be decided because what it looks at could not be read (Kleene's three values): a
//! rule that hangs on the unknown may match, and that is decided only where no other part settles it.
//!
//! What an expression comes to is unknown until it is evaluated, which is done last of all, and only where the decision hangs
//! on it.

mod expressions;
pub(crate) mod request;

pub(crate) use expressions::{Evaluate, Results};

use crate::compiled::rule::{CompiledRule, Condition, Values};
use crate::compiled::{Compiled, Enforcement, Section};
use crate::config::object::Action;
use expressions::{Asked, Pass};
use request::Request;
use weir_matching::{BitSet, Candidates};
use weir_model::Facts;

/// What a condition says, or a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does not hold.
    No,
    /// It holds.
    Yes,
    /// The field could not be read.
    Unknown,
}

/// A rule that cannot be decided, and what is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undecided {
    pub(crate) rule: u32,
    /// Such as `direct-address`.
    pub(crate) unknown: &'static str,
}

/// The outcome of one section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The first rule that matches.
    pub(crate) matched: Option<u32>,
    /// The first rule before it that may match.
    pub(crate) undecided: Option<Undecided>,
}

impl Found {
    /// Whether more rules of that action would not change the answer.
    fn is_settled(&self, action: Action) -> bool {
        self.matched.is_some() || (action != Action::Allow && self.undecided.is_some())
    }
}

/// The outcome of one policy under dry run, as if it were the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alone {
    /// The place of the policy.
    pub(crate) policy: u32,
    pub(crate) found: Found,
}

/// What was found of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided<'s> {
    /// By section.
    pub(crate) found: &'s [Found],
    /// Of the policies under dry run those of which a rule matches, or may.
    pub(crate) alone: &'s [Alone],
    /// The rules that asked for an expression which failed, each failure once.
    pub(crate) failed: &'s [u32],
}

/// [`Decided`], kept while a request waits.
#[derive(Clone, Debug)]
pub(crate) struct KeptDecided {
    found: Box<[Found]>,
    alone: Box<[Alone]>,
}

impl KeptDecided {
    pub(crate) fn new(decided: Decided<'_>) -> Self {
        Self { found: decided.found.into(), alone: decided.alone.into() }
    }

    pub(crate) fn decided(&self) -> Decided<'_> {
        Decided { found: &self.found, alone: &self.alone, failed: &[] }
    }
}

/// Memory kept between requests, so that a request allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    request: Request,
    candidates: Candidates,
    lists: ListResults,
    found: Vec<Found>,
    alone: Vec<Alone>,
    asked: Asked,
}

impl Scratch {
    /// The evaluation of the request that was decided last.
    pub(crate) fn evaluation<'s>(&'s mut self, compiled: &'s Compiled) -> Evaluation<'s> {
        Evaluation { compiled, request: &self.request, lists: &mut self.lists }
    }

    /// Reads a request without deciding; the numbers of the patterns that it hits, and of the dimensions that cannot be read.
    pub(crate) fn read(&mut self, compiled: &Compiled, facts: &Facts<'_>) -> (&BitSet, &BitSet) {
        self.start(compiled);
        self.request.read(compiled, facts, ());
        (&self.request.hits, &self.request.unknown)
    }

    /// Room for requests that are decided by `compiled`.
    pub(crate) fn new(compiled: &Compiled) -> Self {
        let mut scratch = Self::default();
        scratch.start(compiled);
        scratch
    }

    fn start(&mut self, compiled: &Compiled) {
        self.request.start(compiled);
        self.candidates.start(&compiled.index);
        self.lists.start(compiled.rules.long_lists());
        self.found.clear();
        self.found.resize(compiled.sections.len(), Found::default());
        self.alone.clear();
        if !compiled.expressions.list.is_empty() {
            self.asked.start(compiled);
        }
    }
}

/// Finds the first rule of each section that matches, and one that may. Where DENY refuses, ALLOW is not looked at, except
/// under dry run, where each policy is decided on by itself too. `evaluate` is asked for expressions.
pub(crate) fn decide<'s>(
    compiled: &Compiled,
    facts: &Facts<'_>,
    evaluate: &Evaluate<'_>,
    scratch: &'s mut Scratch,
) -> Decided<'s> {
    scratch.start(compiled);
    let Scratch { request, candidates, lists, found, alone, asked } = scratch;
    let index = &compiled.index;
    request.read(compiled, facts, ());
    request.hits.members().iter().for_each(|pattern| candidates.hit(index, *pattern));
    for dimension in request.unknown.members() {
        let dimension = u16::try_from(*dimension).unwrap_or(u16::MAX);
        candidates.hit(index, compiled.unknown_key(dimension));
    }
    for (key, condition) in &compiled.needed {
        let mut evaluation = Evaluation { compiled, request, lists };
        if evaluation.condition(condition) == Outcome::No {
            candidates.hit(index, *key);
        }
    }
    let mut from = 0u32;
    while let Some(number) = candidates.next(index, from) {
        let place = compiled.sections.iter().position(|section| number < section.end).unwrap_or(usize::MAX);
        let Some(rule) = compiled.rules.get(number) else { break };
        from = number.saturating_add(1);
        if compiled.expressions.are_asked_by(number) {
            Pass { compiled, request, lists, found, alone, asked, evaluate }.defer(number, rule);
            continue;
        }
        let (Some(section), Some(found)) = (compiled.sections.get(place), found.get_mut(place)) else { break };
        let mut evaluation = Evaluation { compiled, request, lists };
        if section.enforcement == Enforcement::DryRun {
            shadow(evaluation, number, rule, found, alone);
            continue;
        }
        match evaluation.rule(rule) {
            Outcome::No => {}
            // The rest of the section cannot change the answer, nor can what comes after a refusal.
            Outcome::Yes => {
                found.matched = Some(number);
                from = settled(&compiled.sections, section).max(from);
            }
            Outcome::Unknown if found.undecided.is_none() => {
                found.undecided = evaluation.unknown(rule).map(|unknown| Undecided { rule: number, unknown });
            }
            Outcome::Unknown => {}
        }
    }
    if asked.is_open() {
        Pass { compiled, request, lists, found, alone, asked, evaluate }.settle();
    }
    Decided { found, alone, failed: asked.failed() }
}

/// Decides on a rule under dry run: for the section `found` is of, and for its policy alone. Rules of a policy are neighbours.
#[inline(never)]
fn shadow(mut evaluation: Evaluation<'_>, number: u32, rule: &CompiledRule, found: &mut Found, alone: &mut Vec<Alone>) {
    let policy = rule.policy;
    let known = alone.last().filter(|last| last.policy == policy).map(|last| last.found);
    if known.is_some_and(|known| known.matched.is_some()) {
        return;
    }
    let undecided = match evaluation.rule(rule) {
        Outcome::No => return,
        Outcome::Yes => None,
        Outcome::Unknown => evaluation.unknown(rule).map(|unknown| Undecided { rule: number, unknown }),
    };
    let of_rule = Found { matched: undecided.is_none().then_some(number), undecided };
    let last = alone.len().checked_sub(1).filter(|_| known.is_some());
    record(policy, of_rule, found, alone, last);
}

/// Takes in what a rule under dry run comes to. `place` is that of its
/// policy in `alone`, if it is there.
fn record(policy: u32, of_rule: Found, found: &mut Found, alone: &mut Vec<Alone>, place: Option<usize>) {
    let Found { matched, undecided } = of_rule;
    if matched.is_none() && undecided.is_none() {
        return;
    }
    found.matched = found.matched.or(matched);
    found.undecided = found.undecided.or(undecided);
    match place.and_then(|place| alone.get_mut(place)) {
        Some(own) => {
            own.found.matched = own.found.matched.or(matched);
            own.found.undecided = own.found.undecided.or(undecided);
        }
        None => alone.push(Alone { policy, found: of_rule }),
    }
}

/// The number of the first rule that still matters once a rule of `section` has matched.
fn settled(sections: &[Section], section: &Section) -> u32 {
    if section.action != Action::Deny {
        return section.end;
    }
    let alike = sections.iter().filter(|other| other.enforcement == section.enforcement);
    alike.map(|other| other.end).max().unwrap_or(section.end)
}

/// All of the outcomes hold, in Kleene's logic.
pub(crate) fn all(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    let mut all = Outcome::Yes;
    for outcome in outcomes {
        match outcome {
            Outcome::No => return Outcome::No,
            Outcome::Yes => {}
            Outcome::Unknown => all = Outcome::Unknown,
        }
    }
    all
}

/// One of the outcomes holds.
pub(crate) fn any(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    let mut any = Outcome::No;
    for outcome in outcomes {
        match outcome {
            Outcome::No => {}
            Outcome::Yes => return Outcome::Yes,
            Outcome::Unknown => any = Outcome::Unknown,
        }
    }
    any
}

/// The results for long lists of values, by their numbers: each list is evaluated once for a request.
#[derive(Debug, Default)]
struct ListResults {
    evaluated: BitSet,
    hit: BitSet,
}

impl ListResults {
    fn start(&mut self, count: usize) {
        self.evaluated.start(count);
        self.hit.start(count);
    }
}

/// The evaluation of rules on one request.
pub(crate) struct Evaluation<'r> {
    pub(crate) compiled: &'r Compiled,
    request: &'r Request,
    lists: &'r mut ListResults,
}

impl Evaluation<'_> {
    /// Whether a rule matches, as far as that is known.
    pub(crate) fn rule(&mut self, rule: &CompiledRule) -> Outcome {
        let compiled = self.compiled;
        let mut all = Outcome::Yes;
        for part in compiled.rules.parts(rule) {
            let mut any = Outcome::No;
            for item in part {
                match self.item(item) {
                    Outcome::No => {}
                    Outcome::Yes => {
                        any = Outcome::Yes;
                        break;
                    }
                    Outcome::Unknown => any = Outcome::Unknown,
                }
            }
            match any {
                Outcome::No => return Outcome::No,
                Outcome::Yes => {}
                Outcome::Unknown => all = Outcome::Unknown,
            }
        }
        all
    }

    pub(crate) fn item(&mut self, item: &[Condition]) -> Outcome {
        let mut all = Outcome::Yes;
        for condition in item {
            match self.condition(condition) {
                Outcome::No => return Outcome::No,
                Outcome::Yes => {}
                Outcome::Unknown => all = Outcome::Unknown,
            }
        }
        all
    }

    pub(crate) fn condition(&mut self, condition: &Condition) -> Outcome {
        if self.request.is_unknown(condition.dimension) {
            return Outcome::Unknown;
        }
        if self.is_hit(condition) != condition.negated { Outcome::Yes } else { Outcome::No }
    }

    /// Whether a value of the request matches one of the condition's.
    fn is_hit(&mut self, condition: &Condition) -> bool {
        let hits = &self.request.hits;
        match condition.values {
            Values::One(value) => hits.contains(value),
            Values::Few(_) => self.compiled.rules.values(condition).iter().any(|value| hits.contains(*value)),
            Values::Many(list) => {
                if self.lists.evaluated.insert(list) {
                    let values = self.compiled.rules.values(condition);
                    if hits.members().iter().any(|hit| values.binary_search(hit).is_ok()) {
                        self.lists.hit.insert(list);
                    }
                }
                self.lists.hit.contains(list)
            }
        }
    }

    /// What is not known of the first condition of a rule that cannot be decided.
    fn unknown(&self, rule: &CompiledRule) -> Option<&'static str> {
        let conditions = self.compiled.rules.parts(rule).flatten().flatten();
        let mut unknown = conditions.filter(|condition| self.request.is_unknown(condition.dimension));
        self.compiled.dimensions.fail_closed(unknown.next()?.dimension)
    }
}
