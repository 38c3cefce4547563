use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{CellError, Expect, MemoryCells};

fn at(mono_nanos: u64) -> Now {
    Now { wall_nanos: 1_795_799_870_000_000_000, mono_nanos }
}

#[test]
fn writers_of_a_process_share_its_boot_and_have_numbers_of_their_own() {
    let mut cells = MemoryCells::default();
    let mut first = Identity::next(&mut cells, at(1));
    let second = Identity::next(&mut cells, at(2));
    let other_process = Identity::next(&mut MemoryCells::default(), at(2));
    assert_eq!((first.boot, first.writer, second.writer), (second.boot, 1, 2));
    assert_ne!(first.boot, other_process.boot);
    let (one, two) = (first.number(), first.number());
    let id = format!("{:016x}-1-2", first.boot);
    assert_eq!((one, two, first.id(two)), (1, 2, id));
    let mut names: Vec<&str> = cells.keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["w1/records/boot", "w1/records/writers"], "names of cells can never be deleted");
}

/// Cells that the host refuses.
struct Refused;

impl Cells for Refused {
    fn load(&mut self, _: &str, _: &mut Vec<u8>) -> Result<Option<u32>, CellError> {
        Err(CellError::Unavailable)
    }
    fn store(&mut self, _: &str, _: &[u8], _: Expect) -> Result<(), CellError> {
        Err(CellError::Unavailable)
    }
}

#[test]
fn without_cells_an_identity_is_drawn_from_the_clocks() {
    let [first, second] = [1, 2].map(|mono| Identity::next(&mut Refused, at(mono)));
    assert!(first.boot != second.boot && first.writer != second.writer);
}
