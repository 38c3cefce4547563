//! Envoy's matchers of strings, headers and query parameters, without regular expressions.
//!
//! Semantics: `envoy.config.route.v3.HeaderMatcher`, `QueryParameterMatcher` and `envoy.type.matcher.v3.StringMatcher`.

use super::query;
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
    /// If a header has several values, one that matches is enough; inverted, none may match. A missing header matches only a test of presence,
    /// inverted or not. With `treat_missing_header_as_empty` it is an empty value, and so it is there.
    pub(crate) fn matches(&self, headers: &Headers<'_>) -> bool {
        let mut values = headers.all(&self.name).peekable();
        let there = values.peek().is_some() || self.missing_is_empty;
        let met = match &self.test {
            HeaderTest::Present(wanted) => there == *wanted,
            _ if !there => return false,
            test => match values.peek() {
                Some(_) => values.any(|value| test.holds(value)),
                None => test.holds(b""),
            },
        };
        met != self.invert
    }
}

impl HeaderTest {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Present(wanted) => *wanted,
            Self::Range(from, to) => {
                let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
                number.is_some_and(|number| (*from..*to).contains(&number))
            }
            Self::Text(text) => text.matches(value),
        }
    }
}

/// What a query parameter matcher asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum QueryTest {
    /// The parameter is there, or is not.
    Present(bool),
    /// A string.
    Text(StringMatch),
}

/// A query parameter matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueryMatch {
    pub(crate) name: Box<[u8]>,
    pub(crate) test: QueryTest,
}

impl QueryMatch {
    /// Looks at the first value of the parameter, decoded into `decoded`.
    pub(crate) fn matches(&self, path: &[u8], decoded: &mut Vec<u8>) -> bool {
        let found = query::first_value(path, &self.name, decoded);
        match &self.test {
            QueryTest::Text(text) => found && text.matches(decoded),
            QueryTest::Present(wanted) => found == *wanted,
        }
    }
}

#[cfg(test)]
mod tests;
