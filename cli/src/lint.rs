//! What is well formed and cannot do what its author means, as far as the files show it.

mod bootstrap;
mod limits;
mod policies;
mod values;

pub(crate) use bootstrap::bootstrap;
pub(crate) use limits::{Met, apply, limits};
pub(crate) use policies::{native, policies};

use serde_json::Value;

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
