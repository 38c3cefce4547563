//! Policies that match every request, or none.

use super::rules::word;
use super::search::{Goal, Node, Outcome};
use super::{Analysis, Budget, ExampleRequest, NEW, RuleMeaning, RuleVerdict, SECOND, Why};
use crate::config::object::Action;

/// What a policy matches.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyMeaning {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `ALLOW`, `DENY`, `CUSTOM` or `AUDIT`.
    pub action: &'static str,
    /// Whether it is in force.
    pub is_enforced: bool,
    /// Whether every request matches; `None` if the budget ended first.
    pub matches_all: Option<bool>,
    /// Whether no request matches; `None` if the budget ended first.
    pub matches_none: Option<bool>,
    /// A request that it does not match, if there is one.
    pub unmatched: Option<Box<ExampleRequest>>,
}

/// What all policies in force come to together.
#[derive(Clone, Debug, PartialEq)]
pub struct Everybody {
    /// A request that passes, or that is for a provider to let pass.
    pub passes: Everywhere,
    /// One that is refused.
    pub refused: Everywhere,
}

/// Whether there is a request of a kind.
pub type Everywhere = Result<Option<Box<ExampleRequest>>, super::GaveUp>;

impl Analysis {
    /// What each policy matches. `rules` are what [`Analysis::rules`] has found.
    pub fn policies(&mut self, rules: &[RuleMeaning], budget: &mut Budget<'_>) -> Vec<PolicyMeaning> {
        let Some(side) = self.sides.get(NEW) else { return Vec::new() };
        let considered = side.explainer.considered();
        let named: Vec<(String, String, Action, bool, Vec<u32>)> = considered
            .map(|(object, numbers)| {
                let numbers = numbers.iter().copied().filter(|number| *number != u32::MAX).collect();
                let is_enforced = !object.dry_run && object.action != Action::Audit;
                (object.namespace.clone(), object.name.clone(), object.action, is_enforced, numbers)
            })
            .collect();
        let mut meanings = Vec::with_capacity(named.len());
        for (namespace, name, action, is_enforced, numbers) in named {
            let goal = Goal::MatchesNone { side: NEW, rules: &numbers };
            let (matches_all, unmatched) = match self.find((&Node::default(), &[]), goal, SECOND, budget) {
                Outcome::Reached(request) => (Some(false), Some(request)),
                Outcome::Never(_) => (Some(true), None),
                Outcome::Unknown => (None, None),
            };
            let own = rules.iter().filter(|rule| rule.rule.namespace == namespace && rule.rule.policy == name);
            let mut matches_none = Some(true);
            for rule in own {
                match &rule.verdict {
                    RuleVerdict::Never(Why::Contradiction(_) | Why::Unreadable) => {}
                    RuleVerdict::Decides(_) | RuleVerdict::Never(Why::Covered(_)) => {
                        matches_none = Some(false);
                        break;
                    }
                    RuleVerdict::Unknown => matches_none = None,
                }
            }
            let action = word(action);
            meanings.push(PolicyMeaning { namespace, name, action, is_enforced, matches_all, matches_none, unmatched });
        }
        meanings
    }

    /// Whether any request passes, and whether any is refused.
    pub fn everybody(&mut self, budget: &mut Budget<'_>) -> Everybody {
        let passes = self.find((&Node::default(), &[]), Goal::Passes { side: NEW }, SECOND, budget);
        Everybody { passes: super::given_up(passes), refused: self.refused(NEW, &Node::default(), budget) }
    }

    /// A request with these answers that is refused, if there is one.
    pub(super) fn refused(&mut self, side: usize, start: &Node, budget: &mut Budget<'_>) -> Everywhere {
        let goal = Goal::Refused { side };
        let unmatched = super::given_up(self.find((start, &[]), goal, SECOND, budget));
        if let Ok(Some(_)) = unmatched {
            return unmatched;
        }
        let Some(of_side) = self.sides.get(side) else { return Ok(None) };
        let mut refusing: Vec<u32> = of_side.of_action(Action::Deny).map(|rule| rule.number).collect();
        if of_side.refuses_custom() {
            refusing.extend(of_side.of_action(Action::Custom).map(|rule| rule.number));
        }
        let mut is_unknown = unmatched.is_err();
        for rule in refusing {
            match super::given_up(self.find((start, &[(side, rule)]), goal, SECOND, budget)) {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(_) => is_unknown = true,
            }
        }
        if is_unknown { Err(super::GaveUp) } else { Ok(None) }
    }
}
