//! `policiesGzip` of a policy section, for checks that look at policies as they are written. What is wrong with the text, the
//! policy core says.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::Read as _;

/// The most bytes, unpacked, that the core takes.
const MOST: u64 = 16 << 20;

/// The policies that are packed in a section, if it has any that can be read.
pub(crate) fn policies(section: &Value) -> Option<Value> {
    let packed = BASE64_STANDARD.decode(section.get("policiesGzip")?.as_str()?.trim()).ok()?;
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice()).take(MOST).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}
