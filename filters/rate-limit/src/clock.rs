//! The clock that windows are numbered by: the monotonic one and an offset that all workers agree on once.
//!
//! The wall clock is read only for the offset, so a change of it, forward or back, moves no window: no client is locked out
//! until it has caught up, and no client gets a second window of hits. The first offset stored in shared data holds for every
//! worker and every later configuration of the process.

use weir_model::{CellError, Cells, Now, agree};

/// Nanoseconds of a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// The cell of the offset. Its layout's version is in its name.
const CELL: &str = "w1/clock";

/// 42 years of 365 days, in which weeks, months of 30 days and years all end together: a multiple of every unit.
const CYCLE: u64 = 15_330 * 86_400 * SECOND;

/// One instant as limits see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Nanoseconds of the agreed clock, which windows are multiples of. It never steps.
    pub(crate) agreed_nanos: u64,
    /// Nanoseconds of the monotonic clock.
    pub(crate) mono_nanos: u64,
}

/// The agreed clock as one VM knows it.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset: Option<u64>,
}

impl Clock {
    /// Agrees with the other workers, unless that has happened. `scratch` is overwritten.
    ///
    /// # Errors
    /// When shared data cannot be reached: windows have no numbers then.
    pub(crate) fn agree(&mut self, cells: &mut dyn Cells, now: Now, scratch: &mut Vec<u8>) -> Result<(), CellError> {
        if self.offset.is_none() {
            let [offset, _] = agree(cells, CELL, scratch, is_valid, || proposed(now))?;
            self.offset = Some(offset);
        }
        Ok(())
    }

    /// The present. Before [`Clock::agree`] has succeeded `agreed_nanos` means nothing.
    pub(crate) fn moment(&self, now: Now) -> Moment {
        let agreed_nanos = now.mono_nanos.wrapping_add(self.offset.unwrap_or_default());
        Moment { agreed_nanos, mono_nanos: now.mono_nanos }
    }
}

/// The offset and its complement, by which a damaged cell is known.
///
/// The wall clock is taken modulo [`CYCLE`]: windows begin where they should, and a clock that is set to the far future or
/// the distant past leaves room on both sides. Between 2012 and 2054 that changes nothing.
fn proposed(now: Now) -> [u64; 2] {
    let offset = (CYCLE + now.wall_nanos % CYCLE).wrapping_sub(now.mono_nanos);
    [offset, !offset]
}

fn is_valid(words: [u64; 2]) -> bool {
    let [offset, complement] = words;
    offset == !complement
}

#[cfg(test)]
mod tests;
