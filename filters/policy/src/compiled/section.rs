//! The sections of the rule list: policies of one action, in force or under dry run, which are decided on together.

use crate::config::object::{Action, Object};

/// Whether policies are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Enforcement {
    Enforced,
    DryRun,
}

/// A section. The order of sections is the order in which they are decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Section {
    pub(crate) enforcement: Enforcement,
    pub(crate) action: Action,
    /// The number after that of its last rule.
    pub(crate) end: u32,
}

impl Section {
    /// The section of a policy; `None` if the policy never changes a decision.
    pub(super) fn of(object: &Object) -> Option<Self> {
        let enforcement = if object.dry_run { Enforcement::DryRun } else { Enforcement::Enforced };
        match object.action {
            Action::Deny | Action::Allow => Some(Self { enforcement, action: object.action, end: 0 }),
            Action::Audit => None,
        }
    }
}
