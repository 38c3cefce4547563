//! What of a request a clause looks at.

use crate::config::object::Field;
use std::fmt;

/// A part of a request. It is shown as `weir explain` writes requests: `headers.x-user`, `source.principal`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestField {
    /// The path.
    Path,
    /// The authority, which is the header `host` too.
    Host,
    /// The method.
    Method,
    /// A header by its name in lower case.
    Header(Box<str>),
    /// Who the peer is.
    Principal,
    /// The address of the direct peer.
    DirectAddress,
    /// The address of the original client.
    RemoteAddress,
    /// The address that the connection is for.
    DestinationAddress,
    /// Its port.
    DestinationPort,
    /// The server name of the TLS handshake.
    ServerName,
    /// All claims of the request's JWT.
    Claims,
    /// Those that name its principal: `iss` and `sub`.
    RequestPrincipal,
    /// One claim by the names that lead to it.
    Claim(Box<[Box<str>]>),
    /// All dynamic metadata of a filter.
    Metadata(Box<str>),
    /// One value of it.
    MetadataValue {
        /// The filter.
        filter: Box<str>,
        /// The value's name.
        key: Box<str>,
    },
    /// What the provider of CUSTOM policies answers, by its name.
    Provider(Box<str>),
    /// What Envoy makes of an expression in CEL.
    Expression(Box<str>),
}

impl RequestField {
    pub(crate) fn of(field: &Field) -> Self {
        match field {
            Field::Path => Self::Path,
            Field::Host => Self::Host,
            Field::Method => Self::Method,
            Field::Header(name) => match &**name {
                ":path" => Self::Path,
                ":authority" => Self::Host,
                ":method" => Self::Method,
                _ => Self::Header(name.clone()),
            },
            Field::Principal | Field::Namespace | Field::ServiceAccount | Field::TrustDomain => Self::Principal,
            Field::DirectAddress => Self::DirectAddress,
            Field::RemoteAddress => Self::RemoteAddress,
            Field::DestinationAddress => Self::DestinationAddress,
            Field::DestinationPort => Self::DestinationPort,
            Field::ServerName => Self::ServerName,
            Field::RequestPrincipal => Self::RequestPrincipal,
            Field::Claim(path) => Self::Claim(path.clone()),
            Field::Metadata { filter, key } => Self::MetadataValue { filter: filter.clone(), key: key.clone() },
            Field::Cel(cel) => Self::Expression(cel.text.clone()),
        }
    }

    /// Whether another is this one or a part of it.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Claims, Self::RequestPrincipal | Self::Claim(_)) => true,
            // A claim that is an object has others inside.
            (Self::Claim(outer), Self::Claim(inner)) => inner.starts_with(outer),
            (Self::Metadata(all), Self::MetadataValue { filter, .. }) => all == filter,
            _ => self == other,
        }
    }
}

impl fmt::Display for RequestField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "path",
            Self::Host => "host",
            Self::Method => "method",
            Self::Header(name) => return write!(f, "headers.{name}"),
            Self::Principal => "source.principal",
            Self::DirectAddress => "source.directIp",
            Self::RemoteAddress => "source.ip",
            Self::DestinationAddress => "destination.ip",
            Self::DestinationPort => "destination.port",
            Self::ServerName => "sni",
            Self::Claims => "jwt.claims",
            Self::RequestPrincipal => "jwt.claims.{iss,sub}",
            Self::Claim(path) => return write!(f, "jwt.claims.{}", path.join(".")),
            Self::MetadataValue { filter, key } => return write!(f, "metadata.{filter}.{key}"),
            Self::Metadata(filter) => return write!(f, "metadata.{filter}"),
            Self::Provider(name) => return write!(f, "provider.{name}"),
            Self::Expression(text) => return write!(f, "cel({text})"),
        })
    }
}
