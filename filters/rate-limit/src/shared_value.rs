//! A value that all workers share: the first one that any of them stores.

use weir_model::{CellError, Cells, Expect};

/// How often a cell is tried again after another worker was faster.
pub(crate) const RETRIES: u32 = 8;

/// The two words in a cell, little-endian; `propose` says what they are to be if the cell is empty, of another size or not
/// `is_valid`. `scratch` is overwritten.
///
/// # Errors
/// [`CellError::Unavailable`] if the host refused, [`CellError::Conflict`] if the cell changed every time.
pub(crate) fn agree(
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

fn words(bytes: &[u8]) -> Option<[u64; 2]> {
    let (first, second) = bytes.split_first_chunk()?;
    Some([u64::from_le_bytes(*first), u64::from_le_bytes(second.try_into().ok()?)])
}
