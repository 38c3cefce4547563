//! Envoy's shared data as the compare-and-swap cells of the model.

use crate::abi::{self, Status};
use weir_model::{CellError, Cells, Expect};

/// A version that no value ever has: storing with it succeeds on an absent key only. (Version 0 would overwrite.)
const ABSENT: u32 = u32::MAX;

/// All workers of the process that run modules with the same VM id share these cells.
#[derive(Debug, Default)]
pub(crate) struct SharedCells;

impl Cells for SharedCells {
    fn load(&mut self, key: &str, out: &mut Vec<u8>) -> Result<Option<u32>, CellError> {
        out.clear();
        match abi::shared_data(key) {
            Ok((value, version)) => {
                out.extend_from_slice(&value);
                Ok(Some(version))
            }
            Err(Status::NOT_FOUND) => Ok(None),
            Err(_) => Err(CellError::Unavailable),
        }
    }

    fn store(&mut self, key: &str, value: &[u8], expect: Expect) -> Result<(), CellError> {
        let version = match expect {
            Expect::Absent => ABSENT,
            // A version of 0 would mean "overwrite"; the host numbers from 1.
            Expect::Version(0) => return Err(CellError::Conflict),
            Expect::Version(version) => version,
        };
        match abi::set_shared_data(key, value, version) {
            Ok(()) => Ok(()),
            Err(Status::CAS_MISMATCH) => Err(CellError::Conflict),
            Err(_) => Err(CellError::Unavailable),
        }
    }
}
