//! Envoy's matchers of strings, headers and query parameters, as written.

use crate::compiled::matcher::{HeaderMatch, HeaderTest, Kind, QueryMatch, QueryTest, StringMatch};
use weir_config::proto_json::{bytes, flag, header_name, refuse, snake_or_camel};
use weir_config::{Cursor, Value};

const NO_REGEX: &str = "regular expressions are not supported here; use `exact`, `prefix`, `suffix` or `contains`";

/// Reads an `envoy.type.matcher.v3.StringMatcher`.
#[inline(never)]
pub(crate) fn string_match(at: &Cursor<'_>) -> Option<StringMatch> {
    let mut fields = at.object()?;
    let mut found = Vec::new();
    for (name, kind) in KINDS {
        if let Some(at) = fields.take(name) {
            found.push(pattern(&at, kind));
        }
    }
    refuse(&mut fields, "safe_regex", "safeRegex", NO_REGEX);
    refuse(&mut fields, "custom", "custom", "custom matchers are not supported");
    let ignore_case = flag(snake_or_camel(&mut fields, "ignore_case", "ignoreCase"), false);
    fields.finish();
    let [Some((kind, text))] = found.as_slice() else {
        return at.problem("expected exactly one of `exact`, `prefix`, `suffix`, `contains`");
    };
    Some(StringMatch { kind: *kind, text: text.clone(), ignore_case })
}

const KINDS: [(&str, Kind); 4] =
    [("exact", Kind::Exact), ("prefix", Kind::Prefix), ("suffix", Kind::Suffix), ("contains", Kind::Contains)];

#[inline(never)]
fn pattern(at: &Cursor<'_>, kind: Kind) -> Option<(Kind, Box<[u8]>)> {
    let text = if kind == Kind::Exact { at.string()? } else { at.text()? };
    Some((kind, text.as_bytes().into()))
}

/// Reads an `envoy.config.route.v3.HeaderMatcher`.
#[inline(never)]
pub(crate) fn header_match(at: &Cursor<'_>) -> Option<HeaderMatch> {
    let mut fields = at.object()?;
    let name = fields.require("name").and_then(|at| header_name(&at));
    let mut found = Vec::new();
    for (snake, camel, kind) in [
        ("exact_match", "exactMatch", Kind::Exact),
        ("prefix_match", "prefixMatch", Kind::Prefix),
        ("suffix_match", "suffixMatch", Kind::Suffix),
        ("contains_match", "containsMatch", Kind::Contains),
    ] {
        if let Some(at) = snake_or_camel(&mut fields, snake, camel) {
            found.push(pattern(&at, kind).map(|(kind, text)| {
                // Unlike in `string_match`, any value meets an empty `exact_match`.
                let kind = if text.is_empty() { Kind::Prefix } else { kind };
                HeaderTest::Text(StringMatch { kind, text, ignore_case: false })
            }));
        }
    }
    if let Some(at) = snake_or_camel(&mut fields, "string_match", "stringMatch") {
        found.push(string_match(&at).map(HeaderTest::Text));
    }
    if let Some(at) = snake_or_camel(&mut fields, "present_match", "presentMatch") {
        found.push(at.bool().map(HeaderTest::Present));
    }
    if let Some(at) = snake_or_camel(&mut fields, "range_match", "rangeMatch") {
        found.push(range(&at));
    }
    refuse(&mut fields, "safe_regex_match", "safeRegexMatch", NO_REGEX);
    let invert = flag(snake_or_camel(&mut fields, "invert_match", "invertMatch"), false);
    let missing = snake_or_camel(&mut fields, "treat_missing_header_as_empty", "treatMissingHeaderAsEmpty");
    let missing_is_empty = flag(missing, false);
    fields.finish();
    if found.len() > 1 {
        return at.problem("expected at most one kind of match");
    }
    let test = found.pop().unwrap_or(Some(HeaderTest::Present(true)))?;
    Some(HeaderMatch { name: name?.into_bytes().into(), test, invert, missing_is_empty })
}

fn range(at: &Cursor<'_>) -> Option<HeaderTest> {
    let mut fields = at.object()?;
    let mut bound = |name| match fields.take(name) {
        Some(at) => integer(&at),
        None => Some(0),
    };
    let (start, end) = (bound("start"), bound("end"));
    fields.finish();
    Some(HeaderTest::Range(start?, end?))
}

/// A 64-bit integer, which protobuf's JSON also writes as a string.
fn integer(at: &Cursor<'_>) -> Option<i64> {
    let found = match at.value() {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    if found.is_none() {
        return at.problem("expected a whole number");
    }
    found
}

/// Reads an `envoy.config.route.v3.QueryParameterMatcher`.
#[inline(never)]
pub(crate) fn query_match(at: &Cursor<'_>) -> Option<QueryMatch> {
    let mut fields = at.object()?;
    let name = fields.require("name").and_then(|at| bytes(&at));
    let text = snake_or_camel(&mut fields, "string_match", "stringMatch").map(|at| string_match(&at));
    let present = snake_or_camel(&mut fields, "present_match", "presentMatch").map(|at| at.bool());
    fields.finish();
    let test = match (text, present) {
        (Some(_), Some(_)) => return at.problem("expected at most one of `string_match` and `present_match`"),
        (Some(text), None) => QueryTest::Text(text?),
        (None, Some(present)) => QueryTest::Present(present?),
        (None, None) => QueryTest::Present(true),
    };
    Some(QueryMatch { name: name?, test })
}
