//! Reading dynamic metadata: the claims of the request's JWT, and what other filters have found.

use super::{Observer, Request};
use crate::compiled::Compiled;
use crate::compiled::metadata_tree::{JWT_FILTER, JWT_PAYLOAD, MetadataNames, Named};
use crate::dynamic::{write_item, write_request_principal, write_text};
use weir_model::{Attribute, Facts};
use weir_proto::{Damaged, MetadataView, StructView, ValueView};

/// Writes a value as it is compared; without it the value is compared as it is.
type Write = Option<fn(&[u8], &mut Vec<u8>)>;

/// A value that cannot be compared: it is damaged, or Envoy and a pattern over bytes would differ on it.
pub(crate) struct Incomparable;

impl From<Damaged> for Incomparable {
    fn from(_: Damaged) -> Self {
        Self
    }
}

/// How deep in metadata a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// A key of a filter.
    Key,
    /// A claim, or inside of one.
    Claim,
}

impl Request {
    /// Reads what rules ask of dynamic metadata. No metadata is known to be none: the request has no valid JWT.
    #[inline(never)]
    pub(super) fn read_dynamic(&mut self, compiled: &Compiled, facts: &Facts<'_>, observer: impl Observer) {
        let dimensions = &compiled.dimensions;
        let is_unreadable = facts.attributes.is_unreadable(&Attribute::DynamicMetadata);
        let metadata = MetadataView::new(facts.attributes.bytes(&Attribute::DynamicMetadata).unwrap_or_default());
        let mut looked_up = LookUp { compiled, request: self, observer };
        if let Some(dimension) = dimensions.request_principal
            && (is_unreadable || looked_up.request_principal(dimension, metadata).is_err())
        {
            looked_up.request.unknown.insert(dimension.into());
        }
        let before = looked_up.request.hits.members().len();
        if is_unreadable || looked_up.filters(&dimensions.metadata.filters, metadata).is_err() {
            looked_up.forget(&dimensions.metadata.filters, before);
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

/// Looks up values.
struct LookUp<'r, O> {
    compiled: &'r Compiled,
    request: &'r mut Request,
    observer: O,
}

impl<O: Observer> LookUp<'_, O> {
    fn request_principal(&mut self, dimension: u16, metadata: MetadataView<'_>) -> Result<(), Incomparable> {
        let Some(claims) = claims(metadata)? else { return Ok(()) };
        let (Some(ValueView::Text(issuer)), Some(ValueView::Text(subject))) = (claims.get("iss")?, claims.get("sub")?)
        else {
            return Ok(());
        };
        let Request { hits, text, .. } = self.request;
        if !write_request_principal(issuer, subject, text) {
            return Err(Incomparable);
        }
        self.observer.compared(dimension, text);
        self.compiled.patterns.look_up(dimension, text, hits);
        Ok(())
    }

    /// The metadata of all filters that are asked for.
    fn filters(&mut self, names: &MetadataNames, metadata: MetadataView<'_>) -> Result<(), Damaged> {
        for filter in metadata.filters() {
            let (name, fields) = filter?;
            if let Some(named) = names.get(name) {
                self.meet(named)?;
                self.inner(named, fields, Depth::Key);
            }
        }
        Ok(())
    }

    /// The fields of a message that are asked for.
    fn fields(&mut self, names: &MetadataNames, fields: StructView<'_>, depth: Depth) -> Result<(), Damaged> {
        for field in fields.fields() {
            let field = field?;
            let Some(named) = names.get(field.name) else { continue };
            self.meet(named)?;
            let value = field.value();
            if let Some(dimension) = named.value.and_then(|value| self.compiled.dimensions.of_metadata(value)) {
                let read = match value {
                    Ok(value) => self.value(dimension, value, depth),
                    Err(_) => Err(Incomparable),
                };
                if read.is_err() {
                    self.request.unknown.insert(dimension.into());
                }
            }
            match (value, &named.inner) {
                (Ok(ValueView::Map(fields)), Some(_)) => self.inner(named, fields, Depth::Claim),
                (Err(_), Some(names)) => self.forget(names, usize::MAX),
                (_, None) | (Ok(_), _) => {}
            }
        }
        Ok(())
    }

    /// What is asked for inside of a name. What is damaged is not known, and no more than that.
    fn inner(&mut self, named: &Named, fields: StructView<'_>, depth: Depth) {
        let Some(names) = &named.inner else { return };
        let before = self.request.hits.members().len();
        if self.fields(names, fields, depth).is_err() {
            self.forget(names, before);
        }
    }

    /// A name comes once, or it is not known what it means.
    fn meet(&mut self, named: &Named) -> Result<(), Damaged> {
        if self.request.met.insert(named.number) { Ok(()) } else { Err(Damaged) }
    }

    /// All that is asked under these names is unknown. What was hit of it, all after the first `before` patterns, is not.
    #[inline(never)]
    fn forget(&mut self, names: &MetadataNames, before: usize) {
        self.request.hits.truncate(before);
        for value in names.values() {
            if let Some(dimension) = self.compiled.dimensions.of_metadata(value) {
                self.request.unknown.insert(dimension.into());
            }
        }
    }

    /// Looks up a string, or the strings of a list: each of them, or none where one cannot be compared.
    fn value(&mut self, dimension: u16, value: ValueView<'_>, depth: Depth) -> Result<(), Incomparable> {
        let (one, item): (Write, Write) = match depth {
            Depth::Key => (Some(write_text), Some(write_item)),
            Depth::Claim => (None, None),
        };
        match value {
            ValueView::Text(text) => {
                comparable(text)?;
                self.text(dimension, text, one);
            }
            ValueView::List(list) => {
                for value in list.items() {
                    if let ValueView::Text(text) = value? {
                        comparable(text)?;
                    }
                }
                for value in list.items() {
                    if let ValueView::Text(text) = value? {
                        self.text(dimension, text, item);
                    }
                }
            }
            ValueView::Map(_) | ValueView::Other => {}
        }
        Ok(())
    }

    fn text(&mut self, dimension: u16, value: &[u8], write: Write) {
        self.observer.compared(dimension, value);
        let Request { hits, text, .. } = self.request;
        let compared = match write {
            Some(write) => {
                write(value, text);
                text
            }
            None => value,
        };
        self.compiled.patterns.look_up(dimension, compared, hits);
    }
}

/// Envoy's `*` is a regular expression whose `.` matches no line feed.
fn comparable(text: &[u8]) -> Result<(), Incomparable> {
    if text.contains(&b'\n') { Err(Incomparable) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
