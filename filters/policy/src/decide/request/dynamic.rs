//! Reading dynamic metadata: the claims of the request's JWT, and what other filters have found.

use super::{Observer, Request};
use crate::compiled::Compiled;
use crate::compiled::dimension::Dynamic;
use crate::dynamic::{write_item, write_request_principal, write_text};
use weir_matching::Patterns;
use weir_model::{Attribute, Facts};
use weir_proto::{MetadataView, StructView, ValueView};

/// Where Envoy's JWT filter leaves the claims, as Istio configures it.
const JWT_FILTER: &str = "envoy.filters.http.jwt_authn";
const JWT_PAYLOAD: &str = "payload";

/// Writes a value as it is compared; without it the value is compared as it is.
type Write = Option<fn(&[u8], &mut Vec<u8>)>;

/// A value that cannot be compared: it is damaged, or Envoy and a pattern over bytes would differ on it.
pub(crate) struct Incomparable;

impl From<weir_proto::Damaged> for Incomparable {
    fn from(_: weir_proto::Damaged) -> Self {
        Self
    }
}

impl Request {
    /// Reads what rules ask of dynamic metadata. No metadata is known to be none: the request has no valid JWT.
    #[inline(never)]
    pub(super) fn read_dynamic(&mut self, compiled: &Compiled, facts: &Facts<'_>, observer: impl Observer) {
        let is_unreadable = facts.attributes.is_unreadable(&Attribute::DynamicMetadata);
        let metadata = MetadataView::new(facts.attributes.bytes(&Attribute::DynamicMetadata).unwrap_or_default());
        let claims = claims(metadata);
        for (dimension, value) in &compiled.dimensions.dynamic {
            let mut looked_up = LookUp { patterns: &compiled.patterns, dimension: *dimension, request: self, observer };
            let read = match (&claims, value) {
                _ if is_unreadable => Err(Incomparable),
                (_, Dynamic::Value { filter, key }) => looked_up.metadata(metadata, filter, key),
                (Err(Incomparable), _) => Err(Incomparable),
                (Ok(None), _) => Ok(()),
                (Ok(Some(claims)), Dynamic::RequestPrincipal) => looked_up.request_principal(*claims),
                (Ok(Some(claims)), Dynamic::Claim(path)) => looked_up.claim(*claims, path),
            };
            if read.is_err() {
                self.unknown.insert((*dimension).into());
            }
        }
    }
}

/// The claims of a valid JWT.
pub(crate) fn claims(metadata: MetadataView<'_>) -> Result<Option<StructView<'_>>, Incomparable> {
    let Some(jwt) = metadata.get(JWT_FILTER)? else { return Ok(None) };
    Ok(match jwt.get(JWT_PAYLOAD)? {
        Some(ValueView::Map(claims)) => Some(claims),
        _ => None,
    })
}

/// Looks up the values of one dimension.
struct LookUp<'r, O> {
    patterns: &'r Patterns,
    dimension: u16,
    request: &'r mut Request,
    observer: O,
}

impl<O: Observer> LookUp<'_, O> {
    fn request_principal(&mut self, claims: StructView<'_>) -> Result<(), Incomparable> {
        let (Some(ValueView::Text(issuer)), Some(ValueView::Text(subject))) = (claims.get("iss")?, claims.get("sub")?)
        else {
            return Ok(());
        };
        let Request { hits, text, .. } = self.request;
        if !write_request_principal(issuer, subject, text) {
            return Err(Incomparable);
        }
        self.observer.compared(self.dimension, text);
        self.patterns.look_up(self.dimension, text, hits);
        Ok(())
    }

    fn claim(&mut self, claims: StructView<'_>, path: &[Box<str>]) -> Result<(), Incomparable> {
        self.value(claims.at(path.iter().map(|name| &**name))?, None, None)
    }

    fn metadata(&mut self, metadata: MetadataView<'_>, filter: &str, key: &str) -> Result<(), Incomparable> {
        let found = metadata.get(filter)?.map(|fields| fields.get(key)).transpose()?.flatten();
        self.value(found, Some(write_text), Some(write_item))
    }

    /// Looks up a string, or the strings of a list: each of them, or none where one cannot be compared.
    fn value(&mut self, value: Option<ValueView<'_>>, one: Write, item: Write) -> Result<(), Incomparable> {
        match value {
            Some(ValueView::Text(text)) => {
                comparable(text)?;
                self.text(text, one);
            }
            Some(ValueView::List(list)) => {
                for value in list.items() {
                    if let ValueView::Text(text) = value? {
                        comparable(text)?;
                    }
                }
                for value in list.items() {
                    if let ValueView::Text(text) = value? {
                        self.text(text, item);
                    }
                }
            }
            Some(ValueView::Map(_) | ValueView::Other) | None => {}
        }
        Ok(())
    }

    fn text(&mut self, value: &[u8], write: Write) {
        self.observer.compared(self.dimension, value);
        let Request { hits, text, .. } = self.request;
        let compared = match write {
            Some(write) => {
                write(value, text);
                text
            }
            None => value,
        };
        self.patterns.look_up(self.dimension, compared, hits);
    }
}

/// Envoy's `*` is a regular expression whose `.` matches no line feed.
fn comparable(text: &[u8]) -> Result<(), Incomparable> {
    if text.contains(&b'\n') { Err(Incomparable) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
