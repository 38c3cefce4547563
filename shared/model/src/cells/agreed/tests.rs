use super::*;
use crate::MemoryCells;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn numbers_rise_by_one_and_a_damaged_cell_begins_again() {
    let (mut cells, mut scratch) = (MemoryCells::default(), Vec::new());
    let mut next = |cells: &mut MemoryCells, cell: &str| next_number(cells, cell, &mut scratch);
    assert_eq!([next(&mut cells, "a"), next(&mut cells, "a"), next(&mut cells, "b")], [Ok(1), Ok(2), Ok(1)]);
    let version = cells.load("a", &mut Vec::new()).unwrap().unwrap();
    cells.store("a", b"damaged", Expect::Version(version)).unwrap();
    assert_eq!([next(&mut cells, "a"), next(&mut cells, "a")], [Ok(1), Ok(2)]);
}

/// Cells in which another worker is always faster.
struct Contended;

impl Cells for Contended {
    fn load(&mut self, _: &str, _: &mut Vec<u8>) -> Result<Option<u32>, CellError> {
        Ok(None)
    }
    fn store(&mut self, _: &str, _: &[u8], _: Expect) -> Result<(), CellError> {
        Err(CellError::Conflict)
    }
}

#[test]
fn a_cell_that_always_changes_is_given_up() {
    assert_eq!(next_number(&mut Contended, "a", &mut Vec::new()), Err(CellError::Conflict));
}
