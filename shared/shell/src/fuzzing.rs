//! Readers of bytes from the host, for the fuzz targets of `wasm-tests/fuzz`. Nothing else may use them.

use crate::{document, list::List};
use weir_model::{Attributes, Demand};

/// Reads an evaluated attribute list. Returns whether it is the list of inbound streams; `None` if the demand has no such
/// list.
#[must_use]
pub fn attributes(demand: &Demand, with_body: bool, block: Box<[u8]>, out: &mut Attributes) -> Option<bool> {
    List::new(demand, with_body).take(block, out)
}

/// The JSON of a plugin configuration.
#[must_use]
pub fn document(bytes: Box<[u8]>) -> Box<[u8]> {
    document::json(bytes)
}
