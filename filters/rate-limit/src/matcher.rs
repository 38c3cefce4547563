//! Envoy's matchers of strings, headers and query parameters, without regular expressions.
//!
//! Semantics: `envoy.config.route.v3.HeaderMatcher`, `QueryParameterMatcher` and `envoy.type.matcher.v3.StringMatcher`.

use crate::query;
use weir_model::Headers;

/// A string matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StringMatch {
    pub(crate) kind: Kind,
    pub(crate) text: Box<[u8]>,
    pub(crate) ignore_case: bool,
}

/// Where the text must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Exact,
    Prefix,
    Suffix,
    Contains,
}

impl StringMatch {
    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        let size = self.text.len();
        let part = match self.kind {
            Kind::Exact => Some(value),
            Kind::Prefix => value.get(..size),
            Kind::Suffix => value.len().checked_sub(size).and_then(|start| value.get(start..)),
            Kind::Contains if size == 0 => return true,
            Kind::Contains => return value.windows(size).any(|window| self.same(window)),
        };
        part.is_some_and(|part| self.same(part))
    }

    fn same(&self, part: &[u8]) -> bool {
        if self.ignore_case { part.eq_ignore_ascii_case(&self.text) } else { part == &*self.text }
    }
}

/// What a header matcher asks of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderTest {
    /// The header is there, or is not.
    Present(bool),
    /// A decimal integer from the first to before the second.
    Range(i64, i64),
    /// A string.
    Text(StringMatch),
}

/// A header matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderMatch {
    pub(crate) name: Box<[u8]>,
    pub(crate) test: HeaderTest,
    pub(crate) invert: bool,
    pub(crate) missing_is_empty: bool,
}

impl HeaderMatch {
    /// Several values count as one, joined with `,`, for which `joined` lends the space. A missing header matches only
    /// a test of presence, inverted or not.
    pub(crate) fn matches(&self, headers: &Headers<'_>, joined: &mut Vec<u8>) -> bool {
        let mut values = headers.all(&self.name);
        let first = values.next();
        let test = match &self.test {
            HeaderTest::Present(wanted) => return (first.is_some() == *wanted) != self.invert,
            test => test,
        };
        let value = match (first, values.next()) {
            (None, _) if self.missing_is_empty => &[],
            (None, _) => return false,
            (Some(first), None) => first,
            (Some(first), Some(second)) => {
                joined.clear();
                joined.extend_from_slice(first);
                for value in std::iter::once(second).chain(values) {
                    joined.push(b',');
                    joined.extend_from_slice(value);
                }
                joined.as_slice()
            }
        };
        let met = match test {
            HeaderTest::Present(_) => true,
            HeaderTest::Range(from, to) => {
                let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
                number.is_some_and(|number| (*from..*to).contains(&number))
            }
            HeaderTest::Text(text) => text.matches(value),
        };
        met != self.invert
    }
}

/// A query parameter matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueryMatch {
    pub(crate) name: Box<[u8]>,
    /// `Err` asks only whether the parameter is there.
    pub(crate) test: Result<StringMatch, bool>,
}

impl QueryMatch {
    /// Looks at the first value of the parameter, decoded into `decoded`.
    pub(crate) fn matches(&self, path: &[u8], decoded: &mut Vec<u8>) -> bool {
        let found = query::first_value(path, &self.name, decoded);
        match &self.test {
            Ok(text) => found && text.matches(decoded),
            Err(wanted) => found == *wanted,
        }
    }
}

#[cfg(test)]
mod tests;
