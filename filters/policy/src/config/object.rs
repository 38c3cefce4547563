//! An AuthorizationPolicy as written, checked.

use weir_matching::Pattern;

/// What a policy does with what it matches. Of Istio's actions CUSTOM is refused when read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    Deny,
    Audit,
}

/// One object that is for this workload.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dry_run: bool,
    pub(crate) action: Action,
    pub(crate) rules: Vec<Rule>,
}

/// A rule: all groups must hold. `from` and `to` are a group each, every `when` is one of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    pub(crate) groups: Vec<Group>,
}

/// Alternatives of which one must hold.
pub(crate) type Group = Vec<Alternative>;

/// Clauses that must all hold.
pub(crate) type Alternative = Vec<Clause>;

/// One field with its values: holds if one of them matches, or if none does where negated.
#[derive(Clone, Debug)]
pub(crate) struct Clause {
    pub(crate) key: Key,
    pub(crate) negated: bool,
    pub(crate) values: Vec<Pattern>,
}

/// What a clause looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Path,
    Host,
    Method,
    /// Lower case.
    Header(Box<str>),
    Principal,
    Namespace,
    ServiceAccount,
    TrustDomain,
    DirectAddress,
    RemoteAddress,
    DestinationAddress,
    DestinationPort,
    ServerName,
}

impl Key {
    /// Whether it is a part of the peer's identity.
    pub(crate) fn is_identity(&self) -> bool {
        matches!(self, Self::Principal | Self::Namespace | Self::ServiceAccount | Self::TrustDomain)
    }
}
