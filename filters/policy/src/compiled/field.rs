//! What tests look at, numbered: the same numbers are the index's dimensions.

use weir_model::Attribute;

/// A number for each thing that a clause looks at; headers are numbered from [`Field::HEADERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Field(pub(crate) u16);

impl Field {
    pub(crate) const PATH: Self = Self(0);
    pub(crate) const HOST: Self = Self(1);
    pub(crate) const METHOD: Self = Self(2);
    pub(crate) const SERVER_NAME: Self = Self(3);
    pub(crate) const PORT: Self = Self(4);
    pub(crate) const PRINCIPAL: Self = Self(5);
    pub(crate) const NAMESPACE: Self = Self(6);
    pub(crate) const SERVICE_ACCOUNT: Self = Self(7);
    pub(crate) const TRUST_DOMAIN: Self = Self(8);
    pub(crate) const DIRECT_ADDRESS: Self = Self(9);
    pub(crate) const REMOTE_ADDRESS: Self = Self(10);
    pub(crate) const DESTINATION_ADDRESS: Self = Self(11);
    pub(crate) const HEADERS: u16 = 12;

    /// Fields without which a rule fails closed: DENY refuses, ALLOW does not allow.
    pub(crate) const VITAL: [Self; 9] = [
        Self::SERVER_NAME,
        Self::PORT,
        Self::DIRECT_ADDRESS,
        Self::REMOTE_ADDRESS,
        Self::DESTINATION_ADDRESS,
        Self::PRINCIPAL,
        Self::NAMESPACE,
        Self::SERVICE_ACCOUNT,
        Self::TRUST_DOMAIN,
    ];

    /// Whether it is one of [`Self::VITAL`].
    pub(crate) fn is_vital(self) -> bool {
        (Self::SERVER_NAME.0..=Self::DESTINATION_ADDRESS.0).contains(&self.0)
    }

    /// Whether it is read from the request headers.
    pub(crate) fn is_in_headers(self) -> bool {
        matches!(self, Self::PATH | Self::HOST | Self::METHOD) || self.0 >= Self::HEADERS
    }

    /// Whether it is a part of the peer's identity.
    pub(crate) fn is_identity(self) -> bool {
        matches!(self, Self::PRINCIPAL | Self::NAMESPACE | Self::SERVICE_ACCOUNT | Self::TRUST_DOMAIN)
    }

    /// What is not known where it is unknown, as response details say it.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::SERVER_NAME => "server-name",
            Self::PORT => "destination-port",
            Self::DIRECT_ADDRESS => "direct-address",
            Self::REMOTE_ADDRESS => "remote-address",
            Self::DESTINATION_ADDRESS => "destination-address",
            _ => "peer-identity",
        }
    }

    /// The attribute it is read from, where that is always the same one.
    pub(crate) fn attribute(self) -> Option<Attribute> {
        match self {
            Self::SERVER_NAME => Some(Attribute::RequestedServerName),
            Self::PORT | Self::DESTINATION_ADDRESS => Some(Attribute::DestinationAddress),
            Self::REMOTE_ADDRESS => Some(Attribute::SourceAddress),
            _ if self.is_identity() => Some(Attribute::PeerUriSan),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Field;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn vital_fields_are_those_of_the_list() {
        for number in 0..=Field::HEADERS {
            let field = Field(number);
            assert_eq!(field.is_vital(), Field::VITAL.contains(&field), "{field:?}");
        }
    }
}
