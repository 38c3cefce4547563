//! What a set of policies means, without traffic.
//!
//! An [`Analysis`] says which rules can never decide, which policies match every request or none, and for which requests two
//! sets of policies decide differently. It answers for every request that Envoy lets through to the filter, and not for a
//! sample of them: a place of a request ([`space`]) has infinitely many values, but policies tell finitely many classes of
//! them apart, and finite automata find a value of each ([`word`]) or prove that there is none. A search over rules
//! ([`search`]) puts values together. Each request that it finds has been decided so by the filter's own code.
//!
//! Requests are those of which the filter can read everything. What the provider of CUSTOM policies answers is not known: that
//! it is asked is an outcome of its own. Nor is it known what an expression in CEL comes to: it is taken for true, false or
//! failing, independent of the rest of the request, so that what is said never to happen never does. Where the [`Budget`]
//! ends first, the answer is that it is not known.

mod address;
mod differences;
mod domain;
mod language;
mod lens;
mod policies;
mod reach;
mod request;
mod rules;
mod search;
mod side;
mod space;
mod values;
mod word;

pub use differences::{Decided, Difference, Differences, Effect};
pub use policies::{Everybody, Everywhere, PolicyMeaning};
pub use reach::{Access, Reach, ReachRow, Reaching};
pub use request::ExampleRequest;
pub use rules::{RuleMeaning, RuleVerdict, Why};

use crate::{Explainer, Protocol};
use search::{Goal, Node, OfSide, Outcome, Search};
use side::Side;
use space::Space;
use std::fmt;
use values::Values;

/// How long an analysis may take: it is given up once this says so.
pub struct Budget<'b> {
    ends: &'b mut dyn FnMut() -> bool,
    is_over: bool,
}

impl fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}

impl<'b> Budget<'b> {
    /// A budget that ends when `ends` first returns `true`. It is asked many times a second.
    pub fn new(ends: &'b mut dyn FnMut() -> bool) -> Self {
        Self { ends, is_over: false }
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.is_over = self.is_over || (self.ends)();
        self.is_over
    }
}

/// A rule by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    /// Namespace of the policy.
    pub namespace: String,
    /// Its name.
    pub policy: String,
    /// The rule's place in it, from 0.
    pub index: u32,
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}[{}]", self.namespace, self.policy, self.index)
    }
}

/// How many nodes of a search are looked at before others have their turn, and afterwards.
const FIRST: usize = 300;
const SECOND: usize = 200_000;

/// The budget ended before there was an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GaveUp;

/// A request that was found, or that there is none.
fn given_up(outcome: Outcome) -> Result<Option<Box<ExampleRequest>>, GaveUp> {
    match outcome {
        Outcome::Reached(request) => Ok(Some(request)),
        Outcome::Never(_) => Ok(None),
        Outcome::Unknown => Err(GaveUp),
    }
}

/// The place of the set of policies that is analyzed, and of the one that it is compared with.
const NEW: usize = 0;
const OLD: usize = 1;

/// Policies to be analyzed.
///
/// The second rule can never decide: what it matches, the first has matched.
///
/// ```
/// use weir_model::Node;
/// use weir_policy::{Analysis, Budget, Explainer, Protocol, RuleVerdict, Why};
///
/// let document = br#"{"schema": 1, "name": "cart", "workload": {"namespace": "shop", "labels": {}}, "policies": [
///     {"kind": "AuthorizationPolicy", "metadata": {"name": "p", "namespace": "shop"}, "spec": {"rules": [
///         {"to": [{"operation": {"paths": ["/items/*"]}}]},
///         {"to": [{"operation": {"paths": ["/items/7"], "methods": ["GET"]}}]}]}}]}"#;
/// let mut analysis = Analysis::new(Protocol::Http, Explainer::compile(document, &Node::default())?);
///
/// let mut never_ends = || false;
/// let rules = analysis.rules(&mut Budget::new(&mut never_ends));
/// assert!(matches!(rules[0].verdict, RuleVerdict::Decides(_)));
/// let RuleVerdict::Never(Why::Covered(by)) = &rules[1].verdict else { panic!("{rules:?}") };
/// assert_eq!(by[0].to_string(), "shop/p[0]");
/// # Ok::<(), weir_model::Problems>(())
/// ```
#[derive(Debug)]
pub struct Analysis {
    space: Space,
    values: Values,
    sides: Vec<Side>,
}

impl Analysis {
    /// An analysis of one set of policies, which are compiled for that protocol.
    pub fn new(protocol: Protocol, policies: Explainer) -> Self {
        Self::of(protocol, vec![policies])
    }

    /// An analysis of `policies` that can also compare them with those that they replace.
    pub fn against(protocol: Protocol, policies: Explainer, replaced: Explainer) -> Self {
        Self::of(protocol, vec![policies, replaced])
    }

    fn of(protocol: Protocol, all: Vec<Explainer>) -> Self {
        // Where one side sees only one name of a peer, peers have one.
        let has_several_names = all.iter().all(|explainer| explainer.peer_uri_sans().is_some());
        let mut space = Space::default();
        space.has_several_names = has_several_names;
        let sides: Vec<Side> = all.into_iter().map(|explainer| Side::new(explainer, &mut space)).collect();
        if protocol == Protocol::Http {
            // Every request has them, also where no rule asks.
            for place in [space::Place::Method, space::Place::Host, space::Place::Path] {
                space.place(place);
            }
        }
        Self { space, values: Values::default(), sides }
    }

    /// The policies that are analyzed, as they decide.
    pub fn explainer(&mut self) -> Option<&mut Explainer> {
        self.sides.get_mut(NEW).map(|side| &mut side.explainer)
    }

    /// Those that they are compared with.
    pub fn replaced(&mut self) -> Option<&mut Explainer> {
        self.sides.get_mut(OLD).map(|side| &mut side.explainer)
    }

    fn find(
        &mut self,
        (start, rules): (&Node, &[OfSide]),
        goal: Goal<'_>,
        nodes: usize,
        budget: &mut Budget<'_>,
    ) -> Outcome {
        let Self { space, values, sides } = self;
        Search { space, values, sides, budget, nodes }.find(start, rules, goal)
    }

    /// The name of a rule.
    fn name(&mut self, (side, number): OfSide) -> Option<RuleId> {
        let rule = self.sides.get_mut(side)?.name(number)?;
        Some(RuleId { namespace: rule.namespace.to_owned(), policy: rule.policy.to_owned(), index: rule.index })
    }
}
