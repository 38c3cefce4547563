//! What deciding reads of a request.

use crate::compiled::Compiled;
use crate::compiled::dimension::Source;
use weir_model::{Attribute, Demand};

/// What the compiled rules read.
pub(crate) fn demand(compiled: &Compiled) -> Demand {
    let dimensions = &compiled.dimensions;
    let mut demand = Demand { request_headers: dimensions.has_headers(), ..Demand::default() };
    demand.attributes.extend(dimensions.attributes.iter().filter_map(|(_, source)| match source {
        Source::Text(attribute) | Source::Port(attribute) => Some(attribute.clone()),
        Source::Address(attribute) => attribute.clone(),
        Source::Path | Source::Host | Source::Method | Source::Header => None,
        Source::Peer(_) | Source::Dynamic(_) | Source::Expression => None,
    }));
    if dimensions.has_metadata() {
        demand.attributes.insert(Attribute::DynamicMetadata);
    }
    if !dimensions.peer.is_empty() {
        demand.attributes.extend([Attribute::PeerPrincipal, Attribute::PeerUriSan]);
        demand.attributes.extend(compiled.peer_uri_sans.clone());
    }
    if compiled.asks_authenticated().is_some() {
        // `*` holds for a certificate with a name of any kind.
        demand.attributes.extend([Attribute::PeerDnsSan, Attribute::PeerSubject]);
    }
    demand
}
