//! What deciding reads of a request.

use crate::compiled::field::Field;
use weir_model::{Attribute, Demand};

/// What rules over `fields` read.
pub(crate) fn demand(
    fields: &[Field],
    direct_address: Option<&Attribute>,
    peer_uri_sans: Option<&Attribute>,
    asks_authenticated: bool,
) -> Demand {
    let mut demand = Demand { request_headers: fields.iter().any(|field| field.is_in_headers()), ..Demand::default() };
    demand.attributes.extend(fields.iter().filter_map(|field| field.attribute()));
    if fields.contains(&Field::DIRECT_ADDRESS) {
        demand.attributes.extend(direct_address.cloned());
    }
    if asks_authenticated {
        // `*` holds for a certificate with a name of any kind.
        demand.attributes.extend([Attribute::PeerDnsSan, Attribute::PeerSubject]);
    }
    if fields.iter().any(|field| field.is_identity()) {
        demand.attributes.insert(Attribute::PeerPrincipal);
        demand.attributes.extend(peer_uri_sans.cloned());
    }
    demand
}
