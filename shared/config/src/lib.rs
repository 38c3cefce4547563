//! Strict JSON to checked values.
//!
//! serde stops at the first error and forgets where it was; an operator wants all of them with their places. So a
//! document is parsed into a [`Value`] that keeps repeated keys, and is then read through a [`Cursor`]: a value, its JSON
//! path, and the list that problems go to. Reading never fails early: a reader that meets a problem records it and
//! returns `None`, and goes on with the siblings.

mod cursor;
mod diagnostics;
mod header;
pub mod proto_json;
pub mod units;
mod value;

pub use cursor::{Cursor, Fields};
pub use diagnostics::Diagnostics;
pub use header::{AccessLogState, Common, Mode, SCHEMA};
pub use value::Value;

use weir_model::Problems;

/// Parses `bytes` as JSON and reads it with `read`. The result is `read`'s if it returned one and no problem was found.
///
/// # Errors
/// All problems found; at least one.
#[inline(never)]
pub fn read_document<T>(bytes: &[u8], read: impl FnOnce(Cursor<'_>) -> Option<T>) -> Result<T, Problems> {
    let value = parsed(bytes)?;
    let diagnostics = Diagnostics::of(bytes);
    let result = read(Cursor::root(&value, &diagnostics));
    let problems = diagnostics.into_problems();
    match result {
        Some(result) if problems.is_empty() => Ok(result),
        _ if problems.is_empty() => Err(Problems::one("$", "cannot be used")),
        _ => Err(Problems(problems)),
    }
}

/// Apart from what is read of it, so that a module has the parser once.
#[inline(never)]
fn parsed(bytes: &[u8]) -> Result<Value<'_>, Problems> {
    serde_json::from_slice(bytes).map_err(|error| Problems::one("$", format!("not JSON: {error}")))
}
