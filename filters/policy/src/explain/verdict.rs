//! What policies say of very many requests: those that hit the same patterns, and miss the same, are decided once.
//!
//! A recorded day has millions of requests and, to the policies, few different ones. The numbers of the patterns that a request
//! hits say all that deciding needs, so they are the key under which a verdict is kept.

use super::answer::Judge;
use super::{Answer, Explainer, Knowledge, Missing, Outcome, RequestField};
use crate::compiled::{Compiled, Enforcement, Section};
use crate::config::object::Action;
use crate::{Reason, RuleName};
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher as _};
use weir_model::Facts;

/// How many sets of hits are remembered; then all are forgotten. A set of a few dozen numbers is about 200 bytes.
const REMEMBERED: usize = 1 << 16;

/// What the policies in force say of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may go on; `None` if that hangs on what is missing.
    pub allow: Option<bool>,
    /// Why.
    pub reason: Reason,
    /// With [`Reason::Unknown`]: what the filter could not read, for which it refuses.
    pub unknown: Option<&'static str>,
    /// The number of the rule that decided.
    rule: Option<u32>,
    /// What it hangs on, by the number of the policy.
    hangs_on: Vec<(u32, RequestField)>,
    /// Of an open verdict: all that it follows from, once what is missing is known. Two sets of policies whose open verdicts of
    /// a request follow from the same decide it alike for every value of
    /// what is missing.
    pub follows_from: Vec<u64>,
}

/// A verdict by its number: equal verdicts of an [`Explainer`] have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerdictId(usize);

/// What is missing, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MissingSet(u32);

/// What equal verdicts have in common.
type Told = (Option<bool>, &'static str, Option<u32>, Vec<(u32, RequestField)>, Vec<u64>);

/// The verdicts so far.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    missing: Vec<Missing>,
    by_knowledge: HashMap<Vec<Knowledge>, MissingSet>,
    by_hits: HashMap<Vec<u32>, VerdictId>,
    by_value: HashMap<Told, VerdictId>,
    verdicts: Vec<Verdict>,
    /// The numbers of rules that matched a request, and of those that may have.
    matched: BTreeSet<u32>,
    perhaps: BTreeSet<u32>,
    /// Memory kept between requests.
    knowledge: Vec<Knowledge>,
    key: Vec<u32>,
}

impl Explainer {
    /// What is not known of a request, for [`Explainer::verdict`]. Requests of which the same is known have the same.
    pub fn missing_set(&mut self, knowledge: impl Fn(&RequestField) -> Knowledge) -> MissingSet {
        let Verdicts { missing, by_knowledge, knowledge: known, .. } = &mut self.verdicts;
        known.clear();
        known.extend(self.looked_at.iter().map(|(_, field)| knowledge(field)));
        if let Some(number) = by_knowledge.get(known) {
            return *number;
        }
        let number = MissingSet(u32::try_from(missing.len()).unwrap_or(u32::MAX));
        let fields = self.looked_at.iter().zip(&*known);
        missing
            .push(Missing::of(fields.map(|((dimension, field), knowledge)| (*dimension, field.clone(), *knowledge))));
        by_knowledge.insert(known.clone(), number);
        number
    }

    /// What the policies in force say of a request of which that is missing.
    pub fn verdict(&mut self, facts: &Facts<'_>, missing: MissingSet) -> VerdictId {
        let Self { policy, verdicts, contents, .. } = self;
        let (compiled, scratch, custom, _) = policy.parts();
        let (hits, unknown) = scratch.read(compiled, facts);
        let key = &mut verdicts.key;
        key.clear();
        key.extend(hits.members());
        key.sort_unstable();
        // No pattern has that number.
        key.push(u32::MAX);
        let unreadable = key.len();
        key.extend(unknown.members());
        key.get_mut(unreadable..).into_iter().for_each(<[u32]>::sort_unstable);
        key.push(missing.0);
        if let Some(number) = verdicts.by_hits.get(key) {
            return *number;
        }
        let none = Missing::default();
        let missing = usize::try_from(missing.0).ok().and_then(|number| verdicts.missing.get(number)).unwrap_or(&none);
        let mut judge = Judge { evaluation: scratch.evaluation(compiled), compiled, custom, missing };
        let answer = judge.enforced();
        let is_open = answer.allow.is_none();
        let mut follows_from = Vec::new();
        for (place, section) in enforced(compiled) {
            for number in place..section.end {
                let Some(rule) = compiled.rules.get(number).filter(|_| is_open || !verdicts.matched.contains(&number))
                else {
                    continue;
                };
                let outcome = judge.rule(rule, Outcome::Unknown);
                match outcome {
                    Outcome::No => continue,
                    Outcome::Yes => verdicts.matched.insert(number),
                    Outcome::Unknown => verdicts.perhaps.insert(number),
                };
                let conditions = compiled.rules.parts(rule).flatten().flatten();
                let is_unreadable = conditions.into_iter().any(|condition| judge.unreadable(condition).is_some());
                let content = usize::try_from(number).ok().and_then(|number| contents.get(number)).copied();
                follows_from.push(hash(&(section.action, outcome == Outcome::Yes, is_unreadable, content)));
            }
            // That there is a policy to allow something matters, too.
            follows_from.push(hash(&section.action));
            if let Some(custom) = custom.filter(|_| is_open && section.action == Action::Custom) {
                follows_from.push(hash(&custom.content()));
            }
        }
        follows_from.sort_unstable();
        follows_from.dedup();
        if !is_open {
            follows_from.clear();
        }
        verdicts.remember(&answer, follows_from)
    }

    /// The verdict of that number.
    pub fn verdict_of(&self, number: VerdictId) -> Option<&Verdict> {
        self.verdicts.verdicts.get(number.0)
    }

    /// The rule that decided; of a verdict that is open the first that hangs on what is missing.
    pub fn rule_of(&mut self, number: VerdictId) -> Option<RuleName<'_>> {
        let rule = self.verdicts.verdicts.get(number.0)?.rule?;
        let (compiled, ..) = self.policy.parts();
        compiled.rule_name(rule)
    }

    /// What an open verdict hangs on: namespace and name of a policy, and what it asks for.
    pub fn hangs_on(&mut self, number: VerdictId) -> Vec<(String, RequestField)> {
        let hangs_on = self.verdicts.verdicts.get(number.0).map(|verdict| verdict.hangs_on.clone());
        let (compiled, ..) = self.policy.parts();
        let named = |(policy, field)| {
            let (namespace, name) = compiled.policies.get(usize::try_from(policy).ok()?)?;
            Some((format!("{namespace}/{name}"), field))
        };
        hangs_on.into_iter().flatten().filter_map(named).collect()
    }

    /// The rules in force that have matched no request since the start, in the order of their names, and whether one may have
    /// matched where something was missing.
    pub fn unmatched(&mut self) -> Vec<(RuleName<'_>, bool)> {
        let Self { policy, verdicts, .. } = self;
        let (compiled, ..) = policy.parts();
        let numbers = enforced(compiled).flat_map(|(start, section)| start..section.end);
        let unmatched = numbers.filter(|number| !verdicts.matched.contains(number));
        unmatched.filter_map(|number| Some((compiled.rule_name(number)?, verdicts.perhaps.contains(&number)))).collect()
    }
}

/// The sections of policies in force, each with the number of its first rule.
fn enforced(compiled: &Compiled) -> impl Iterator<Item = (u32, &Section)> {
    let starts = std::iter::once(0).chain(compiled.sections.iter().map(|section| section.end));
    starts.zip(&compiled.sections).filter(|(_, section)| section.enforcement == Enforcement::Enforced)
}

/// A number that stands for a value, in every process.
pub(crate) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Verdicts {
    fn remember(&mut self, answer: &Answer<'_>, follows_from: Vec<u64>) -> VerdictId {
        let Answer { allow, reason, unknown, hangs_on, number: rule, .. } = answer;
        let value = (*allow, reason.word(), *rule, hangs_on.clone(), follows_from.clone());
        let next = VerdictId(self.verdicts.len());
        let number = *self.by_value.entry(value).or_insert(next);
        if number == next {
            let (allow, reason, unknown, hangs_on) = (*allow, *reason, *unknown, hangs_on.clone());
            self.verdicts.push(Verdict { allow, reason, unknown, rule: *rule, hangs_on, follows_from });
        }
        if self.by_hits.len() >= REMEMBERED {
            self.by_hits.clear();
        }
        self.by_hits.insert(self.key.clone(), number);
        number
    }
}
