//! An AuthorizationPolicy as written, checked.

use super::cel::Cel;
use weir_matching::Pattern;

/// What a policy does with what it matches, in the order in which Envoy asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Action {
    Custom,
    Deny,
    Allow,
    Audit,
}

/// One object that is for this workload.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// It is not in force: the annotation says so, or the field `shadow` of the document.
    pub(crate) dry_run: bool,
    pub(crate) action: Action,
    /// The provider that a CUSTOM policy asks.
    pub(crate) provider: Option<Box<str>>,
    pub(crate) rules: Vec<Rule>,
}

/// A rule: all of its parts must hold. `from` and `to` are a part each, every `when` is one of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    /// Its place in the policy as written.
    pub(crate) index: u32,
    pub(crate) all_of: Box<[AnyOf]>,
    /// It never matches: it asks for what only a request has, and connections are decided. It has no parts then.
    pub(crate) is_skipped: bool,
    /// Parts of it are not here because they could not be read.
    pub(crate) quarantined: bool,
}

/// Items of which one must hold, such as those of `to`.
pub(crate) type AnyOf = Box<[Item]>;

/// The fields of an item, which must all hold.
pub(crate) type Item = Box<[Clause]>;

/// One field with its values: holds if one of them matches, or if none does where negated.
#[derive(Clone, Debug)]
pub(crate) struct Clause {
    pub(crate) field: Field,
    pub(crate) negated: bool,
    pub(crate) values: Box<[Pattern]>,
}

/// What a clause looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Path,
    Host,
    Method,
    /// A request header by its name in lower case.
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
    /// Issuer and subject of the request's JWT.
    RequestPrincipal,
    /// A claim of it by the path of names that leads to it.
    Claim(Box<[Box<str>]>),
    /// A value of another filter's dynamic metadata.
    Metadata {
        /// The filter's name, such as `envoy.filters.http.ext_authz`.
        filter: Box<str>,
        key: Box<str>,
    },
    /// Whether an expression is true.
    Cel(Cel),
}

impl Field {
    /// Whether it is a part of the peer's identity.
    pub(crate) fn is_identity(&self) -> bool {
        matches!(self, Self::Principal | Self::Namespace | Self::ServiceAccount | Self::TrustDomain)
    }
}

impl Object {
    /// All clauses of all rules.
    pub(crate) fn clauses(&self) -> impl Iterator<Item = &Clause> {
        self.rules.iter().flat_map(|rule| &rule.all_of).flatten().flatten()
    }
}
