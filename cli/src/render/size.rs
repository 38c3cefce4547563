//! How large a rendered object is, and what is done about it.
//!
//! `kubectl apply` keeps a copy of an object in an annotation of at most 262,144 bytes, and etcd takes requests of about
//! 1.5 MB.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use std::io::Write;

/// Bytes of JSON from which on the policies of an object are compressed.
pub(crate) const COMPRESSED_FROM: usize = 200_000;

/// Bytes of JSON that an object may have.
pub(crate) const MOST: usize = 1_000_000;

/// The bytes of an object in the API server's own notation, JSON without white space.
pub(crate) fn bytes(object: &Value) -> usize {
    object.to_string().len()
}

/// The document with its policies as `policiesGzip`, which is gzip in base64.
///
/// # Errors
/// The compressor's, which writes to memory.
pub(crate) fn compressed(document: &Value) -> Result<Value, String> {
    let mut document = document.clone();
    let holder = if document.get("policy").is_some() { document.get_mut("policy") } else { Some(&mut document) };
    if let Some(fields) = holder.and_then(Value::as_object_mut)
        && let Some(policies) = fields.remove("policies")
    {
        let failed = |error: std::io::Error| format!("the policies cannot be compressed: {error}");
        // No time, no name and no system in it: the same policies are the same bytes everywhere.
        let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
        encoder.write_all(policies.to_string().as_bytes()).map_err(failed)?;
        let bytes = encoder.finish().map_err(failed)?;
        fields.insert("policiesGzip".to_owned(), json!(BASE64_STANDARD.encode(bytes)));
    }
    Ok(document)
}

#[cfg(test)]
mod tests;
