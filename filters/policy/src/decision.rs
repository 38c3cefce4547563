//! What was decided, why, and by which rule.

use crate::compiled::{Compiled, Enforcement};
use crate::config::object::Action;
use crate::decide::{Found, Undecided};

/// Why a decision is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A rule matched.
    Matched,
    /// Policies apply, and no rule matched.
    NoMatch,
    /// No policy applies.
    NoPolicy,
    /// A rule may match, and what it asks for could not be read: the request is refused.
    Unknown,
}

impl Reason {
    /// The word in metrics and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::NoMatch => "no_match",
            Self::NoPolicy => "no_policy",
            Self::Unknown => "unknown",
        }
    }
}

/// A rule by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleName<'p> {
    /// Namespace of the policy.
    pub namespace: &'p str,
    /// Name of the policy.
    pub policy: &'p str,
    /// Place of the rule in the policy, from 0.
    pub index: u32,
}

impl RuleName<'_> {
    /// `NAMESPACE/NAME` of the policy.
    pub(crate) fn full_name(&self) -> String {
        let mut name = self.namespace.to_owned();
        name.push('/');
        name.push_str(self.policy);
        name
    }
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'p> {
    /// Whether the request may go on.
    pub allow: bool,
    /// Why.
    pub reason: Reason,
    /// The rule that matched, if one did: of several the one that Envoy's RBAC filter names. With [`Reason::Unknown`] the
    /// rule that could not be decided.
    pub rule: Option<RuleName<'p>>,
    /// With [`Reason::Unknown`]: what could not be read, such as `direct-address`.
    pub unknown: Option<&'static str>,
    /// The number of that rule in the compiled policies.
    pub(crate) number: Option<u32>,
}

impl<'p> Decision<'p> {
    fn of(compiled: &'p Compiled, found: &[Found], enforcement: Enforcement) -> Self {
        let of = |action: Action| {
            let mut sections = compiled.sections.iter().zip(found);
            let found = sections.find(|(section, _)| section.enforcement == enforcement && section.action == action);
            found.map(|(_, found)| *found)
        };
        Self::settled(compiled, of(Action::Deny), of(Action::Allow))
    }

    /// What the outcomes of a section of DENY policies and one of ALLOW policies come to; `None` where there is none.
    #[inline(always)]
    pub(crate) fn settled(compiled: &'p Compiled, denies: Option<Found>, allows: Option<Found>) -> Self {
        let matched = |allow, number| Self {
            allow,
            reason: Reason::Matched,
            rule: compiled.rule_name(number),
            unknown: None,
            number: Some(number),
        };
        let unmatched = |allow, reason| Self { allow, reason, rule: None, unknown: None, number: None };
        let undecided = |Undecided { rule, unknown }: Undecided| Self {
            allow: false,
            reason: Reason::Unknown,
            rule: compiled.rule_name(rule),
            unknown: Some(unknown),
            number: Some(rule),
        };
        let (denied, allowed) = (denies.unwrap_or_default(), allows.unwrap_or_default());
        match (denied.matched, denied.undecided, allowed.matched, allowed.undecided) {
            (Some(number), ..) => matched(false, number),
            (None, Some(unknown), ..) => undecided(unknown),
            (None, None, Some(number), _) => matched(true, number),
            (None, None, None, Some(unknown)) => undecided(unknown),
            (None, None, None, None) if allows.is_some() => unmatched(false, Reason::NoMatch),
            (None, None, None, None) if denies.is_some() => unmatched(true, Reason::NoMatch),
            (None, None, None, None) => unmatched(true, Reason::NoPolicy),
        }
    }

    /// The word in metrics and records.
    pub(crate) fn word(&self) -> &'static str {
        if self.allow { "allow" } else { "deny" }
    }

    /// The labels `authz_policy` and `authz_rule` of metrics and records.
    pub(crate) fn authz_labels(&self) -> (String, String) {
        match &self.rule {
            Some(rule) => (rule.full_name(), rule.index.to_string()),
            None => ("-".to_owned(), "-".to_owned()),
        }
    }

    /// Envoy's response code details of a refusal; where something could not be read, details of our own.
    #[inline(never)]
    pub fn details(&self) -> String {
        let Some(RuleName { namespace, policy, index }) = self.rule else {
            return "rbac_access_denied_matched_policy[none]".to_owned();
        };
        let mut text = String::new();
        match self.unknown {
            Some(source) => text.extend(["rbac_access_denied[", source, "-unknown]_needed_by[ns["]),
            None => text.push_str("rbac_access_denied_matched_policy[ns["),
        }
        push_clean(&mut text, namespace);
        text.push_str("]-policy[");
        push_clean(&mut text, policy);
        text.extend(["]-rule[", &index.to_string(), "]]"]);
        text
    }
}

/// Details with white space would not be one field of an access log line; Kubernetes names have none.
fn push_clean(text: &mut String, name: &str) {
    if name.bytes().all(|byte| byte.is_ascii_graphic()) {
        text.push_str(name);
    } else {
        text.extend(name.chars().map(|found| if found.is_whitespace() || found.is_control() { '_' } else { found }));
    }
}

impl Compiled {
    /// The name of a rule by its number.
    pub(crate) fn rule_name(&self, number: u32) -> Option<RuleName<'_>> {
        let rule = self.rules.get(number)?;
        let (namespace, policy) = self.policies.get(usize::try_from(rule.policy).ok()?)?;
        Some(RuleName { namespace, policy, index: rule.index })
    }
}

/// What the policies say about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decisions<'p> {
    /// By the policies in force.
    pub enforced: Decision<'p>,
    /// By the policies under dry run, as if they were the only ones; `None` if there are none.
    pub shadow: Option<Decision<'p>>,
}

impl<'p> Decisions<'p> {
    pub(crate) fn of(compiled: &'p Compiled, found: &[Found]) -> Self {
        // Sections under dry run come last.
        let has_shadow = compiled.sections.last().is_some_and(|section| section.enforcement == Enforcement::DryRun);
        Self {
            enforced: Decision::of(compiled, found, Enforcement::Enforced),
            shadow: has_shadow.then(|| Decision::of(compiled, found, Enforcement::DryRun)),
        }
    }
}
