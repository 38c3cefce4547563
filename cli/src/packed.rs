//! `policiesGzip` of a policy section, unpacked as the filter unpacks it.

use crate::input;
use serde_json::Value;

/// The policies that are packed in a section; `None` if none are.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn policies(section: &Value) -> Option<Result<Value, String>> {
    let text = section.get("policiesGzip")?.as_str()?;
    let unpacked = weir_policy::unpack(text);
    Some(unpacked.and_then(|json| match std::str::from_utf8(&json) {
        Ok(json) => input::json(json),
        Err(_) => Err("what is packed is not UTF-8".to_owned()),
    }))
}
