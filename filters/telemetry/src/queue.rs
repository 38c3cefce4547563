//! Rows that wait for Envoy's stats, in the order in which they get them.
//!
//! Rank comes first: a row that a certificate vouches for never waits behind rows that clients made up. Within a rank all
//! requests counters come before all histograms, and earlier rows before later ones.

use crate::key::Rank;
use std::collections::VecDeque;

/// Which metrics of a row, as bits, a queue holds it for: the counter, or the histograms.
pub(crate) const LANES: [u8; 2] = [0b0001, 0b1110];

/// The queues of one VM. They hold numbers of rows; a row stands in each lane once at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    lanes: [[VecDeque<u32>; 2]; Rank::COUNT],
    /// How many rows stand in both lanes of a rank.
    waiting: [usize; Rank::COUNT],
}

impl Queue {
    /// The most rows that may wait in a rank when another one comes. Rows of made-up names are few: what waits behind
    /// them would be named when nobody asks for it any more.
    fn bound(rank: Rank) -> usize {
        match rank {
            Rank::Overflow | Rank::Vouched => 8192,
            Rank::Plain => 2048,
            Rank::Invented => 64,
        }
    }

    /// Whether one more row of that rank may wait.
    pub(crate) fn has_room(&self, rank: Rank) -> bool {
        self.waiting.get(rank.number()).is_some_and(|waiting| *waiting < Self::bound(rank))
    }

    /// Puts a row at the end of a lane.
    pub(crate) fn push(&mut self, rank: Rank, lane: usize, row: u32) {
        if let (Some(queue), Some(waiting)) = (
            self.lanes.get_mut(rank.number()).and_then(|lanes| lanes.get_mut(lane)),
            self.waiting.get_mut(rank.number()),
        ) {
            queue.push_back(row);
            *waiting += 1;
        }
    }

    /// Every waiting row with the bits of its lane, the most important first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u8)> {
        let lanes = self.lanes.iter().flat_map(|lanes| lanes.iter().zip(LANES));
        lanes.flat_map(|(queue, bits)| queue.iter().map(move |row| (*row, bits)))
    }

    /// Removes rows from the fronts for which `done` says, of the bits of the lane, that none is missing.
    pub(crate) fn trim(&mut self, mut done: impl FnMut(u32, u8) -> bool) {
        for (lanes, waiting) in self.lanes.iter_mut().zip(&mut self.waiting) {
            for (queue, bits) in lanes.iter_mut().zip(LANES) {
                while queue.front().is_some_and(|row| done(*row, bits)) {
                    queue.pop_front();
                    *waiting = waiting.saturating_sub(1);
                }
            }
        }
    }

    /// Whether a last row waits.
    pub(crate) fn overflow_waits(&self) -> bool {
        self.waiting.get(Rank::Overflow.number()).is_some_and(|waiting| *waiting > 0)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.iter().all(|waiting| *waiting == 0)
    }
}
