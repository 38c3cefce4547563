//! Reading one request: which patterns its values match, and what of it cannot be read.

mod dynamic;

pub(crate) use dynamic::claims;

use crate::compiled::Compiled;
use crate::compiled::dimension::{Identity, Source};
use weir_matching::{
    BitSet, SPIFFE_ID_BYTES, after_namespace_marks, has_few_marks, normalized_host, service_accounts, socket_address,
    trust_domain, without_query,
};
use weir_model::{Attribute, Facts};

/// How many names of a peer are compared.
const NAMES: usize = 32;

/// Is shown each value that is compared with the patterns of a dimension, for explanations. The filter shows them to nothing,
/// which costs nothing: a reader is compiled for each kind of observer.
pub(crate) trait Observer: Copy {
    fn compared(self, dimension: u16, value: &[u8]);
}

impl Observer for () {
    #[inline(always)]
    fn compared(self, _dimension: u16, _value: &[u8]) {}
}

/// What is known of one request. Its memory is kept between requests.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// The numbers of the patterns that some value matches.
    pub(crate) hits: BitSet,
    /// The dimensions whose values could not be read. No pattern of them is hit.
    pub(crate) unknown: BitSet,
    /// The names in dynamic metadata that were met.
    met: BitSet,
    /// Where values are written that are compared otherwise than as they came.
    text: Vec<u8>,
}

impl Request {
    /// Whether the values of a dimension could not be read.
    #[inline]
    pub(crate) fn is_unknown(&self, dimension: u16) -> bool {
        !self.unknown.is_empty() && self.unknown.contains(dimension.into())
    }

    /// Forgets the request before.
    pub(crate) fn start(&mut self, compiled: &Compiled) {
        self.hits.start(compiled.patterns.len());
        self.unknown.start(compiled.dimensions.named_by_field());
        self.met.start(compiled.dimensions.metadata.names());
    }

    /// Reads the request that `facts` are about.
    pub(crate) fn read(&mut self, compiled: &Compiled, facts: &Facts<'_>, observer: impl Observer) {
        if compiled.dimensions.has_headers() {
            self.read_headers(compiled, facts, observer);
        }
        for (dimension, source) in &compiled.dimensions.attributes {
            self.read_attribute(compiled, facts, *dimension, source, observer);
        }
        if !compiled.dimensions.peer.is_empty() {
            self.read_peer(compiled, facts, observer);
        }
        if compiled.dimensions.has_metadata() {
            self.read_dynamic(compiled, facts, observer);
        }
    }

    fn read_headers(&mut self, compiled: &Compiled, facts: &Facts<'_>, observer: impl Observer) {
        let Self { hits, text, unknown, .. } = self;
        let Compiled { patterns, dimensions, .. } = compiled;
        let mut host = dimensions.host;
        // The header by name that was looked up last: name, dimension, value.
        let mut last: Option<(&[u8], u16, &[u8])> = None;
        for (name, value) in facts.request_headers.iter() {
            match name {
                b":path" => {
                    if let Some(path) = dimensions.path {
                        match compiled.path_parameters.compared(without_query(value), text) {
                            Some(compared) => {
                                observer.compared(path, compared);
                                patterns.look_up(path, compared, hits);
                            }
                            None => {
                                unknown.insert(path.into());
                            }
                        }
                    }
                }
                b":method" => {
                    if let Some(method) = dimensions.method {
                        observer.compared(method, value);
                        patterns.look_up(method, value, hits);
                    }
                }
                b":authority" => {
                    // The first one counts.
                    if let Some(host) = host.take() {
                        normalized_host(value, text);
                        observer.compared(host, text);
                        patterns.look_up(host, text, hits);
                    }
                }
                _ => {}
            }
            // A client may send many copies of a header: its name is found once, and a value not looked up again at once.
            match last {
                Some((known, _, same)) if known == name && same == value => {}
                Some((known, header, _)) if known == name => {
                    observer.compared(header, value);
                    patterns.look_up(header, value, hits);
                    last = Some((name, header, value));
                }
                _ => {
                    if let Some(header) = dimensions.header(name) {
                        observer.compared(header, value);
                        patterns.look_up(header, value, hits);
                        last = Some((name, header, value));
                    }
                }
            }
        }
    }

    #[inline(never)]
    fn read_attribute(
        &mut self,
        compiled: &Compiled,
        facts: &Facts<'_>,
        dimension: u16,
        source: &Source,
        observer: impl Observer,
    ) {
        let (attributes, patterns) = (facts.attributes, &compiled.patterns);
        let is_known = match source {
            Source::Text(attribute) => {
                if let Some(text) = attributes.bytes(attribute) {
                    observer.compared(dimension, text);
                    patterns.look_up(dimension, text, &mut self.hits);
                }
                // An absent one is known to be absent.
                !attributes.is_unreadable(attribute)
            }
            Source::Port(attribute) => {
                let port = attributes.bytes(attribute).and_then(socket_address).and_then(|(_, port)| port);
                if let Some(port) = port {
                    observer.compared(dimension, port);
                    patterns.look_up(dimension, port, &mut self.hits);
                }
                port.is_some()
            }
            Source::Address(attribute) => {
                let text = attribute.as_ref().and_then(|attribute| attributes.bytes(attribute));
                text.into_iter().for_each(|text| observer.compared(dimension, text));
                let address = text.and_then(socket_address);
                if let Some((address, _)) = address {
                    patterns.look_up_address(dimension, address, &mut self.hits);
                }
                address.is_some()
            }
            Source::Path | Source::Host | Source::Method | Source::Header => true,
            Source::Peer(_) | Source::Dynamic(_) | Source::Expression => true,
        };
        if !is_known {
            self.unknown.insert(dimension.into());
        }
    }

    /// Reads who the peer is: what Istio has put into filter state on HBONE listeners and waypoints, else what the
    /// certificate says.
    #[inline(never)]
    fn read_peer(&mut self, compiled: &Compiled, facts: &Facts<'_>, observer: impl Observer) {
        let attributes = facts.attributes;
        if attributes.is_unreadable(&Attribute::PeerPrincipal) {
            return self.peer_is_unknown(compiled);
        }
        if let Some(principal) = attributes.bytes(&Attribute::PeerPrincipal) {
            return self.name_peer(compiled, !principal.is_empty(), std::iter::once(principal), observer);
        }
        let asks_authenticated = compiled.asks_authenticated().is_some();
        let first = attributes.bytes(&Attribute::PeerUriSan).unwrap_or_default();
        let state = compiled.peer_uri_sans.as_ref();
        let all = state.and_then(|state| attributes.bytes(state));
        // If not all names are there that should be, a rule may be about one of the rest.
        let is_unknown = (state.is_some() && all.is_none() && !first.is_empty())
            || state.is_some_and(|state| attributes.is_unreadable(state))
            || attributes.is_unreadable(&Attribute::PeerUriSan)
            || asks_authenticated
                && (attributes.is_unreadable(&Attribute::PeerDnsSan)
                    || attributes.is_unreadable(&Attribute::PeerSubject));
        if is_unknown {
            return self.peer_is_unknown(compiled);
        }
        let named = |attribute| attributes.bytes(&attribute).is_some_and(|name| !name.is_empty());
        let is_authenticated =
            !first.is_empty() || asks_authenticated && (named(Attribute::PeerDnsSan) || named(Attribute::PeerSubject));
        let all = all.unwrap_or_default();
        // The first is known, so what is a comma in it does not begin another.
        let after = all.strip_prefix(first).filter(|rest| rest.first().is_none_or(|byte| *byte == b','));
        let others = after.unwrap_or(all).split(|byte| *byte == b',');
        let names = std::iter::once(first).chain(others).filter(|san| !san.is_empty());
        self.name_peer(compiled, is_authenticated, names, observer);
    }

    fn peer_is_unknown(&mut self, compiled: &Compiled) {
        for (dimension, _) in &compiled.dimensions.peer {
            self.unknown.insert((*dimension).into());
        }
    }

    /// Takes the peer's names, each a whole URI. A name is a guess if it holds what no URI does, such as a NUL byte, which
    /// some certificate authorities read as its end, or is longer than a SPIFFE ID may be. What would cost much to compare, as
    /// no identity of a mesh does, is not compared either.
    #[inline(never)]
    fn name_peer<'n>(
        &mut self,
        compiled: &Compiled,
        is_authenticated: bool,
        names: impl Iterator<Item = &'n [u8]> + Clone,
        observer: impl Observer,
    ) {
        let is_readable = |name: &[u8]| {
            name.len() <= SPIFFE_ID_BYTES && name.iter().all(|byte| matches!(byte, b' '..=b'~')) && has_few_marks(name)
        };
        if !names.clone().all(is_readable) || names.clone().nth(NAMES).is_some() {
            return self.peer_is_unknown(compiled);
        }
        if let Some(pattern) = compiled.asks_authenticated().filter(|_| is_authenticated) {
            self.hits.insert(pattern);
        }
        for name in names {
            for (dimension, identity) in &compiled.dimensions.peer {
                observer.compared(*dimension, name);
                self.look_up_identity(compiled, *dimension, *identity, name);
            }
        }
    }

    fn look_up_identity(&mut self, compiled: &Compiled, dimension: u16, identity: Identity, name: &[u8]) {
        let (Self { hits, text, .. }, patterns) = (self, &compiled.patterns);
        let id = name.strip_prefix(b"spiffe://");
        match (identity, id) {
            (Identity::Namespace, _) => {
                after_namespace_marks(name).for_each(|rest| patterns.look_up(dimension, rest, hits));
            }
            (Identity::Principal, Some(id)) => patterns.look_up(dimension, id, hits),
            (Identity::ServiceAccount, Some(id)) => {
                for (namespace, account) in service_accounts(id) {
                    text.clear();
                    text.extend_from_slice(namespace);
                    text.push(b'/');
                    text.extend_from_slice(account);
                    patterns.look_up(dimension, text, hits);
                }
            }
            (Identity::TrustDomain, Some(id)) => match trust_domain(id) {
                Some(domain) => patterns.look_up(dimension, domain, hits),
                // `*` is any SPIFFE ID, also one without a path.
                None => patterns.any(dimension).into_iter().for_each(|pattern| {
                    hits.insert(pattern);
                }),
            },
            (Identity::Principal | Identity::ServiceAccount | Identity::TrustDomain, None) => {}
        }
    }
}
