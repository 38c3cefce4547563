//! What becomes of a policy of which something cannot be read.
//!
//! A document refuses all of its policies for one problem, or it does without what cannot be read, on the side of refusing: a
//! rule of an ALLOW policy is left out, since it could grant too much; of other policies the part is left out, so that the
//! rule matches more. So with `onInvalid: quarantine` no request passes that would be refused if what cannot be read were
//! mended, in any way.

use super::object::{Action, Object, Rule};

/// What happens to a rule of which something cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnInvalid {
    /// The document is refused, so it does not matter.
    Refuse,
    /// The rule is left out.
    LeaveOut,
    /// The rule matches as if the part asked for nothing.
    Widen,
}

impl OnInvalid {
    /// For the rules of a policy with that action.
    pub(super) fn of(quarantines: bool, action: Option<Action>) -> Self {
        match (quarantines, action) {
            (false, _) => Self::Refuse,
            (true, Some(Action::Allow)) => Self::LeaveOut,
            (true, _) => Self::Widen,
        }
    }

    pub(super) fn widens(self) -> bool {
        self == Self::Widen
    }
}

/// A rule that matches every request, in place of one that cannot be read at all.
pub(super) fn everything() -> Rule {
    Rule { quarantined: true, ..Rule::default() }
}

/// What is known of a policy beside its rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'v> {
    pub(super) namespace: Option<&'v str>,
    pub(super) name: Option<&'v str>,
    pub(super) dry_run: bool,
    /// All of its name, its scope and the names of its fields could be read.
    pub(super) sound: bool,
}

/// The policy that stands for one that may have problems. Whom an unsound one is for is not known, so it is for this
/// workload: as an ALLOW policy it grants nothing, and without an action that can be read it refuses everything.
pub(super) fn object(
    known: Known<'_>,
    (action, provider): (Option<Action>, Option<Box<str>>),
    mut rules: Vec<Rule>,
) -> Object {
    let Known { namespace, name, dry_run, sound } = known;
    // Istio refuses what a policy matches whose provider it does not know, or which is under dry run. And a provider that is
    // asked about more could let more pass, by what it edits.
    let is_damaged = provider.is_none() || dry_run || !sound || rules.iter().any(|rule| rule.quarantined);
    let (action, dry_run) = match action {
        Some(Action::Custom) if is_damaged => (Some(Action::Deny), false),
        action => (action, dry_run),
    };
    let action = match action {
        Some(Action::Allow) if !sound => {
            rules.clear();
            Action::Allow
        }
        Some(action) => action,
        None => {
            rules = vec![everything()];
            Action::Deny
        }
    };
    let text = |text: Option<&str>| text.unwrap_or("unnamed").to_owned();
    Object { namespace: text(namespace), name: text(name), dry_run, action, provider, rules }
}
