//! What a request costs, in counts that are the same on every machine.

use std::collections::BTreeMap;

/// Counts over a stretch of work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Hostcalls by name.
    pub hostcalls: BTreeMap<&'static str, u64>,
    /// Callbacks entered, by name.
    pub callbacks: BTreeMap<&'static str, u64>,
    /// Bytes that the host wrote into allocated guest memory.
    pub bytes: u64,
    /// Calls of the guest's allocator by the host.
    pub allocations: u64,
    /// Guest instructions, as wasmtime counts fuel.
    pub instructions: u64,
}

impl Costs {
    /// All hostcalls together.
    #[must_use]
    pub fn hostcalls_total(&self) -> u64 {
        self.hostcalls.values().sum()
    }

    /// Adds another stretch.
    pub fn add(&mut self, other: &Costs) {
        let Costs { hostcalls, callbacks, bytes, allocations, instructions } = other;
        for (name, count) in hostcalls {
            *self.hostcalls.entry(name).or_default() += count;
        }
        for (name, count) in callbacks {
            *self.callbacks.entry(name).or_default() += count;
        }
        self.bytes += bytes;
        self.allocations += allocations;
        self.instructions += instructions;
    }
}

/// What a scenario has cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// How many streams it had.
    pub streams: u64,
    /// All of them together, each from its first callback to its last.
    pub in_streams: Costs,
    /// Everything: starting and configuring VMs on all threads, ticks and streams.
    pub whole: Costs,
}

/// One hostcall as it happened, for transcripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Name of the plugin's VM: its `vm_id`, lossily.
    pub vm: u64,
    /// The context that was entered.
    pub context: u32,
    /// The hostcall.
    pub name: &'static str,
    /// The status that the module saw; `None` when it trapped.
    pub status: Option<u32>,
}
