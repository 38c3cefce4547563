//! A value that all workers share: the first one that any of them stores.

use crate::{CellError, Cells, Expect};

/// How often a cell is tried again after another worker was faster.
pub const RETRIES: u32 = 8;

/// The two words in a cell, little-endian; `propose` says what they are to be if the cell is empty, of another size or not
/// `is_valid`. `scratch` is overwritten.
///
/// # Errors
/// [`CellError::Unavailable`] if the host refused, [`CellError::Conflict`] if the cell changed every time.
pub fn agree(
    cells: &mut dyn Cells,
    cell: &str,
    scratch: &mut Vec<u8>,
    is_valid: impl Fn([u64; 2]) -> bool,
    propose: impl Fn() -> [u64; 2],
) -> Result<[u64; 2], CellError> {
    for _ in 0..=RETRIES {
        let found = cells.load(cell, scratch)?;
        if let (Some(_), Some(words)) = (found, words(scratch))
            && is_valid(words)
        {
            return Ok(words);
        }
        let proposed = propose();
        let bytes = proposed.map(u64::to_le_bytes);
        match cells.store(cell, bytes.as_flattened(), found.map_or(Expect::Absent, Expect::Version)) {
            Ok(()) => return Ok(proposed),
            Err(CellError::Conflict) => {}
            Err(CellError::Unavailable) => return Err(CellError::Unavailable),
        }
    }
    Err(CellError::Conflict)
}

/// The next number of a count that all workers share: 1 for the first that asks. A damaged cell begins again. `scratch` is
/// overwritten.
///
/// # Errors
/// As [`agree`].
pub fn next_number(cells: &mut dyn Cells, cell: &str, scratch: &mut Vec<u8>) -> Result<u64, CellError> {
    for _ in 0..=RETRIES {
        let found = cells.load(cell, scratch)?;
        let last = words(scratch).filter(|[number, complement]| *number == !*complement);
        let [last, _] = last.filter(|_| found.is_some()).unwrap_or_default();
        let next = last.wrapping_add(1);
        let bytes = [next, !next].map(u64::to_le_bytes);
        match cells.store(cell, bytes.as_flattened(), found.map_or(Expect::Absent, Expect::Version)) {
            Ok(()) => return Ok(next),
            Err(CellError::Conflict) => {}
            Err(CellError::Unavailable) => return Err(CellError::Unavailable),
        }
    }
    Err(CellError::Conflict)
}

fn words(bytes: &[u8]) -> Option<[u64; 2]> {
    let (first, second) = bytes.split_first_chunk()?;
    Some([u64::from_le_bytes(*first), u64::from_le_bytes(second.try_into().ok()?)])
}

#[cfg(test)]
mod tests;
