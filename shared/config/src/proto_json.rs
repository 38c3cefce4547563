//! Messages of Envoy's API in JSON. As in protobuf's JSON mapping, a field has two spellings: snake case as in YAML
//! bootstraps, and lower camel case.

use crate::{Cursor, Fields};

/// Takes a field that has two spellings. Given in both, it is a problem.
///
/// ```
/// use weir_config::{proto_json::snake_or_camel, read_document};
///
/// let read = |json: &[u8]| {
///     read_document(json, |at| snake_or_camel(&mut at.object()?, "expect_match", "expectMatch")?.bool())
/// };
/// assert_eq!(read(br#"{"expect_match": false}"#), Ok(false));
/// assert_eq!(read(br#"{"expectMatch": true}"#), Ok(true));
/// let problems = read(br#"{"expect_match": true, "expectMatch": true}"#).unwrap_err().0;
/// assert_eq!(problems[0].path, "$.expectMatch");
/// assert_eq!(problems[0].message, "`expect_match` is given already");
/// ```
pub fn snake_or_camel<'v>(fields: &mut Fields<'v>, snake: &'static str, camel: &'static str) -> Option<Cursor<'v>> {
    if snake == camel {
        return fields.take(snake);
    }
    match (fields.take(snake), fields.take(camel)) {
        (Some(_), Some(second)) => second.problem(format!("`{snake}` is given already")),
        (first, second) => first.or(second),
    }
}

/// Takes a field that has two spellings and must be there.
pub fn required<'v>(fields: &mut Fields<'v>, snake: &'static str, camel: &'static str) -> Option<Cursor<'v>> {
    let found = snake_or_camel(fields, snake, camel);
    if found.is_none() {
        return fields.cursor().problem(format!("`{snake}` is missing"));
    }
    found
}

/// A boolean with a default.
pub fn flag(at: Option<Cursor<'_>>, default: bool) -> bool {
    at.and_then(|at| at.bool()).unwrap_or(default)
}

/// A text that is not empty, as bytes.
pub fn bytes(at: &Cursor<'_>) -> Option<Box<[u8]>> {
    at.text().map(|text| text.as_bytes().into())
}

/// Makes a field that this version does not handle a problem.
pub fn refuse(fields: &mut Fields<'_>, snake: &'static str, camel: &'static str, why: &str) {
    if let Some(at) = snake_or_camel(fields, snake, camel) {
        at.problem::<()>(why);
    }
}

/// A header's name as Envoy keeps it: in lower case, and `host` as `:authority`.
pub fn header_name(at: &Cursor<'_>) -> Option<String> {
    let name = at.text()?.to_ascii_lowercase();
    Some(if name == "host" { ":authority".to_owned() } else { name })
}
