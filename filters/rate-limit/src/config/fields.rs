//! Reading in Envoy's own spelling: snake case as in YAML bootstraps, or the lower camel case of protobuf's JSON.

use weir_config::{Cursor, Fields};

/// Takes a field that has two spellings.
pub(crate) fn either<'v>(fields: &mut Fields<'v>, snake: &'static str, camel: &'static str) -> Option<Cursor<'v>> {
    if snake == camel {
        return fields.take(snake);
    }
    match (fields.take(snake), fields.take(camel)) {
        (Some(_), Some(second)) => second.problem(format!("`{snake}` is given already")),
        (first, second) => first.or(second),
    }
}

/// Takes a field that has two spellings and must be there.
pub(crate) fn required<'v>(fields: &mut Fields<'v>, snake: &'static str, camel: &'static str) -> Option<Cursor<'v>> {
    let found = either(fields, snake, camel);
    if found.is_none() {
        return fields.at().problem(format!("`{snake}` is missing"));
    }
    found
}

/// A boolean with a default.
pub(crate) fn flag(at: Option<Cursor<'_>>, default: bool) -> bool {
    at.and_then(|at| at.bool()).unwrap_or(default)
}

/// A text that is not empty, as bytes.
pub(crate) fn bytes(at: &Cursor<'_>) -> Option<Box<[u8]>> {
    at.text().map(|text| text.as_bytes().into())
}

/// A field this version does not handle.
pub(crate) fn refuse(fields: &mut Fields<'_>, snake: &'static str, camel: &'static str, why: &str) {
    if let Some(at) = either(fields, snake, camel) {
        at.problem::<()>(why);
    }
}

/// A header's name as Envoy keeps it: in lower case, and `host` as `:authority`.
pub(crate) fn header_name(at: &Cursor<'_>) -> Option<String> {
    let name = at.text()?.to_ascii_lowercase();
    Some(if name == "host" { ":authority".to_owned() } else { name })
}
