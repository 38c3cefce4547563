//! Shared queues: process-wide, unbounded, named by `vm_id` and name; the last who registered is notified of arrivals.

use crate::abi::status::Status;
use std::collections::{BTreeMap, VecDeque};

/// Who is notified: a worker (`None` for the main thread), a VM of that worker, a root context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) worker: usize,
    pub(crate) vm: u64,
    pub(crate) root: u32,
}

#[derive(Debug)]
struct Queue {
    items: VecDeque<Vec<u8>>,
    listener: Listener,
}

/// All queues of a process.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    names: BTreeMap<(Vec<u8>, Vec<u8>), u32>,
    queues: BTreeMap<u32, Queue>,
    /// Arrivals without a notification yet.
    arrivals: VecDeque<(Listener, u32)>,
}

impl Queues {
    /// Makes a queue, or takes over one that is there; what it holds is kept.
    pub(crate) fn register(&mut self, vm_id: &[u8], name: &[u8], listener: Listener) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX).saturating_add(1);
        let id = *self.names.entry((vm_id.to_vec(), name.to_vec())).or_insert(next);
        match self.queues.get_mut(&id) {
            Some(queue) => queue.listener = listener,
            None => drop(self.queues.insert(id, Queue { items: VecDeque::new(), listener })),
        }
        id
    }

    /// The number of a queue.
    pub(crate) fn resolve(&self, vm_id: &[u8], name: &[u8]) -> Result<u32, Status> {
        self.names.get(&(vm_id.to_vec(), name.to_vec())).copied().ok_or(Status::NotFound)
    }

    /// Takes the oldest item.
    pub(crate) fn dequeue(&mut self, id: u32) -> Result<Vec<u8>, Status> {
        self.queues.get_mut(&id).ok_or(Status::NotFound)?.items.pop_front().ok_or(Status::Empty)
    }

    /// Adds an item and notes the arrival.
    pub(crate) fn enqueue(&mut self, id: u32, value: Vec<u8>) -> Result<(), Status> {
        let queue = self.queues.get_mut(&id).ok_or(Status::NotFound)?;
        queue.items.push_back(value);
        self.arrivals.push_back((queue.listener.clone(), id));
        Ok(())
    }

    /// The oldest arrival that a worker has not been notified of.
    pub(crate) fn arrival(&mut self, worker: usize) -> Option<(Listener, u32)> {
        let position = self.arrivals.iter().position(|(listener, _)| listener.worker == worker)?;
        self.arrivals.remove(position)
    }

    /// Some worker that has not been notified of an arrival.
    pub(crate) fn waiting(&self) -> Option<usize> {
        self.arrivals.front().map(|(listener, _)| listener.worker)
    }
}
