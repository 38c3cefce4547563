//! The facts of a request kept while its decision waits, and its headers as edits make them.
//!
//! Envoy shows a request only while its headers arrive. What decides about it later decides on a copy, to which it applies
//! the edits that Envoy is asked for.

use crate::{Attribute, Attributes, Facts, HeaderEdit, Headers, PairsBuilder};
use std::borrow::Cow;

/// Whether the name is a token of RFC 9110, section 5.6.2, or a pseudo-header.
pub fn is_header_name(name: &[u8]) -> bool {
    let token = name.strip_prefix(b":").unwrap_or(name);
    let is_token = |byte: &u8| {
        matches!(byte, b'a'..=b'z' | b'-' | b'0'..=b'9' | b'A'..=b'Z')
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'.' | b'^'..=b'`' | b'|' | b'~')
    };
    !token.is_empty() && token.iter().all(is_token)
}

/// Whether no byte of a value would end the header.
pub fn is_header_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\0' | b'\r' | b'\n'))
}

/// The facts of a request whose decision waits for a callout.
#[derive(Clone, Debug)]
pub struct Kept {
    headers: Vec<u8>,
    attributes: Attributes,
}

impl Kept {
    /// Copies what the phase of the request has.
    pub fn new(facts: &Facts<'_>) -> Self {
        Self { headers: facts.request_headers.bytes().to_vec(), attributes: facts.attributes.clone() }
    }

    /// The same facts again.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            request_headers: Headers::new(&self.headers),
            response_headers: Headers::default(),
            response_trailers: Headers::default(),
            attributes: &self.attributes,
        }
    }

    /// How many bytes of a request this is.
    pub fn bytes(&self) -> usize {
        self.headers.len().saturating_add(self.attributes.len())
    }

    /// Puts bytes behind the value of an attribute, which may be absent. One that the host could not hand over stays so.
    pub fn append(&mut self, attribute: &Attribute, bytes: &[u8]) {
        if !self.attributes.is_unreadable(attribute) {
            let value = [self.attributes.bytes(attribute).unwrap_or_default(), bytes].concat();
            self.attributes.set(attribute, &value);
        }
    }

    /// Changes the request headers as Envoy does.
    pub fn edit(&mut self, edits: &[HeaderEdit]) {
        if edits.is_empty() {
            return;
        }
        let mut headers = EditedHeaders::new(Headers::new(&self.headers));
        edits.iter().for_each(|edit| headers.apply(edit));
        self.headers = headers.encode();
    }
}

/// A header map that is changed as Envoy changes its own.
///
/// ```
/// use weir_model::{EditedHeaders, HeaderEdit, Headers, PairsBuilder};
///
/// let block = PairsBuilder::default().push(b"x-a", b"1").push(b"x-a", b"2").push(b"x-b", b"3").finish();
/// let mut headers = EditedHeaders::new(Headers::new(&block));
/// headers.apply(&HeaderEdit::Replace(b"x-a".to_vec(), b"4".to_vec()));
/// headers.apply(&HeaderEdit::Remove(b"x-b".to_vec()));
/// headers.apply(&HeaderEdit::Add(b"x-a".to_vec(), b"5".to_vec()));
/// let block = headers.encode();
/// let values: Vec<&[u8]> = Headers::new(&block).all(b"x-a").collect();
/// assert_eq!(values, [b"4", b"5"]);
/// assert_eq!(Headers::new(&block).len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct EditedHeaders<'a>(Vec<Entry<'a>>);

/// A name and its value.
type Entry<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> EditedHeaders<'a> {
    /// As they came.
    pub fn new(headers: Headers<'a>) -> Self {
        Self(headers.iter().map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect())
    }

    /// The first value of `name` (lower case).
    pub fn first<'s>(&'s self, name: &[u8]) -> Option<&'s [u8]> {
        self.all(name).next()
    }

    /// Every value of `name` (lower case), in order.
    pub fn all<'s, 'n>(&'s self, name: &'n [u8]) -> impl Iterator<Item = &'s [u8]> + use<'a, 's, 'n> {
        self.0.iter().filter(move |(key, _)| **key == *name).map(|(_, value)| &**value)
    }

    /// Changes the map. A value that is set stands where the first one stood, and the others go.
    pub fn apply(&mut self, edit: &HeaderEdit) {
        match edit {
            HeaderEdit::Add(name, value) => self.0.push((name.clone().into(), value.clone().into())),
            HeaderEdit::Remove(name) => self.0.retain(|(key, _)| **key != **name),
            HeaderEdit::Replace(name, value) => match self.0.iter().position(|(key, _)| **key == **name) {
                None => self.0.push((name.clone().into(), value.clone().into())),
                Some(place) => {
                    let mut at = 0;
                    self.0.retain(|(key, _)| {
                        at += 1;
                        at <= place + 1 || **key != **name
                    });
                    self.0.get_mut(place).into_iter().for_each(|(_, old)| *old = value.clone().into());
                }
            },
        }
    }

    /// In the pairs encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut pairs = PairsBuilder::default();
        for (name, value) in &self.0 {
            pairs.push(name, value);
        }
        pairs.finish()
    }
}

#[cfg(test)]
mod tests;
