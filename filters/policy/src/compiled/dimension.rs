//! What conditions look at, numbered: each field of a policy is a dimension of the patterns.
//!
//! One table says of each field where its values come from and whether a rule fails closed where they cannot be read. Only
//! fields that some rule looks at are dimensions.

use super::metadata_tree::MetadataTree;
use crate::config::object::{Field, Object};
use std::ops::Range;
use weir_matching::{Names, PathParameters};
use weir_model::Attribute;

/// Where the values of a field come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The path without its query.
    Path,
    /// The authority in lower case.
    Host,
    Method,
    /// Headers by name.
    Header,
    /// An attribute as it is.
    Text(Attribute),
    /// The port of an address.
    Port(Attribute),
    /// An address; `None` if the configuration does not say where it is.
    Address(Option<Attribute>),
    /// What the peer's certificate says, or what Istio has put into filter state.
    Peer(Identity),
    /// Dynamic metadata of a filter before this one.
    Dynamic(Dynamic),
    /// What Envoy makes of an expression, if it is asked.
    Expression,
}

/// A value of dynamic metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dynamic {
    /// The claims `iss` and `sub` of the request's JWT.
    RequestPrincipal,
    /// A claim by its path.
    Claim(Box<[Box<str>]>),
    /// A value of another filter.
    Value { filter: Box<str>, key: Box<str> },
}

/// A part of the peer's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Principal,
    Namespace,
    ServiceAccount,
    TrustDomain,
}

/// What is known of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dimension {
    pub(crate) source: Source,
    /// Where its values cannot be read, a rule fails closed: DENY refuses, ALLOW does not allow. This is what response
    /// details call it. `None` if it can always be read.
    pub(crate) fail_closed: Option<&'static str>,
}

impl Dynamic {
    /// The value that a field is of, if it has a name of its own.
    pub(crate) fn named(field: &Field) -> Option<Self> {
        match field {
            Field::Claim(path) => Some(Self::Claim(path.clone())),
            Field::Metadata { filter, key } => Some(Self::Value { filter: filter.clone(), key: key.clone() }),
            _ => None,
        }
    }
}

impl Dimension {
    /// The table of fields. `direct_address` is where the configuration says that the direct peer's address is.
    fn of(field: &Field, direct_address: Option<&Attribute>, path_parameters: PathParameters) -> Self {
        use Source::{Address, Header, Host, Method, Path, Peer, Port, Text};
        let (source, fail_closed) = match field {
            Field::Path => (Path, (path_parameters == PathParameters::Unclear).then_some("path")),
            Field::Host => (Host, None),
            Field::Method => (Method, None),
            Field::Header(_) => (Header, None),
            Field::ServerName => (Text(Attribute::RequestedServerName), Some("server-name")),
            Field::DestinationPort => (Port(Attribute::DestinationAddress), Some("destination-port")),
            Field::DestinationAddress => (Address(Some(Attribute::DestinationAddress)), Some("destination-address")),
            Field::RemoteAddress => (Address(Some(Attribute::SourceAddress)), Some("remote-address")),
            Field::DirectAddress => (Address(direct_address.cloned()), Some("direct-address")),
            Field::Principal => (Peer(Identity::Principal), Some("peer-identity")),
            Field::Namespace => (Peer(Identity::Namespace), Some("peer-identity")),
            Field::ServiceAccount => (Peer(Identity::ServiceAccount), Some("peer-identity")),
            Field::TrustDomain => (Peer(Identity::TrustDomain), Some("peer-identity")),
            Field::RequestPrincipal => (Source::Dynamic(Dynamic::RequestPrincipal), Some("request-principal")),
            Field::Claim(path) => (Source::Dynamic(Dynamic::Claim(path.clone())), Some("claim")),
            Field::Metadata { filter, key } => {
                (Source::Dynamic(Dynamic::Value { filter: filter.clone(), key: key.clone() }), Some("metadata"))
            }
            Field::Cel(_) => (Source::Expression, Some("cel")),
        };
        Self { source, fail_closed }
    }
}

/// The dimensions, by what a request is read for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dimensions {
    /// By number. After these come the headers by name, in the order of `headers`.
    table: Vec<Dimension>,
    pub(crate) path: Option<u16>,
    pub(crate) host: Option<u16>,
    pub(crate) method: Option<u16>,
    headers: Names,
    /// Those read from attributes other than the peer's identity.
    pub(crate) attributes: Vec<(u16, Source)>,
    pub(crate) peer: Vec<(u16, Identity)>,
    pub(crate) request_principal: Option<u16>,
    /// Claims and values of other filters. Their numbers begin after those of the fields without names of their own.
    pub(crate) metadata: MetadataTree,
    metadata_from: u32,
    /// The numbers of those that are expressions, in the order in which these come.
    expressions: Range<u16>,
}

impl Dimensions {
    /// The dimensions of all clauses of `objects`, and the fields by the numbers of their dimensions, of which expressions are
    /// the last; those with names of their own, which there can be thousands of, are not among them.
    #[inline(never)]
    pub(super) fn new<'o>(
        objects: impl Iterator<Item = &'o Object>,
        direct_address: Option<&Attribute>,
        path_parameters: PathParameters,
    ) -> (Self, Vec<Field>) {
        let mut dimensions = Self::default();
        let mut fields: Vec<Field> = Vec::new();
        let (mut expressions, mut named): (Vec<Field>, Vec<&Field>) = Default::default();
        for clause in objects.flat_map(Object::clauses) {
            let known = match &clause.field {
                Field::Header(name) => {
                    dimensions.headers.intern(name.as_bytes());
                    continue;
                }
                Field::Cel(_) => &mut expressions,
                field => match Dynamic::named(field) {
                    Some(value) => {
                        if dimensions.metadata.insert(&value) {
                            named.push(field);
                        }
                        continue;
                    }
                    None => &mut fields,
                },
            };
            if !known.contains(&clause.field) {
                known.push(clause.field.clone());
            }
        }
        let first = u16::try_from(fields.len()).unwrap_or(u16::MAX);
        fields.append(&mut expressions);
        dimensions.expressions = first..u16::try_from(fields.len()).unwrap_or(u16::MAX);
        for (field, number) in fields.iter().zip(0u16..) {
            let dimension = Dimension::of(field, direct_address, path_parameters);
            match &dimension.source {
                Source::Path => dimensions.path = Some(number),
                Source::Host => dimensions.host = Some(number),
                Source::Method => dimensions.method = Some(number),
                Source::Header | Source::Expression => {}
                Source::Peer(identity) => dimensions.peer.push((number, *identity)),
                Source::Dynamic(_) => dimensions.request_principal = Some(number),
                source => dimensions.attributes.push((number, source.clone())),
            }
            dimensions.table.push(dimension);
        }
        dimensions.metadata_from = u32::try_from(fields.len()).unwrap_or(u32::MAX);
        let named = named.into_iter().map(|field| Dimension::of(field, direct_address, path_parameters));
        dimensions.table.extend(named);
        (dimensions, fields)
    }

    /// The number of a field, of which `fields` has those without names of their own.
    pub(super) fn number(&self, field: &Field, fields: &[Field]) -> Option<u16> {
        match (field, Dynamic::named(field)) {
            (Field::Header(name), _) => self.header(name.as_bytes()),
            (_, Some(value)) => self.of_metadata(self.metadata.value(&value)?),
            (field, None) => u16::try_from(fields.iter().position(|known| known == field)?).ok(),
        }
    }

    /// The dimension of a value of metadata.
    pub(crate) fn of_metadata(&self, value: u32) -> Option<u16> {
        u16::try_from(self.metadata_from.saturating_add(value)).ok()
    }

    /// Whether anything is read from dynamic metadata.
    pub(crate) fn has_metadata(&self) -> bool {
        self.request_principal.is_some() || self.metadata.names() > 0
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len() + self.headers.len()
    }

    /// How many there are that are not headers by name; their numbers are below that.
    pub(crate) fn named_by_field(&self) -> usize {
        self.table.len()
    }

    /// The dimension of the header `name`, if a rule looks at it.
    #[inline]
    pub(crate) fn header(&self, name: &[u8]) -> Option<u16> {
        let place = self.headers.get(name)?;
        u16::try_from(self.table.len()).ok()?.checked_add(u16::try_from(place).ok()?)
    }

    /// The number of the expression that a dimension is, from 0.
    pub(crate) fn expression(&self, dimension: u16) -> Option<u16> {
        self.expressions.contains(&dimension).then(|| dimension.saturating_sub(self.expressions.start))
    }

    /// The dimensions that are expressions.
    pub(crate) fn expressions(&self) -> Range<u16> {
        self.expressions.clone()
    }

    /// Whether a provider may change the values of a dimension: those in the request headers, and dynamic metadata.
    pub(crate) fn may_be_edited(&self, dimension: u16) -> bool {
        match self.table.get(usize::from(dimension)).map(|dimension| &dimension.source) {
            None | Some(Source::Path | Source::Host | Source::Method | Source::Header | Source::Dynamic(_)) => true,
            Some(Source::Text(_) | Source::Port(_) | Source::Address(_) | Source::Peer(_) | Source::Expression) => {
                false
            }
        }
    }

    /// Whether anything is read from the request headers.
    pub(crate) fn has_headers(&self) -> bool {
        self.path.is_some() || self.host.is_some() || self.method.is_some() || !self.headers.is_empty()
    }

    /// What response details call a dimension that cannot be read; `None` if it always can.
    pub(crate) fn fail_closed(&self, dimension: u16) -> Option<&'static str> {
        self.table.get(usize::from(dimension))?.fail_closed
    }
}
