//! Requests on which two sets of policies decide differently.
//!
//! Of a request that they decide differently one side refuses it, or asks its provider: because of a rule, or because no rule
//! allows it, where one of the other side does, or nothing has to. So for each rule of either side it is looked for a request
//! that it decides and the other side decides otherwise, what the other side refuses by a rule of its own aside, and for one
//! that no rule decides. If there is none of all these, both sets decide every request alike.

use super::search::{Goal, Node, OfSide, Outcome};
use super::side::{Class, Side};
use super::{Analysis, Budget, ExampleRequest, FIRST, NEW, OLD, RuleId, SECOND};
use crate::config::object::Action;
use std::collections::BTreeSet;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It passes.
    Allow,
    /// It is refused.
    Deny,
    /// The provider of a CUSTOM policy decides whether it passes.
    Ask,
}

/// What was decided, and by which rule; none where none matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What becomes of the request.
    pub effect: Effect,
    /// The rule that decides so.
    pub by: Option<RuleId>,
}

/// A kind of requests that are decided differently.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// What the policies say that are replaced.
    pub old: Decided,
    /// What those say that replace them.
    pub new: Decided,
    /// A request that is decided so.
    pub request: Box<ExampleRequest>,
}

/// How two sets of policies differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Differences {
    /// One for each pair of deciding rules that was found. In one of them at least is each rule that refuses, or asks a provider,
    /// where the other set does otherwise, and each rule that allows what the other set refuses because none of its own matches.
    pub found: Vec<Difference>,
    /// Rules of which it is not known whether they decide a request otherwise, those of the new set first. Empty means that all
    /// is known: where nothing was found, both sets decide every request alike.
    pub unknown: Vec<RuleId>,
    /// Whether requests that no rule decides are among what is not known.
    pub unmatched_unknown: bool,
}

impl Differences {
    /// Whether both sets decide every request alike; `None` if that is not known.
    pub fn are_equivalent(&self) -> Option<bool> {
        match (self.found.as_slice(), self.unknown.as_slice(), self.unmatched_unknown) {
            ([_, ..], ..) => Some(false),
            ([], [], false) => Some(true),
            _ => None,
        }
    }
}

/// A rule that may decide otherwise, or none.
type Task = (usize, Option<u32>);

impl Analysis {
    /// How the policies differ from those that they replace; nothing if there are none.
    pub fn differences(&mut self, budget: &mut Budget<'_>) -> Differences {
        let mut differences = Differences::default();
        if self.sides.len() < 2 {
            return differences;
        }
        let mut tasks: Vec<Task> = vec![(NEW, None)];
        for (side, of_side) in self.sides.iter().enumerate() {
            for action in [Action::Custom, Action::Deny, Action::Allow] {
                tasks.extend(of_side.of_action(action).map(|rule| (side, Some(rule.number))));
            }
        }
        let mut met: BTreeSet<OfSide> = BTreeSet::new();
        let mut open: Vec<Task> = Vec::new();
        for nodes in [FIRST, SECOND] {
            open.clear();
            for task in std::mem::take(&mut tasks) {
                let is_met = task.1.is_some_and(|rule| met.contains(&(task.0, rule)));
                if is_met {
                    continue;
                }
                match self.difference(task, nodes, budget) {
                    Outcome::Reached(request) => {
                        let seen = self.sides.iter_mut().map(|side| side.see(&request));
                        let by: Vec<Task> = seen.map(|seen| seen.by).enumerate().collect();
                        met.extend(by.iter().filter_map(|(side, by)| Some((*side, (*by)?))));
                        differences.found.push(Difference {
                            old: self.decided(OLD, &request),
                            new: self.decided(NEW, &request),
                            request,
                        });
                    }
                    Outcome::Never(_) => {}
                    Outcome::Unknown => open.push(task),
                }
            }
            tasks.clone_from(&open);
        }
        for (side, rule) in open {
            match rule {
                None => differences.unmatched_unknown = true,
                Some(rule) if met.contains(&(side, rule)) => {}
                Some(rule) => differences.unknown.extend(self.name((side, rule))),
            }
        }
        differences
    }

    fn difference(&mut self, (side, rule): Task, nodes: usize, budget: &mut Budget<'_>) -> Outcome {
        let other = if side == NEW { OLD } else { NEW };
        let goal = Goal::Differs { side, rule, other };
        let itself = rule.map(|rule| (side, rule));
        self.find((&Node::default(), itself.as_slice()), goal, nodes, budget)
    }

    fn decided(&mut self, side: usize, request: &ExampleRequest) -> Decided {
        let seen = self.sides.get_mut(side).map(|side| Side::see(side, request));
        let effect = match seen.map(|seen| seen.class) {
            Some(Class::Allow) => Effect::Allow,
            Some(Class::Ask(_)) => Effect::Ask,
            Some(Class::Deny) | None => Effect::Deny,
        };
        let by = seen.and_then(|seen| seen.by).and_then(|rule| self.name((side, rule)));
        Decided { effect, by }
    }
}
