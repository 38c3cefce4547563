//! A request that an analysis gives as an example.

use super::space::{Place, Space};
use super::values::{Form, Value};
use crate::compiled::Compiled;
use crate::{CelOutcome, Explainer};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use weir_model::{Attribute, Attributes, Facts, Headers, PairsBuilder, Struct, StructValue};

/// A request, or a connection. What is `None` or empty is absent, or no policy looks at it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExampleRequest {
    /// Its method; none of a connection.
    pub method: Option<String>,
    /// Its path as the filter sees it, with its query if it has one. CONNECT has none.
    pub path: Option<String>,
    /// Its authority.
    pub host: Option<String>,
    /// Its other headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The URI SANs of the peer's certificate.
    pub principals: Vec<String>,
    /// The address of the original client.
    pub source_ip: Option<IpAddr>,
    /// The address of the direct peer.
    pub direct_ip: Option<IpAddr>,
    /// The address of the workload.
    pub destination_ip: Option<IpAddr>,
    /// The port of the workload.
    pub port: Option<u16>,
    /// The server name of the TLS handshake.
    pub server_name: Option<String>,
    /// The claims of its JWT.
    pub claims: Option<Struct>,
    /// Dynamic metadata by the filter that has left it.
    pub metadata: Vec<(String, Struct)>,
    /// What is taken for granted of expressions in CEL, by their texts. Whether a request like this one can make them come to
    /// that is not known.
    pub expressions: Vec<(String, CelOutcome)>,
}

/// Where Envoy's JWT filter leaves claims, as Istio configures it.
const JWT_FILTER: &str = "envoy.filters.http.jwt_authn";
const JWT_PAYLOAD: &str = "payload";

/// The port of a request that no policy asks for it.
const PORT: u16 = 8080;

impl ExampleRequest {
    /// The request with these values.
    pub(super) fn of<'v>(space: &Space, form: Form, values: impl Iterator<Item = (usize, &'v Value)>) -> Self {
        let mut request = Self::default();
        let values: BTreeMap<usize, &Value> = values.collect();
        for (place, value) in values {
            if let Some(place) = space.places.get(place) {
                request.set(place, value);
            }
        }
        if form == Form::Connect {
            request.path = None;
        }
        request
    }

    fn set(&mut self, place: &Place, value: &Value) {
        let text = || match value {
            Value::Texts(texts) => texts.first().cloned(),
            _ => None,
        };
        let address = || match value {
            Value::Address(address) => Some(*address),
            _ => None,
        };
        match (place, value) {
            (Place::Path, _) => self.path = text(),
            (Place::Host, _) => self.host = text(),
            (Place::Method, _) => self.method = text(),
            (Place::Header(name), Value::Texts(texts)) => {
                self.headers.extend(texts.iter().map(|text| (name.to_string(), text.clone())));
            }
            (Place::Peer, Value::Texts(texts)) => self.principals.clone_from(texts),
            (Place::DirectAddress, _) => self.direct_ip = address(),
            (Place::RemoteAddress, _) => self.source_ip = address(),
            (Place::DestinationAddress, _) => self.destination_ip = address(),
            (Place::DestinationPort, Value::Port(port)) => self.port = Some(*port),
            (Place::ServerName, _) => self.server_name = text(),
            (Place::Claims, Value::Claims(claims)) => self.claims = Some(claims.clone()),
            (Place::Expression(text), Value::Expression(outcome)) => {
                self.expressions.push((text.to_string(), *outcome));
            }
            (Place::Metadata { filter, key }, Value::Metadata(value)) => {
                let field = (key.to_string(), value.clone());
                match self.metadata.iter_mut().find(|(known, _)| **known == **filter) {
                    Some((_, fields)) => fields.0.push(field),
                    None => self.metadata.push((filter.to_string(), Struct(vec![field]))),
                }
            }
            _ => {}
        }
    }

    /// Hands the request to `then` as the proxy of `explainer` would hand it to the filter.
    pub fn with_facts<T>(&self, explainer: &Explainer, then: impl FnOnce(&Facts<'_>) -> T) -> T {
        self.with_sources(explainer.direct_address(), explainer.peer_uri_sans(), then)
    }

    /// What an expression comes to, by its number.
    pub(super) fn evaluate(&self, compiled: &Compiled, expression: u16) -> Option<bool> {
        let text = &compiled.expressions.list.get(usize::from(expression))?.text;
        self.expressions.iter().find(|(known, _)| **known == **text)?.1.value()
    }

    pub(super) fn with_sources<T>(
        &self,
        direct_address: Option<&Attribute>,
        peer_uri_sans: Option<&Attribute>,
        then: impl FnOnce(&Facts<'_>) -> T,
    ) -> T {
        let mut pairs = PairsBuilder::default();
        for (name, value) in [(":method", &self.method), (":authority", &self.host), (":path", &self.path)] {
            if let Some(value) = value {
                pairs.push(name.as_bytes(), value.as_bytes());
            }
        }
        for (name, value) in &self.headers {
            pairs.push(name.as_bytes(), value.as_bytes());
        }
        let mut attributes = Attributes::default();
        let mut set = |attribute: Option<&Attribute>, value: Option<String>| {
            if let Some((attribute, value)) = attribute.zip(value) {
                attributes.set(attribute, value.as_bytes());
            }
        };
        let text = |address: Option<IpAddr>| address.map(|address| address.to_string());
        set(Some(&Attribute::SourceAddress), text(self.source_ip));
        set(direct_address, text(self.direct_ip));
        set(Some(&Attribute::PeerUriSan), self.principals.first().cloned());
        set(peer_uri_sans, (!self.principals.is_empty()).then(|| self.principals.join(",")));
        set(Some(&Attribute::RequestedServerName), self.server_name.clone());
        if self.destination_ip.is_some() || self.port.is_some() {
            let address = self.destination_ip.unwrap_or(IpAddr::from([192, 0, 2, 2]));
            let socket = SocketAddr::new(address, self.port.unwrap_or(PORT));
            set(Some(&Attribute::DestinationAddress), Some(socket.to_string()));
        }
        let jwt = self
            .claims
            .as_ref()
            .map(|claims| (JWT_FILTER, Struct::from([(JWT_PAYLOAD.to_owned(), StructValue::Map(claims.clone()))])));
        let filters = self.metadata.iter().map(|(filter, fields)| (filter.as_str(), fields));
        let filters: Vec<(&str, &Struct)> =
            filters.chain(jwt.as_ref().map(|(filter, fields)| (*filter, fields))).collect();
        if !filters.is_empty() {
            attributes.set(&Attribute::DynamicMetadata, &weir_proto::encode_metadata(filters));
        }
        let (bytes, none) = (pairs.finish(), Headers::default());
        then(&Facts {
            request_headers: Headers::new(&bytes),
            response_headers: none,
            response_trailers: none,
            attributes: &attributes,
        })
    }
}
