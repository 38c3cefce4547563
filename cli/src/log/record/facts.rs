//! The request of a line as the filter would be handed it.

use super::{Place, Record};
use crate::log::header::Known;
use crate::log::names::{JWT_FILTER, JWT_PAYLOAD};
use std::net::SocketAddr;
use weir_model::{Attribute, Attributes, Facts, Headers, PairsBuilder, Struct, StructValue};
use weir_policy::Knowledge;

/// In how many ways a line is read.
const READINGS: usize = 16;

impl<'l> Record<'l> {
    /// Dynamic metadata as far as the line has it, by filter.
    pub(crate) fn filters(&self) -> Vec<(String, Struct)> {
        if self.claims.is_empty() && self.metadata.is_empty() {
            return Vec::new();
        }
        let mut payload = Struct::default();
        for (path, value) in &self.claims {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            put(&mut payload, &path, value);
        }
        let jwt = Struct::from([(JWT_PAYLOAD.to_owned(), StructValue::Map(payload))]);
        let mut filters = vec![(JWT_FILTER.to_owned(), jwt)];
        for (filter, path, value) in &self.metadata {
            let at = filters.iter().position(|(known, _)| **known == **filter).unwrap_or_else(|| {
                filters.push((filter.to_string(), Struct::default()));
                filters.len() - 1
            });
            let path: Vec<&str> = path.iter().map(|name| &**name).collect();
            filters.get_mut(at).into_iter().for_each(|(_, fields)| put(fields, &path, value));
        }
        filters
    }

    /// Hands over what the filter would be handed, as far as it is known.
    pub(crate) fn with_facts<T>(&self, attributes: &Attributes, then: impl FnOnce(&Facts<'_>) -> T) -> T {
        let mut pairs = PairsBuilder::default();
        let pseudo = [(":method", &self.method), (":authority", &self.host), (":path", &self.path)];
        for (name, known) in pseudo {
            for value in known.values().1 {
                pairs.push(name.as_bytes(), value);
            }
        }
        for (name, header) in &self.headers {
            for value in header.values(name).1 {
                pairs.push(name.as_bytes(), value);
            }
        }
        let (headers, none) = (pairs.finish(), Headers::default());
        then(&Facts {
            request_headers: Headers::new(&headers),
            response_headers: none,
            response_trailers: none,
            attributes,
        })
    }

    /// Every way to read the line, where a header's values can be taken apart in several; none where there are too many.
    pub(crate) fn readings(&self) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (place, (name, header)) in self.headers.iter().enumerate() {
            let readings = if header.values(name).0 == Knowledge::Whole { Vec::new() } else { header.readings() };
            if readings.is_empty() {
                continue;
            }
            let before = if all.is_empty() { vec![self.clone()] } else { std::mem::take(&mut all) };
            if before.len().saturating_mul(readings.len()) > READINGS {
                return Vec::new();
            }
            for record in before {
                for reading in &readings {
                    let mut record = record.clone();
                    record.headers.get_mut(place).into_iter().for_each(|(_, header)| *header = reading.clone());
                    all.push(record);
                }
            }
        }
        all
    }

    /// Sets the attributes; two are filter state by the keys that the policies name.
    pub(crate) fn set_attributes(
        &self,
        direct_key: Option<&Attribute>,
        sans_key: Option<&Attribute>,
        attributes: &mut Attributes,
    ) {
        attributes.clear();
        let mut set = |attribute: Option<&Attribute>, value: Option<&[u8]>| {
            if let (Some(attribute), Some(value)) = (attribute, value) {
                attributes.set(attribute, value);
            }
        };
        let text = |place: Option<Place>| match place? {
            (address, None) => Some(address.to_string()),
            (address, Some(port)) => Some(SocketAddr::new(address, port).to_string()),
        };
        let [remote, direct, local] = [self.remote_address, self.direct_address, self.local_address].map(text);
        set(Some(&Attribute::SourceAddress), remote.as_deref().map(str::as_bytes));
        set(direct_key, direct.as_deref().map(str::as_bytes));
        set(Some(&Attribute::DestinationAddress), local.as_deref().map(str::as_bytes));
        set(Some(&Attribute::PeerPrincipal), self.peer_principal.value());
        // Envoy joins them with commas, and the filter sees the first.
        let first =
            |known: &Known<'l>| known.value().map(|all| all.split(|byte| *byte == b',').next().unwrap_or(all).to_vec());
        set(Some(&Attribute::PeerUriSan), first(&self.uri_sans).as_deref());
        set(sans_key, self.uri_sans.value());
        set(Some(&Attribute::PeerDnsSan), first(&self.dns_sans).as_deref());
        set(Some(&Attribute::PeerSubject), self.subject.value());
        if let (Known::Value(name) | Known::Perhaps(name), true) = (&self.server_name, self.is_name_known()) {
            set(Some(&Attribute::RequestedServerName), Some(name));
        }
        let filters = self.filters();
        if !filters.is_empty() {
            let filters = filters.iter().map(|(filter, fields)| (filter.as_str(), fields));
            set(Some(&Attribute::DynamicMetadata), Some(&weir_proto::encode_metadata(filters)));
        }
    }
}

/// Puts a value where names lead; one without a name is the whole. A name that is there already is not there twice: what is inside
/// of both is put together, and of others the last counts.
fn put(into: &mut Struct, path: &[&str], value: &StructValue) {
    match (path, value) {
        ([], StructValue::Map(fields)) => fields.0.iter().for_each(|(name, value)| put(into, &[name], value)),
        ([], _) | (_, StructValue::Null) => {}
        ([name, rest @ ..], value) => {
            let place = into.0.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                into.0.push(((*name).to_owned(), StructValue::Null));
                into.0.len() - 1
            });
            let Some((_, known)) = into.0.get_mut(place) else { return };
            if rest.is_empty() && !matches!(value, StructValue::Map(_)) {
                *known = value.clone();
                return;
            }
            if !matches!(known, StructValue::Map(_)) {
                *known = StructValue::Map(Struct::default());
            }
            if let StructValue::Map(inner) = known {
                put(inner, rest, value);
            }
        }
    }
}
