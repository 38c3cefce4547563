//! What numbers records so that gaps and repetitions can be proved.

use weir_model::{Cells, Now, agree, next_number};

/// The cell that all workers of a process share, and the one that counts who has an identity. Their layout's version is in
/// their names.
const BOOT: &str = "w1/records/boot";
const WRITERS: &str = "w1/records/writers";

/// Who writes records: one configuration in one VM. Its records are numbered from 1 without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Drawn from the clocks, the same in all workers until the process ends.
    boot: u64,
    /// The number of the writer, from 1 in each process.
    writer: u64,
    sequence: u64,
}

impl Identity {
    /// The next identity of the process; `now` is by both clocks. Where the cells cannot be reached it is drawn from them.
    #[inline(never)]
    pub fn next(cells: &mut dyn Cells, now: Now) -> Self {
        let mut scratch = Vec::new();
        let drawn = draw(now);
        let boot = agree(cells, BOOT, &mut scratch, |[boot, complement]| boot == !complement, || [drawn, !drawn]);
        let writer = next_number(cells, WRITERS, &mut scratch);
        let boot = boot.map_or(drawn, |[boot, _]| boot);
        Self { boot, writer: writer.unwrap_or_else(|_| mix(drawn)), sequence: 0 }
    }

    /// The number of the next record, from 1.
    pub fn number(&mut self) -> u64 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// The id of the record of that number: `BOOT-WRITER-NUMBER`.
    pub fn id(&self, number: u64) -> String {
        format!("{:016x}-{}-{number}", self.boot, self.writer)
    }
}

/// A number that differs from moment to moment and from machine to machine: nanoseconds of both clocks, mixed.
pub(crate) fn draw(now: Now) -> u64 {
    mix(mix(now.wall_nanos) ^ now.mono_nanos)
}

/// Spreads every bit over all others (the last step of SplitMix64).
pub(crate) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests;
