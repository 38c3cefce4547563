//! The plugin configuration as the JSON that cores compile.
//!
//! Envoy hands over a `google.protobuf.StringValue` or `BytesValue` as the text it holds, and any other message as its
//! bytes. A `google.protobuf.Struct` is what an operator gets who writes the configuration as YAML in a bootstrap or an
//! EnvoyFilter, so it is taken too and written out as JSON.

/// `bytes` as JSON: themselves, or the JSON of the `Struct` that they are.
#[inline(never)]
pub(crate) fn json(bytes: Box<[u8]>) -> Box<[u8]> {
    if looks_like_json(&bytes) {
        return bytes;
    }
    match weir_proto::decode_struct(&bytes) {
        Some(fields) if !fields.0.is_empty() => weir_proto::to_json(&fields).into_bytes().into_boxed_slice(),
        _ => bytes,
    }
}

/// Whether there is an opening brace and then a key or a closing brace; no serialised `Struct` that has a field begins so
/// (after the tag, which is a line feed, come the lengths of the entry and, behind another tag, of its key).
fn looks_like_json(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
    rest.next() == Some(&b'{') && matches!(rest.next(), Some(b'"' | b'}'))
}

#[cfg(test)]
mod tests;
