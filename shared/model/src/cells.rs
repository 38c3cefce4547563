//! State shared by all workers of a proxy, as compare-and-swap cells over bytes (Envoy's shared data).

mod agreed;

pub use agreed::{RETRIES, agree, next_number};

use std::collections::BTreeMap;

/// What a store expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No value yet.
    Absent,
    /// The version that [`Cells::load`] returned.
    Version(u32),
}

/// Why a store did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellError {
    /// Another worker was faster; load again.
    Conflict,
    /// The host refused.
    Unavailable,
}

/// Compare-and-swap cells. Keys can never be deleted, so their number must be bounded by the caller, and no byte a
/// client sends may be part of one.
pub trait Cells {
    /// Reads a cell into `out` (cleared first) and returns its version; `None` where there is no value.
    ///
    /// # Errors
    /// [`CellError::Unavailable`] if the host refused.
    fn load(&mut self, key: &str, out: &mut Vec<u8>) -> Result<Option<u32>, CellError>;

    /// Writes a cell if it is still as expected.
    ///
    /// # Errors
    /// [`CellError::Conflict`] if it is not, [`CellError::Unavailable`] if the host refused.
    fn store(&mut self, key: &str, value: &[u8], expect: Expect) -> Result<(), CellError>;
}

/// Cells in memory with the same rules, for tests and for tools that decide outside a proxy.
#[derive(Clone, Debug, Default)]
pub struct MemoryCells {
    cells: BTreeMap<String, (u32, Vec<u8>)>,
    next: u32,
}

impl MemoryCells {
    /// The keys that exist.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.cells.keys().map(String::as_str)
    }
}

impl Cells for MemoryCells {
    fn load(&mut self, key: &str, out: &mut Vec<u8>) -> Result<Option<u32>, CellError> {
        out.clear();
        Ok(self.cells.get(key).map(|(version, value)| {
            out.extend_from_slice(value);
            *version
        }))
    }

    fn store(&mut self, key: &str, value: &[u8], expect: Expect) -> Result<(), CellError> {
        let found = self.cells.get(key).map(|(version, _)| *version);
        match (expect, found) {
            (Expect::Absent, None) => {}
            (Expect::Version(expected), Some(version)) if expected == version => {}
            _ => return Err(CellError::Conflict),
        }
        self.next = self.next.wrapping_add(1).max(1);
        self.cells.insert(key.to_owned(), (self.next, value.to_vec()));
        Ok(())
    }
}
