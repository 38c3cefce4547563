//! Policies compiled: what deciding needs, never changed once it is there.
//!
//! A rule keeps its form (all of these parts, in each any of these items, in each all of these conditions), but its values
//! are numbers of patterns that all rules share, and an index says which rules can match by the patterns that were hit.

mod anchors;
mod compile;
pub(crate) mod dimension;
mod expressions;
pub(crate) mod metadata_tree;
pub(crate) mod rule;
mod section;

pub(crate) use compile::compile;
pub(crate) use expressions::Expressions;
pub(crate) use section::{Enforcement, Section};

use crate::config::object::Action;
use anchors::Needed;
use dimension::{Dimensions, Identity};
use rule::Rules;
use weir_matching::{PathParameters, Patterns, RuleIndex};
use weir_model::Attribute;

/// Everything that deciding needs.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    /// Namespace and name of each policy.
    pub(crate) policies: Box<[(Box<str>, Box<str>)]>,
    /// Those that have a policy, with or without rules, in the order of their rules.
    pub(crate) sections: Box<[Section]>,
    /// The policies under dry run by their place among all, ascending.
    pub(crate) shadow: Box<[(u32, Action)]>,
    pub(crate) rules: Rules,
    pub(crate) dimensions: Dimensions,
    pub(crate) patterns: Patterns,
    /// Its keys are the numbers of patterns, after them those of dimensions that are unknown, and after them those of
    /// `needed`.
    pub(crate) index: RuleIndex,
    /// What rules ask in CEL.
    pub(crate) expressions: Expressions,
    /// Conditions that many rules need.
    pub(crate) needed: Box<[Needed]>,
    /// Where all URI SANs of the peer are.
    pub(crate) peer_uri_sans: Option<Attribute>,
    pub(crate) path_parameters: PathParameters,
}

impl Compiled {
    /// The number of the pattern that asks only that the peer has shown who it is, if a rule asks that.
    pub(crate) fn asks_authenticated(&self) -> Option<u32> {
        let mut peer = self.dimensions.peer.iter();
        let (dimension, _) = peer.find(|(_, identity)| *identity == Identity::Principal)?;
        self.patterns.present(*dimension)
    }

    /// The key in the index for a dimension that is unknown.
    pub(crate) fn unknown_key(&self, dimension: u16) -> u32 {
        anchors::unknown_key(&self.patterns, dimension)
    }
}
