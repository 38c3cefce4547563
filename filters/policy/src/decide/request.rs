//! The values of one request that some test looks at.

use crate::compiled::Compiled;
use crate::compiled::field::Field;
use std::net::IpAddr;
use weir_matching::{Candidates, SPIFFE_ID_BYTES, service_accounts, socket_address, without_parameters, without_query};
use weir_model::{Attribute, Facts};

/// Memory kept between requests, so that a request allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    values: Vec<(Field, &'static [u8])>,
    host: Vec<u8>,
    path: Vec<u8>,
    account: Vec<u8>,
    pub(crate) candidates: Candidates,
    pub(crate) memo: super::memo::Memo,
}

impl Scratch {
    /// Takes the request's values out of `facts`, hands them to `then`, and forgets them.
    pub(crate) fn with<T>(
        &mut self,
        compiled: &Compiled,
        facts: &Facts<'_>,
        then: impl FnOnce(&Request<'_>, &mut Self) -> T,
    ) -> T {
        let (mut host, mut path) = (std::mem::take(&mut self.host), std::mem::take(&mut self.path));
        lower_host(compiled, facts, &mut host);
        plain_path(compiled, facts, &mut path);
        let values = recycle(std::mem::take(&mut self.values));
        let mut request = Request {
            values,
            addresses: [None; 3],
            authenticated: false,
            unknown_peer: false,
            unknown_server_name: false,
        };
        request.read_headers(compiled, facts, &host, &path);
        request.read_attributes(compiled, facts);
        let result = then(&request, self);
        self.values = recycle(request.values);
        (self.host, self.path) = (host, path);
        result
    }

    /// Finds the rules that can match.
    pub(crate) fn probe(&mut self, compiled: &Compiled, request: &Request<'_>) {
        let Self { candidates, account, .. } = self;
        let index = &compiled.index;
        index.start(candidates);
        for (field, value) in &request.values {
            match *field {
                Field::NAMESPACE => {
                    for namespace in weir_matching::namespaces(value) {
                        index.probe(Field::NAMESPACE.0, namespace, candidates);
                    }
                }
                Field::PRINCIPAL => {
                    index.probe(Field::PRINCIPAL.0, value, candidates);
                    let accounts = compiled.fields.contains(&Field::SERVICE_ACCOUNT).then(|| service_accounts(value));
                    for (namespace, name) in accounts.into_iter().flatten() {
                        account.clear();
                        account.extend_from_slice(namespace);
                        account.push(b'/');
                        account.extend_from_slice(name);
                        index.probe(Field::SERVICE_ACCOUNT.0, account, candidates);
                    }
                    match weir_matching::trust_domain(value) {
                        Some(domain) => index.probe(Field::TRUST_DOMAIN.0, domain, candidates),
                        None => index.probe_present(Field::TRUST_DOMAIN.0, candidates),
                    }
                }
                field => index.probe(field.0, value, candidates),
            }
        }
        if request.authenticated {
            index.probe_present(Field::PRINCIPAL.0, candidates);
        }
        for field in &compiled.vital {
            match request.address(*field) {
                Some(address) => index.probe_address(field.0, address, candidates),
                None if request.is_unknown(*field) => index.probe_unknown(field.0, candidates),
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

/// The path without its parameters, where those are ignored.
fn plain_path(compiled: &Compiled, facts: &Facts<'_>, path: &mut Vec<u8>) {
    if compiled.ignore_path_parameters
        && compiled.fields.contains(&Field::PATH)
        && let Some(found) = facts.request_headers.first(b":path")
    {
        without_parameters(without_query(found), path);
    }
}

/// The values of one request. A field may have none (absent), one, or several.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) values: Vec<(Field, &'a [u8])>,
    addresses: [Option<IpAddr>; 3],
    /// The peer has shown a name of any kind.
    pub(crate) authenticated: bool,
    /// Who the peer is cannot be read.
    unknown_peer: bool,
    unknown_server_name: bool,
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
            Field::SERVER_NAME => self.unknown_server_name,
            field if field.is_identity() => self.unknown_peer,
            _ => self.address(field).is_none(),
        }
    }

    fn read_headers(&mut self, compiled: &Compiled, facts: &Facts<'a>, host: &'a [u8], plain_path: &'a [u8]) {
        let wants = |field| compiled.fields.binary_search(&field).is_ok();
        let (path, method) = (wants(Field::PATH), wants(Field::METHOD));
        if !path && !method && compiled.headers.is_empty() && !wants(Field::HOST) {
            return;
        }
        let mut has_host = false;
        for (name, value) in facts.request_headers.iter() {
            match name {
                b":path" if path => {
                    let compared = if compiled.ignore_path_parameters { plain_path } else { without_query(value) };
                    self.values.push((Field::PATH, compared));
                }
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
                self.values.push((Field(Field::HEADERS.saturating_add(place)), value));
            }
        }
    }

    fn read_attributes(&mut self, compiled: &Compiled, facts: &Facts<'a>) {
        let attributes = facts.attributes;
        for field in &compiled.fields {
            match *field {
                Field::SERVER_NAME => {
                    self.unknown_server_name = attributes.is_unreadable(&Attribute::RequestedServerName);
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

    /// Reads who the peer is: what Istio has put into filter state on HBONE listeners and waypoints, else what the
    /// certificate says.
    fn read_identities(&mut self, compiled: &Compiled, facts: &Facts<'a>) {
        let attributes = facts.attributes;
        if attributes.is_unreadable(&Attribute::PeerPrincipal) {
            self.unknown_peer = true;
            return;
        }
        if let Some(principal) = attributes.bytes(&Attribute::PeerPrincipal) {
            self.authenticated = !principal.is_empty();
            self.name_peer(compiled, std::iter::once(principal));
            return;
        }
        let first = attributes.bytes(&Attribute::PeerUriSan).unwrap_or_default();
        let state = compiled.peer_uri_sans.as_ref();
        let all = state.and_then(|state| attributes.bytes(state));
        let named = |attribute| attributes.bytes(&attribute).is_some_and(|name| !name.is_empty());
        self.authenticated = !first.is_empty()
            || compiled.asks_authenticated && (named(Attribute::PeerDnsSan) || named(Attribute::PeerSubject));
        // If not all names are there that should be, a rule may be about one of the rest.
        self.unknown_peer = (state.is_some() && all.is_none() && !first.is_empty())
            || state.is_some_and(|state| attributes.is_unreadable(state))
            || attributes.is_unreadable(&Attribute::PeerUriSan)
            || compiled.asks_authenticated
                && (attributes.is_unreadable(&Attribute::PeerDnsSan)
                    || attributes.is_unreadable(&Attribute::PeerSubject));
        let all = all.unwrap_or_default();
        // The first is known, so what is a comma in it does not begin another.
        let after = all.strip_prefix(first).filter(|rest| rest.first().is_none_or(|byte| *byte == b','));
        let others = after.unwrap_or(all).split(|byte| *byte == b',');
        self.name_peer(compiled, std::iter::once(first).chain(others).filter(|san| !san.is_empty()));
    }

    /// Takes the peer's names, each a whole URI. A name is a guess if it holds what no URI does, such as a NUL byte, which
    /// some certificate authorities read as its end, or is longer than a SPIFFE ID may be.
    fn name_peer(&mut self, compiled: &Compiled, names: impl Iterator<Item = &'a [u8]> + Clone) {
        let is_readable =
            |name: &[u8]| name.len() <= SPIFFE_ID_BYTES && name.iter().all(|byte| matches!(byte, b' '..=b'~'));
        self.unknown_peer |= !names.clone().all(is_readable);
        if self.unknown_peer {
            return;
        }
        let by_namespace = compiled.fields.binary_search(&Field::NAMESPACE).is_ok();
        for name in names {
            if by_namespace {
                self.values.push((Field::NAMESPACE, name));
            }
            self.values.extend(name.strip_prefix(b"spiffe://").map(|id| (Field::PRINCIPAL, id)));
        }
    }
}
