//! Patterns over bytes, in the forms of Istio's AuthorizationPolicy: exact, prefix, suffix, presence, path template.

use crate::{Cidr, Template};

/// One value of a policy field, ready to be compared.
///
/// A `*` begins or ends a pattern; anywhere else it is a character as others:
///
/// ```
/// use weir_matching::Pattern;
///
/// assert!(Pattern::parse("/items/*").matches(b"/items/7/reviews"));
/// assert!(Pattern::parse("*.json").matches(b"/items/7.json"));
/// assert!(!Pattern::parse("/items/*/reviews").matches(b"/items/7/reviews"));
/// assert!(!Pattern::parse("/items").matches(b"/items/"), "the whole value is compared");
/// ```
///
/// `*` alone asks that there is a value. Whether that may be empty depends on the field: for a header it may, for a path
/// not.
///
/// ```
/// use weir_matching::Pattern;
///
/// assert!(!Pattern::parse("*").matches(b""));
/// assert!(Pattern::parse("*").even_empty().matches(b""));
/// ```
///
/// Letters are compared as they are, but for hosts, which are compared in lower case. A port is a part of the host:
///
/// ```
/// use weir_matching::{Pattern, normalized_host};
///
/// let mut host = Vec::new();
/// normalized_host(b"WWW.Shop.Example:8080", &mut host);
/// assert!(Pattern::parse_lower("www.SHOP.example:*").matches(&host));
/// assert!(!Pattern::parse_lower("www.shop.example").matches(&host));
/// assert!(!Pattern::parse("GET").matches(b"get"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// The same bytes.
    Exact(Box<[u8]>),
    /// Begins with these bytes.
    Prefix(Box<[u8]>),
    /// Ends with these bytes.
    Suffix(Box<[u8]>),
    /// Present and not empty.
    Present,
    /// Present, and perhaps empty.
    Any,
    /// A path template with `{*}` or `{**}`.
    Template(Template),
    /// Literal parts with anything between them.
    Glob(Glob),
    /// A range of addresses; never matches bytes, see [`Cidr::contains`].
    Cidr(Cidr),
}

impl Pattern {
    /// Reads `*` (present and not empty), `*abc` (suffix), `abc*` (prefix) or `abc` (exact). A leading `*` wins over a
    /// trailing one, and any other `*` is literal (Istio's AuthorizationPolicy reference).
    pub fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Present;
        }
        if let Some(suffix) = text.strip_prefix('*') {
            return Self::Suffix(suffix.as_bytes().into());
        }
        match text.strip_suffix('*') {
            Some(prefix) => Self::Prefix(prefix.as_bytes().into()),
            None => Self::Exact(text.as_bytes().into()),
        }
    }

    /// As [`Pattern::parse`], for values that are compared in lower case. Only ASCII is folded.
    pub fn parse_lower(text: &str) -> Self {
        Self::parse(&text.to_ascii_lowercase())
    }

    /// The same, except that `*` asks only that the value is there, empty or not.
    #[must_use]
    pub fn even_empty(self) -> Self {
        match self {
            Self::Present => Self::Any,
            other => other,
        }
    }

    /// Whether `value` matches.
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => **exact == *value,
            Self::Prefix(prefix) => value.starts_with(prefix),
            Self::Suffix(suffix) => value.ends_with(suffix),
            Self::Present => !value.is_empty(),
            Self::Any => true,
            Self::Template(template) => template.matches(value),
            Self::Glob(glob) => glob.matches(value),
            Self::Cidr(_) => false,
        }
    }
}

/// Literal parts with any bytes between them; the first begins the value and the last ends it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob {
    first: Box<[u8]>,
    /// Every part after a `*`; the last of them ends the value.
    rest: Box<[Box<[u8]>]>,
}

impl Glob {
    /// Every `*` of `text` stands for any bytes, none included.
    pub fn parse(text: &str) -> Self {
        let mut parts = text.split('*').map(|part| Box::from(part.as_bytes()));
        Self { first: parts.next().unwrap_or_default(), rest: parts.collect() }
    }

    /// `first`, then `middle` anywhere behind it, then `last` at the end, any bytes between them. A `*` in them is literal.
    pub fn of_three(first: &[u8], middle: &[u8], last: &[u8]) -> Self {
        Self { first: first.into(), rest: [middle.into(), last.into()].into() }
    }

    /// The literal parts in their order: what the value begins with, what is in it, and what it ends with. With a single part
    /// there is no `*`, and the value is that part.
    ///
    /// ```
    /// let glob = weir_matching::Glob::parse("a*b*");
    /// assert_eq!(glob.parts().collect::<Vec<_>>(), [b"a".as_slice(), b"b", b""]);
    /// ```
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&*self.first).chain(self.rest.iter().map(|part| &**part))
    }

    /// What a value begins with if it matches.
    pub(crate) fn start(&self) -> &[u8] {
        &self.first
    }

    /// The text that it was read from.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = self.first.to_vec();
        for part in &self.rest {
            text.push(b'*');
            text.extend_from_slice(part);
        }
        text
    }

    /// Whether the whole of `value` matches.
    pub fn matches(&self, value: &[u8]) -> bool {
        let Some((last, middle)) = self.rest.split_last() else { return *self.first == *value };
        let Some(mut value) = value.strip_prefix(&*self.first) else { return false };
        for part in middle {
            match find(value, part) {
                Some(after) => value = after,
                None => return false,
            }
        }
        value.ends_with(last)
    }
}

/// What follows the first occurrence of `part`.
fn find<'v>(value: &'v [u8], part: &[u8]) -> Option<&'v [u8]> {
    if part.is_empty() {
        return Some(value);
    }
    let at = value.windows(part.len()).position(|window| window == part)?;
    value.get(at + part.len()..)
}

#[cfg(test)]
mod tests;
