//! The values of one request that some test looks at.

use crate::compile::Compiled;
use crate::field::Field;
use std::net::IpAddr;
use weir_matching::{Candidates, SPIFFE_ID_BYTES, service_accounts, socket_address, spiffe_id, without_query};
use weir_model::{Attribute, Facts};

/// Memory kept between requests, so that a request allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    values: Vec<(Field, &'static [u8])>,
    host: Vec<u8>,
    account: Vec<u8>,
    pub(crate) candidates: Candidates,
    pub(crate) memo: crate::evaluate::Memo,
}

impl Scratch {
    /// Takes the request's values out of `facts`, hands them to `then`, and forgets them.
    pub(crate) fn with<T>(
        &mut self,
        compiled: &Compiled,
        facts: &Facts<'_>,
        then: impl FnOnce(&Request<'_>, &mut Self) -> T,
    ) -> T {
        let mut host = std::mem::take(&mut self.host);
        lower_host(compiled, facts, &mut host);
        let values = recycle(std::mem::take(&mut self.values));
        let mut request = Request { values, addresses: [None; 3], authenticated: false, stranger: false };
        request.read_headers(compiled, facts, &host);
        request.read_attributes(compiled, facts);
        let result = then(&request, self);
        self.values = recycle(request.values);
        self.host = host;
        result
    }

    /// Finds the rules that can match.
    pub(crate) fn probe(&mut self, compiled: &Compiled, request: &Request<'_>) {
        let Self { candidates, account, .. } = self;
        let index = &compiled.index;
        index.start(candidates);
        for (field, value) in &request.values {
            index.probe(field.0, value, candidates);
            if *field != Field::PRINCIPAL {
                continue;
            }
            for namespace in weir_matching::namespaces(value) {
                index.probe(Field::NAMESPACE.0, namespace, candidates);
            }
            let accounts = compiled.fields.contains(&Field::SERVICE_ACCOUNT).then(|| service_accounts(value));
            for (namespace, name) in accounts.into_iter().flatten() {
                account.clear();
                account.extend_from_slice(namespace);
                account.push(b'/');
                account.extend_from_slice(name);
                index.probe(Field::SERVICE_ACCOUNT.0, account, candidates);
            }
            if let Some(domain) = weir_matching::trust_domain(value) {
                index.probe(Field::TRUST_DOMAIN.0, domain, candidates);
            }
        }
        if request.authenticated {
            index.probe_present(Field::PRINCIPAL.0, candidates);
        }
        // The first four are the port and the addresses.
        let vital = if request.stranger { Field::VITAL.len() } else { 4 };
        for field in Field::VITAL.into_iter().take(vital) {
            match request.address(field) {
                Some(address) => index.probe_address(field.0, address, candidates),
                None if request.is_unknown(field) => index.probe_unknown(field.0, candidates),
                None => {}
            }
        }
    }
}

/// Empties a vector and changes the lifetime of what it may hold. The standard library collects in place, so the memory
/// stays.
fn recycle<'b>(mut values: Vec<(Field, &[u8])>) -> Vec<(Field, &'b [u8])> {
    values.clear();
    values.into_iter().map(|(field, _)| (field, <&[u8]>::default())).collect()
}

fn lower_host(compiled: &Compiled, facts: &Facts<'_>, host: &mut Vec<u8>) {
    host.clear();
    if compiled.fields.contains(&Field::HOST)
        && let Some(found) = facts.request_headers.first(b":authority")
    {
        host.extend(found.iter().map(u8::to_ascii_lowercase));
    }
}

/// The values of one request. A field may have none (absent), one, or several.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) values: Vec<(Field, &'a [u8])>,
    addresses: [Option<IpAddr>; 3],
    /// The peer presented a certificate.
    pub(crate) authenticated: bool,
    /// The peer presented a certificate, and whose it is cannot be told.
    stranger: bool,
}

impl<'a> Request<'a> {
    /// The address in one of the address fields.
    pub(crate) fn address(&self, field: Field) -> Option<IpAddr> {
        let place = field.0.checked_sub(Field::DIRECT_ADDRESS.0)?;
        self.addresses.get(usize::from(place)).copied().flatten()
    }

    /// Whether a vital field could not be read.
    pub(crate) fn is_unknown(&self, field: Field) -> bool {
        match field {
            Field::PORT => !self.values.iter().any(|(known, _)| *known == Field::PORT),
            field if field.is_identity() => self.stranger,
            _ => self.address(field).is_none(),
        }
    }

    fn read_headers(&mut self, compiled: &Compiled, facts: &Facts<'a>, host: &'a [u8]) {
        let wants = |field| compiled.fields.binary_search(&field).is_ok();
        let (path, method) = (wants(Field::PATH), wants(Field::METHOD));
        if !path && !method && compiled.headers.is_empty() && !wants(Field::HOST) {
            return;
        }
        let mut has_host = false;
        for (name, value) in facts.request_headers.iter() {
            match name {
                b":path" if path => self.values.push((Field::PATH, without_query(value))),
                b":method" if method => self.values.push((Field::METHOD, value)),
                b":authority" if !has_host && wants(Field::HOST) => {
                    has_host = true;
                    self.values.push((Field::HOST, host));
                }
                _ => {}
            }
            if let Ok(place) = compiled.headers.binary_search_by(|known| (**known).cmp(name))
                && let Ok(place) = u16::try_from(place)
            {
                self.values.push((Field(Field::HEADERS.saturating_add(place)), value.trim_ascii()));
            }
        }
    }

    fn read_attributes(&mut self, compiled: &Compiled, facts: &Facts<'a>) {
        let attributes = facts.attributes;
        for field in &compiled.fields {
            match *field {
                Field::SERVER_NAME => {
                    let name = attributes.bytes(&Attribute::RequestedServerName);
                    self.values.extend(name.map(|name| (Field::SERVER_NAME, name)));
                }
                Field::PORT => {
                    let address = attributes.bytes(&Attribute::DestinationAddress).and_then(socket_address);
                    self.values.extend(address.and_then(|(_, port)| Some((Field::PORT, port?))));
                }
                Field::DIRECT_ADDRESS => {
                    let state = compiled.direct_address.as_ref();
                    self.set_address(*field, state.and_then(|state| attributes.bytes(state)));
                }
                Field::REMOTE_ADDRESS => self.set_address(*field, attributes.bytes(&Attribute::SourceAddress)),
                Field::DESTINATION_ADDRESS => {
                    self.set_address(*field, attributes.bytes(&Attribute::DestinationAddress));
                }
                _ => {}
            }
        }
        if compiled.fields.iter().any(|field| field.is_identity()) {
            self.read_identities(compiled, facts);
        }
    }

    fn set_address(&mut self, field: Field, text: Option<&[u8]>) {
        let place = field.0.checked_sub(Field::DIRECT_ADDRESS.0).map(usize::from);
        let address = text.and_then(socket_address).map(|(address, _)| address);
        if let Some(place) = place.and_then(|place| self.addresses.get_mut(place)) {
            *place = address;
        }
    }

    fn read_identities(&mut self, compiled: &Compiled, facts: &Facts<'a>) {
        let first = facts.attributes.bytes(&Attribute::PeerUriSan).unwrap_or_default();
        let state = compiled.peer_uri_sans.as_ref().map(|state| facts.attributes.bytes(state));
        let all = state.flatten().unwrap_or_default();
        let mtls = facts.attributes.bool(&Attribute::ConnectionMtls).unwrap_or(false);
        self.authenticated = mtls || !first.is_empty();
        // The first is known, so what is a comma in it does not begin another.
        let after = all.strip_prefix(first).filter(|rest| rest.first().is_none_or(|byte| *byte == b','));
        let others = after.unwrap_or(all).split(|byte| *byte == b',');
        let sans = std::iter::once(first).chain(others).filter(|san| spiffe_id(san).is_some());
        // A name with a NUL byte may be another one to who issued it. If not all names are there that should be, a rule
        // may be about one of the rest. And work on a name grows with the square of its length.
        self.stranger = first.contains(&0)
            || all.contains(&0)
            || (state == Some(None) && !first.is_empty())
            || sans.clone().any(|san| san.len() > SPIFFE_ID_BYTES);
        if !self.stranger {
            self.values.extend(sans.filter_map(|san| Some((Field::PRINCIPAL, spiffe_id(san)?))));
        }
    }
}
