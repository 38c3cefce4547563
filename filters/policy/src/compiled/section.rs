//! The sections of the rule list: policies of one action, in force or not, which are decided on together.

use crate::config::object::{Action, Object};

/// Whether policies are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Enforcement {
    Enforced,
    /// AUDIT policies: they change no decision, and none keeps them from being looked at.
    Audit,
    /// Policies under dry run: decided on by themselves, each alone and all together.
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
    /// The section of a policy.
    pub(crate) fn of(object: &Object) -> Self {
        let enforcement = match object.action {
            Action::Audit => Enforcement::Audit,
            Action::Custom | Action::Deny | Action::Allow if object.dry_run => Enforcement::DryRun,
            Action::Custom | Action::Deny | Action::Allow => Enforcement::Enforced,
        };
        Self { enforcement, action: object.action, end: 0 }
    }
}
