//! Rules that can never decide.
//!
//! A rule decides a request if it is the one that the filter names: of all that match, the first by Envoy's policy id, DENY
//! before ALLOW. So all rules that never decide can be taken out together, and no decision changes.

use super::search::{Goal, Node, OfSide, Outcome};
use super::side::Literal;
use super::values::Form;
use super::word::Found;
use super::{Analysis, Budget, ExampleRequest, FIRST, NEW, RuleId, SECOND};
use crate::RequestField;
use crate::compiled::Enforcement;
use crate::config::object::Action;
use std::collections::BTreeSet;

/// What a rule can do.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleMeaning {
    /// The rule.
    pub rule: RuleId,
    /// `ALLOW`, `DENY`, `CUSTOM` or `AUDIT`.
    pub action: &'static str,
    /// Whether its policy is in force. Of one under dry run, and of an AUDIT policy, only that no request matches is said.
    pub is_enforced: bool,
    /// What was found.
    pub verdict: RuleVerdict,
}

/// Whether a rule ever decides.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleVerdict {
    /// It decides this request, for example; a rule that is not in force matches it.
    Decides(Box<ExampleRequest>),
    /// It never does.
    Never(Why),
    /// The budget ended first.
    Unknown,
}

/// Why a rule never decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// No request matches it: it asks for what cannot be together, of these fields.
    Contradiction(Vec<RequestField>),
    /// It is a rule of ALLOW that asks for the address of the direct peer, which the filter is not shown: it allows nothing.
    Unreadable,
    /// What it matches is matched by these rules, which come first.
    Covered(Vec<RuleId>),
}

/// The word for an action.
pub(super) fn word(action: Action) -> &'static str {
    match action {
        Action::Custom => "CUSTOM",
        Action::Deny => "DENY",
        Action::Allow => "ALLOW",
        Action::Audit => "AUDIT",
    }
}

/// How many rules are tried to do without, to name few that cover another.
const SHORTENED: usize = 12;

impl Analysis {
    /// What each rule can do, in the order in which they are decided on. Rules that are hard to judge have their turn after all
    /// others, so that one does not use up the budget of the rest.
    pub fn rules(&mut self, budget: &mut Budget<'_>) -> Vec<RuleMeaning> {
        let rules = self.sides.get(NEW).map(|side| side.rules.as_slice()).unwrap_or_default();
        let all: Vec<(u32, Action, Enforcement)> =
            rules.iter().map(|rule| (rule.number, rule.action, rule.enforcement)).collect();
        let mut verdicts = vec![RuleVerdict::Unknown; all.len()];
        for nodes in [FIRST, SECOND] {
            for ((number, _, enforcement), verdict) in all.iter().zip(&mut verdicts) {
                if *verdict == RuleVerdict::Unknown && !budget.is_over() {
                    *verdict = self.verdict(*number, *enforcement, nodes, budget);
                }
            }
        }
        let mut meanings = Vec::with_capacity(all.len());
        for ((number, action, enforcement), verdict) in all.into_iter().zip(verdicts) {
            let Some(rule) = self.name((NEW, number)) else { continue };
            let is_enforced = enforcement == Enforcement::Enforced;
            meanings.push(RuleMeaning { rule, action: word(action), is_enforced, verdict });
        }
        meanings
    }

    fn verdict(&mut self, number: u32, enforcement: Enforcement, nodes: usize, budget: &mut Budget<'_>) -> RuleVerdict {
        if self.is_unreadable(number) {
            return RuleVerdict::Never(Why::Unreadable);
        }
        let goal = match enforcement {
            Enforcement::Enforced => Goal::Decides { side: NEW, rule: number },
            Enforcement::Audit | Enforcement::DryRun => Goal::Matches { side: NEW, rule: number },
        };
        let itself = [(NEW, number)];
        match self.find((&Node::default(), &itself), goal, nodes, budget) {
            Outcome::Reached(request) => RuleVerdict::Decides(request),
            Outcome::Unknown => RuleVerdict::Unknown,
            Outcome::Never(by) if by.is_empty() => RuleVerdict::Never(Why::Contradiction(self.contradiction(number))),
            Outcome::Never(by) => {
                let by = self.shortened(number, by, budget);
                RuleVerdict::Never(Why::Covered(by.into_iter().filter_map(|rule| self.name(rule)).collect()))
            }
        }
    }

    /// Whether a part of a rule asks only for what the filter cannot read.
    fn is_unreadable(&self, number: u32) -> bool {
        let rule = self.sides.get(NEW).and_then(|side| side.rule(number));
        let fails = |item: &Vec<Literal>| item.contains(&Literal::Always(false));
        rule.is_some_and(|rule| rule.formula.iter().any(|part| !part.is_empty() && part.iter().all(fails)))
    }

    /// The same rules without some that are not needed: that what the rule matches is covered by the rest is proved again.
    fn shortened(&mut self, number: u32, by: BTreeSet<OfSide>, budget: &mut Budget<'_>) -> Vec<OfSide> {
        let mut by: Vec<OfSide> = by.into_iter().collect();
        if by.len() > SHORTENED {
            return by;
        }
        let mut place = 0;
        while by.len() > 1 && place < by.len() {
            let without: Vec<u32> =
                by.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, (_, rule))| *rule).collect();
            let goal = Goal::MatchesNone { side: NEW, rules: &without };
            match self.find((&Node::default(), &[(NEW, number)]), goal, FIRST, budget) {
                Outcome::Never(_) => {
                    by.remove(place);
                }
                Outcome::Reached(_) | Outcome::Unknown => place += 1,
            }
        }
        by
    }

    /// The fields of which a rule asks for what cannot be together.
    fn contradiction(&mut self, number: u32) -> Vec<RequestField> {
        let Self { space, values, sides } = self;
        let Some(rule) = sides.get(NEW).and_then(|side| side.rule(number)) else { return Vec::new() };
        let mut fields = BTreeSet::new();
        // What every request that it matches must answer, and each item of a part that has several by itself.
        let mut common = Node::default();
        let (single, several): (Vec<_>, Vec<_>) = rule.formula.iter().partition(|part| part.len() == 1);
        let add = |node: &mut Node, item: &[Literal], fields: &mut BTreeSet<RequestField>| {
            for literal in item {
                let Literal::Asks(answered) = literal else { continue };
                match node.with(space, *answered) {
                    Some(next) => *node = next,
                    None => fields.extend(space.get(answered.0).and_then(|question| space.field(question.place))),
                }
            }
        };
        single.into_iter().flatten().for_each(|item| add(&mut common, item, &mut fields));
        let mut nodes = vec![common.clone()];
        for item in several.into_iter().flatten() {
            let mut node = common.clone();
            add(&mut node, item, &mut fields);
            nodes.push(node);
        }
        for node in nodes {
            for (place, answers) in node.answers() {
                let mut cannot_be = |form| values.find(space, place, form, answers) == Found::None;
                if cannot_be(Form::Plain) && cannot_be(Form::Connect) {
                    fields.extend(space.field(place));
                }
            }
        }
        fields.into_iter().collect()
    }
}
