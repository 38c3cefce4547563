//! Finding a request that reaches a goal, or proving that there is none.
//!
//! A node of the search is a set of answered questions. For each place a value is found that answers those about it; if there
//! is none, the node is closed. The values make a request, and the filter's own code decides it. Where it does not reach the
//! goal, some rule is in the way: the search goes on in nodes where one literal fails that the rule needs (each request that
//! reaches the goal is in one of them), or where a rule matches that is missing. Each step adds an answer that the request
//! of the node does not give, so the search ends; if no node is left, there is no such request.

use super::Budget;
use super::request::ExampleRequest;
use super::side::{Class, Literal, Seen, Side};
use super::space::{Answered, PlaceId, Space};
use super::values::{Form, Value, Values};
use super::word::Found;
use crate::config::object::Action;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What is looked for. Sides are by their place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal<'g> {
    /// That rule decides: one of DENY or ALLOW if no provider refuses the request before it.
    Decides { side: usize, rule: u32 },
    /// That rule matches, and others may too.
    Matches { side: usize, rule: u32 },
    /// No rule of these matches.
    MatchesNone { side: usize, rules: &'g [u32] },
    /// The request passes, or passes if its provider says so.
    Passes { side: usize },
    /// It is refused, because no rule allows it if no rule is added to the start.
    Refused { side: usize },
    /// One side decides by that rule, or without one, and the other side otherwise.
    Differs { side: usize, rule: Option<u32>, other: usize },
}

/// What a request is to the goal.
enum Step {
    Reached,
    /// That rule must not match.
    Avoid(usize, u32),
    /// A rule of ALLOW must match.
    Enter(usize),
    /// A rule of ALLOW must match or hang on an expression: else nothing is left to refuse, and expressions of DENY are not
    /// evaluated.
    EnterLoosely(usize),
    /// No other request of the node reaches the goal.
    Closed,
    /// The request is not what its node says: nothing is claimed of the node.
    Doubtful,
}

/// A rule of a side.
pub(super) type OfSide = (usize, u32);

/// What a search has come to.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// This request reaches the goal: it was decided so.
    Reached(Box<ExampleRequest>),
    /// No request does. With the rules that were in the way: no request escapes all of them.
    Never(BTreeSet<OfSide>),
    /// The search was given up.
    Unknown,
}

/// The answers that are asked for, by place, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    answers: BTreeMap<PlaceId, Vec<Answered>>,
}

/// What is on the way.
enum Open {
    Node(Node),
    /// Nodes in which one of these rules matches, from the one at `next` on.
    Rules {
        node: Node,
        side: usize,
        rules: Rc<[u32]>,
        next: usize,
        strictness: Strictness,
    },
}

/// Which literals of a rule must hold where it is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strictness {
    All,
    /// All but those of expressions.
    Plain,
}

/// A search and what it works on.
pub(super) struct Search<'s, 'b> {
    pub(super) space: &'s Space,
    pub(super) values: &'s mut Values,
    pub(super) sides: &'s mut [Side],
    pub(super) budget: &'s mut Budget<'b>,
    /// How many nodes are looked at, at most.
    pub(super) nodes: usize,
}

impl Search<'_, '_> {
    /// A request that gives these answers, is matched by one of `rules` if there are any, and reaches the goal.
    pub(super) fn find(&mut self, start: &Node, rules: &[OfSide], goal: Goal<'_>) -> Outcome {
        let (mut avoided, mut is_unknown) = (BTreeSet::new(), false);
        // CONNECT is tried last: what else there is, is a plainer example.
        for form in [Form::Plain, Form::Connect] {
            match self.find_form(start, rules, goal, form) {
                Outcome::Reached(request) => return Outcome::Reached(request),
                Outcome::Never(more) => avoided.extend(more),
                Outcome::Unknown => is_unknown = true,
            }
        }
        if is_unknown { Outcome::Unknown } else { Outcome::Never(avoided) }
    }

    fn find_form(&mut self, start: &Node, rules: &[OfSide], goal: Goal<'_>, form: Form) -> Outcome {
        let mut avoided = BTreeSet::new();
        let mut is_unknown = false;
        let mut open: Vec<Open> = match rules {
            [] => vec![Open::Node(start.clone())],
            rules => {
                let entered =
                    rules.iter().flat_map(|(side, rule)| self.entered(start, (*side, *rule), Strictness::All, form));
                let mut open: Vec<Open> = entered.collect::<Vec<Node>>().into_iter().map(Open::Node).collect();
                open.reverse();
                open
            }
        };
        let mut nodes = 0usize;
        while let Some(next) = open.pop() {
            nodes += 1;
            if nodes > self.nodes || self.budget.is_over() {
                return Outcome::Unknown;
            }
            let node = match next {
                Open::Node(node) => node,
                Open::Rules { node, side, rules, next, strictness } => {
                    let Some(rule) = rules.get(next).copied() else { continue };
                    let entered = self.entered(&node, (side, rule), strictness, form);
                    open.push(Open::Rules { node, side, rules, next: next + 1, strictness });
                    open.extend(entered.into_iter().rev().map(Open::Node));
                    continue;
                }
            };
            let request = match self.request(&node, form) {
                Found::Some(request) => request,
                Found::None => continue,
                Found::Unknown => {
                    is_unknown = true;
                    continue;
                }
            };
            match step(self.sides, &request, goal) {
                Step::Reached => return Outcome::Reached(Box::new(request)),
                Step::Closed => {}
                Step::Doubtful => is_unknown = true,
                Step::Avoid(side, rule) => {
                    avoided.insert((side, rule));
                    let support = self.sides.get_mut(side).and_then(|side| side.support(&request, rule));
                    match support.and_then(|support| self.without(&node, &support, form)) {
                        Some(nodes) => open.extend(nodes.into_iter().rev().map(Open::Node)),
                        None => is_unknown = true,
                    }
                }
                Step::Enter(side) => open.push(self.allowing(node, side, Strictness::All)),
                Step::EnterLoosely(side) => open.push(self.allowing(node, side, Strictness::Plain)),
            }
        }
        if is_unknown { Outcome::Unknown } else { Outcome::Never(avoided) }
    }

    /// The nodes of a node in which one of these literals fails, each the first; `None` if one fails already.
    fn without(&mut self, node: &Node, support: &[Answered], form: Form) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        let mut rest = node.clone();
        for (question, answer) in support {
            let opposite = (*question, !answer);
            if node.has(self.space, opposite) {
                return None;
            }
            if node.has(self.space, (*question, *answer)) {
                continue;
            }
            if let Some(child) = rest.with(self.space, opposite)
                && self.may_be(&child, opposite, form)
            {
                nodes.push(child);
            }
            match rest.with(self.space, (*question, *answer)) {
                Some(next) => rest = next,
                None => break,
            }
        }
        Some(nodes)
    }

    /// The nodes of a node in which a rule of ALLOW matches.
    fn allowing(&self, node: Node, side: usize, strictness: Strictness) -> Open {
        let of_side = self.sides.get(side);
        let rules = of_side.map(|side| side.of_action(Action::Allow).map(|rule| rule.number).collect());
        Open::Rules { node, side, rules: rules.unwrap_or_default(), next: 0, strictness }
    }

    /// The nodes of a node in which a rule matches.
    fn entered(&mut self, node: &Node, (side, rule): OfSide, strictness: Strictness, form: Form) -> Vec<Node> {
        let Some(rule) = self.sides.get(side).and_then(|side| side.rule(rule)) else { return Vec::new() };
        let formula = rule.formula.clone();
        let mut nodes = vec![node.clone()];
        // Parts with fewer items first.
        let mut parts: Vec<_> = formula.iter().collect();
        parts.sort_by_key(|part| part.len());
        for part in parts {
            let mut within = Vec::new();
            for node in &nodes {
                within.extend(part.iter().filter_map(|item| self.matching(node, item, strictness, form)));
            }
            nodes = within;
        }
        nodes
    }

    /// A node in which all literals of an item hold, too.
    fn matching(&mut self, node: &Node, item: &[Literal], strictness: Strictness, form: Form) -> Option<Node> {
        let mut node = node.clone();
        let mut asked: Vec<Answered> = Vec::with_capacity(item.len());
        for literal in item {
            match literal {
                Literal::Always(true) => {}
                Literal::Always(false) => return None,
                Literal::Asks((question, _))
                    if strictness == Strictness::Plain && self.space.is_of_expression(*question) => {}
                Literal::Asks(answered) => {
                    node = node.with(self.space, *answered)?;
                    asked.push(*answered);
                }
            }
        }
        asked.into_iter().all(|answered| self.may_be(&node, answered, form)).then_some(node)
    }

    /// Whether there is a value for the place that a question is about.
    fn may_be(&mut self, node: &Node, (question, _): Answered, form: Form) -> bool {
        let Some(question) = self.space.get(question) else { return false };
        let answers = node.answers.get(&question.place).map(Vec::as_slice).unwrap_or_default();
        self.values.find(self.space, question.place, form, answers) != Found::None
    }

    /// A request that gives all answers of a node.
    fn request(&mut self, node: &Node, form: Form) -> Found<ExampleRequest> {
        let mut found: Vec<(PlaceId, Rc<Value>)> = Vec::with_capacity(self.space.places.len());
        for place in 0..self.space.places.len() {
            let answers = node.answers.get(&place).map(Vec::as_slice).unwrap_or_default();
            match self.values.find(self.space, place, form, answers) {
                Found::Some(value) => found.push((place, value)),
                Found::None => return Found::None,
                Found::Unknown => return Found::Unknown,
            }
        }
        let values = found.iter().map(|(place, value)| (*place, &**value));
        Found::Some(ExampleRequest::of(self.space, form, values))
    }
}

impl Node {
    /// The node with another answer; `None` if it has the opposite.
    pub(super) fn with(&self, space: &Space, answered: Answered) -> Option<Self> {
        let place = space.get(answered.0)?.place;
        let known = self.answers.get(&place).map(Vec::as_slice).unwrap_or_default();
        if known.contains(&(answered.0, !answered.1)) {
            return None;
        }
        let mut node = self.clone();
        let answers = node.answers.entry(place).or_default();
        if let Err(at) = answers.binary_search(&answered) {
            answers.insert(at, answered);
        }
        Some(node)
    }

    /// The answers by place.
    pub(super) fn answers(&self) -> impl Iterator<Item = (PlaceId, &[Answered])> {
        self.answers.iter().map(|(place, answers)| (*place, answers.as_slice()))
    }

    fn has(&self, space: &Space, answered: Answered) -> bool {
        let place = space.get(answered.0).map(|question| question.place);
        place.and_then(|place| self.answers.get(&place)).is_some_and(|answers| answers.contains(&answered))
    }
}

fn action(sides: &[Side], (side, rule): OfSide) -> Option<Action> {
    sides.get(side)?.rule(rule).map(|rule| rule.action)
}

/// What a request is to the goal.
fn step(sides: &mut [Side], request: &ExampleRequest, goal: Goal<'_>) -> Step {
    let see = |sides: &mut [Side], side: usize| sides.get_mut(side).map(|side| side.see(request));
    match goal {
        Goal::Decides { side, rule } => {
            let Some(seen) = see(sides, side) else { return Step::Closed };
            let action = action(sides, (side, rule));
            let refuses = sides.get(side).is_some_and(Side::refuses_custom);
            let is_custom = action == Some(Action::Custom);
            match (seen.asking, seen.inner) {
                (Some(asking), _) if is_custom && asking == rule => Step::Reached,
                (Some(asking), _) if is_custom || refuses => Step::Avoid(side, asking),
                (_, Some(inner)) if inner == rule => Step::Reached,
                (_, Some(inner)) if !is_custom => Step::Avoid(side, inner),
                (_, None) if action == Some(Action::Deny) && !seen.allow => Step::EnterLoosely(side),
                _ => Step::Doubtful,
            }
        }
        Goal::Matches { side, rule } => {
            let matching = sides.get_mut(side).and_then(|side| side.first_match(request, &[rule]));
            matching.map_or(Step::Doubtful, |_| Step::Reached)
        }
        Goal::MatchesNone { side, rules } => {
            let matching = sides.get_mut(side).and_then(|side| side.first_match(request, rules));
            matching.map_or(Step::Reached, |rule| Step::Avoid(side, rule))
        }
        Goal::Passes { side } => match see(sides, side) {
            Some(Seen { class: Class::Deny, by: Some(rule), .. }) => Step::Avoid(side, rule),
            Some(Seen { class: Class::Deny, by: None, .. }) => Step::Enter(side),
            Some(_) => Step::Reached,
            None => Step::Closed,
        },
        Goal::Refused { side } => match see(sides, side) {
            Some(Seen { class: Class::Deny, .. }) => Step::Reached,
            Some(Seen { inner: Some(rule), .. }) => Step::Avoid(side, rule),
            _ => Step::Closed,
        },
        Goal::Differs { side, rule, other } => {
            let Some(seen) = see(sides, side) else { return Step::Closed };
            match (seen.by, seen.class) {
                (by, _) if by == rule => {}
                (Some(by), _) => return Step::Avoid(side, by),
                (None, Class::Deny) if rule.and_then(|rule| action(sides, (side, rule))) == Some(Action::Deny) => {
                    return Step::EnterLoosely(side);
                }
                // A CUSTOM rule asks only about what the other policies allow.
                (None, Class::Deny) => return Step::Enter(side),
                (None, _) => return Step::Doubtful,
            }
            match see(sides, other) {
                Some(seen_other) if seen_other.class != seen.class => Step::Reached,
                Some(Seen { by: Some(by), .. }) => Step::Avoid(other, by),
                // Where no rule decides on either side, what else the other may do is looked for by its own rules.
                Some(Seen { by: None, class: Class::Deny, .. }) if rule.is_some() => Step::Enter(other),
                _ => Step::Closed,
            }
        }
    }
}
