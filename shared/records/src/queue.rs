//! A queue of encoded records in batches, bounded by their number and by their bytes.
//!
//! Records lie one after the other in the buffer of their batch, as they will be sent: a record costs no allocation of its own.

use std::collections::VecDeque;
use std::time::Duration;
use weir_proto::LogRecord;

/// The most bytes of a batch; one record more may reach beyond.
const BATCH_BYTES: usize = 256 << 10;

/// The bounds of a queue and of its batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most records in the queue, those that are being sent included.
    pub records: usize,
    /// The most bytes of them.
    pub bytes: usize,
    /// How many records make a batch.
    pub batch: usize,
    /// How long a record waits for others.
    pub interval: Duration,
}

/// Records that are sent together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: usize,
    pub(crate) bytes: Vec<u8>,
    /// It was sent, and no answer came.
    pub(crate) may_have_arrived: bool,
}

/// Records that wait.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: Limits,
    /// Batches that are full, oldest first, and the one that is not.
    full: VecDeque<Batch>,
    open: Batch,
    /// How much is held, that which was taken out and not released included.
    records: usize,
    bytes: usize,
    scratch: Vec<u8>,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        let (full, open, scratch) = (VecDeque::new(), Batch::default(), Vec::new());
        Self { limits, full, open, records: 0, bytes: 0, scratch }
    }

    /// How long a record waits for others.
    pub(crate) fn interval(&self) -> Duration {
        self.limits.interval
    }

    /// Whether there is room for a record, as far as its size is not known.
    pub(crate) fn has_room(&self) -> bool {
        self.records < self.limits.records && self.bytes < self.limits.bytes
    }

    /// Adds a record. Returns whether there was room.
    pub(crate) fn push(&mut self, record: &LogRecord<'_>) -> bool {
        if !self.has_room() {
            return false;
        }
        let before = self.open.bytes.len();
        record.append_to(&mut self.open.bytes, &mut self.scratch);
        let grown = self.open.bytes.len() - before;
        if self.bytes + grown > self.limits.bytes {
            self.open.bytes.truncate(before);
            return false;
        }
        self.records += 1;
        self.bytes += grown;
        self.open.records += 1;
        if self.open.records >= self.limits.batch || self.open.bytes.len() >= BATCH_BYTES {
            self.full.push_back(std::mem::take(&mut self.open));
        }
        true
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.full.is_empty() && self.open.records == 0
    }

    /// Takes out the oldest batch that is full, or the one that is not if there is none and `partial` says so. Its room is not
    /// free before [`Queue::release`].
    pub(crate) fn take(&mut self, partial: bool) -> Option<Batch> {
        let oldest = self.full.pop_front();
        oldest.or_else(|| (partial && self.open.records > 0).then(|| std::mem::take(&mut self.open)))
    }

    /// Frees the room of a batch that was taken out.
    pub(crate) fn release(&mut self, batch: &Batch) {
        self.records = self.records.saturating_sub(batch.records);
        self.bytes = self.bytes.saturating_sub(batch.bytes.len());
    }

    /// Throws away what waits. Returns how many records that were.
    pub(crate) fn clear(&mut self) -> usize {
        let mut cleared = 0;
        while let Some(batch) = self.take(true) {
            self.release(&batch);
            cleared += batch.records;
        }
        cleared
    }
}

#[cfg(test)]
mod tests;
