//! What was decided, why, and by which rule.

use crate::compiled::{Compiled, Enforcement, Section};
use crate::config::object::Action;
use crate::decide::{Alone, Decided, Found, Undecided};

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
    /// The provider of a CUSTOM policy said so.
    Provider,
    /// The provider of a CUSTOM policy could not be asked, or there is none: the request is refused.
    Error,
    /// The provider of a CUSTOM policy could not be asked, and its `failOpen` lets the request pass.
    FailureModeAllowed,
}

impl Reason {
    /// The word in metrics and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::NoMatch => "no_match",
            Self::NoPolicy => "no_policy",
            Self::Unknown => "unknown",
            Self::Provider => "provider",
            Self::Error => "error",
            Self::FailureModeAllowed => "failure_mode_allowed",
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
    /// Envoy's response code details where Istio refuses what a CUSTOM policy matches because of its provider.
    #[inline(never)]
    pub(crate) fn bad_custom_details(&self, provider: &str) -> String {
        let mut text = String::from("rbac_access_denied_matched_policy[istio-ext-authz-");
        text.extend([provider, "-ns["]);
        push_clean(&mut text, self.namespace);
        text.push_str("]-policy[");
        push_clean(&mut text, self.policy);
        text.extend(["]-rule[", &self.index.to_string(), "]-deny-due-to-bad-CUSTOM-action]"]);
        text
    }

    /// `NAMESPACE/NAME` of the policy.
    pub(crate) fn full_name(&self) -> String {
        full_name(self.namespace, self.policy)
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
    /// What the policies of that standing come to.
    pub(crate) fn of(compiled: &'p Compiled, found: &[Found], enforcement: Enforcement) -> Self {
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

    /// What a policy of that action comes to as if it were the only one.
    pub(crate) fn alone(compiled: &'p Compiled, action: Action, found: Found) -> Self {
        match action {
            Action::Custom | Action::Deny => Self::settled(compiled, Some(found), None),
            Action::Allow => Self::settled(compiled, None, Some(found)),
            Action::Audit => Self::audited(compiled, found),
        }
    }

    /// What the outcome of the AUDIT policies comes to: what they match goes on. Where a rule may match, it is named, so that
    /// nothing is missed that is to be audited.
    pub(crate) fn audited(compiled: &'p Compiled, found: Found) -> Self {
        Self { allow: true, ..Self::settled(compiled, Some(found), None) }
    }

    /// What a CUSTOM rule, by its number, has decided by way of its provider.
    pub(crate) fn of_provider(compiled: &'p Compiled, number: u32, allow: bool, reason: Reason) -> Self {
        Self { allow, reason, rule: compiled.rule_name(number), unknown: None, number: Some(number) }
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
#[derive(Clone, Copy, Debug)]
pub struct Decisions<'p, 's> {
    /// By the policies that are in force.
    pub enforced: Decision<'p>,
    /// By the AUDIT policies: always to allow, and which rule matches or may. `None` if there are none.
    pub audit: Option<Decision<'p>>,
    /// By the policies under dry run, as if they were the only ones; `None` if there are none.
    pub shadow: Option<Decision<'p>>,
    compiled: &'p Compiled,
    alone: &'s [Alone],
}

/// What one policy under dry run says, as if it were the only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowDecision<'p> {
    /// Namespace of the policy.
    pub namespace: &'p str,
    /// Its name.
    pub name: &'p str,
    /// A DENY policy refuses what it matches, and an ALLOW policy what it does not match.
    pub decision: Decision<'p>,
}

impl ShadowDecision<'_> {
    /// `NAMESPACE/NAME` of the policy.
    pub(crate) fn full_name(&self) -> String {
        full_name(self.namespace, self.name)
    }
}

fn full_name(namespace: &str, name: &str) -> String {
    let mut full = namespace.to_owned();
    full.push('/');
    full.push_str(name);
    full
}

impl<'p, 's> Decisions<'p, 's> {
    pub(crate) fn of(compiled: &'p Compiled, decided: Decided<'s>) -> Self {
        let Decided { found, alone, failed: _ } = decided;
        // Sections under dry run come last.
        let last = compiled.sections.last().map(|section| section.enforcement);
        let audited = |(section, _): &(&Section, &Found)| section.enforcement == Enforcement::Audit;
        let audited = match last {
            None | Some(Enforcement::Enforced) => None,
            Some(_) => compiled.sections.iter().zip(found).find(audited),
        };
        Self {
            enforced: Decision::of(compiled, found, Enforcement::Enforced),
            audit: audited.map(|(_, found)| Decision::audited(compiled, *found)),
            shadow: (last == Some(Enforcement::DryRun)).then(|| Decision::of(compiled, found, Enforcement::DryRun)),
            compiled,
            alone,
        }
    }

    /// Those of [`Decisions::alone`] that refuse: DENY policies that match or may, and ALLOW policies that do not match.
    pub(crate) fn refusing_alone(self) -> Vec<ShadowDecision<'p>> {
        let Self { compiled, alone, .. } = self;
        let may_refuse = |policy: u32, action| action == Action::Allow || alone.iter().any(|one| one.policy == policy);
        if !compiled.shadow.iter().any(|(policy, action)| may_refuse(*policy, *action)) {
            return Vec::new();
        }
        self.alone().filter(|one| !one.decision.allow).collect()
    }

    /// What each of the policies under dry run says as if it were the only one, in the order of the document.
    pub fn alone(self) -> impl Iterator<Item = ShadowDecision<'p>> + use<'p, 's> {
        let Self { compiled, alone, .. } = self;
        compiled.shadow.iter().filter_map(move |(policy, action)| {
            let found = alone.iter().find(|alone| alone.policy == *policy).map(|alone| alone.found);
            let (namespace, name) = compiled.policies.get(usize::try_from(*policy).ok()?)?;
            let decision = Decision::alone(compiled, *action, found.unwrap_or_default());
            Some(ShadowDecision { namespace, name, decision })
        })
    }
}
