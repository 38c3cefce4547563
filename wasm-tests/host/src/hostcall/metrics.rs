//! Metrics. Every definition makes a new id, also for a name that exists; the low two bits of an id say its kind.

use crate::abi::status::{Outcome, Status};
use crate::hostcall::guest::{Guest, read, write, write_word};
use crate::process::lock;
use crate::process::stats::Kind;
use crate::vm::state::VmState;

pub(crate) fn define(guest: Guest<'_, '_>, kind: u32, name: u32, n: u32, to: u32) -> Outcome {
    let kind = Kind::from_number(kind).ok_or(Status::BadArgument)?;
    let name = read(guest, name, n)?;
    let state = guest.data_mut();
    lock(&state.site.process.stats).define(kind, &name);
    state.next_metric += 4;
    let id = state.next_metric | kind as u32;
    state.metrics.insert(id, (kind, name));
    Ok(write_word(guest, to, id)?)
}

fn metric(state: &VmState, id: u32) -> Result<&(Kind, Vec<u8>), Status> {
    state.metrics.get(&id).ok_or(Status::NotFound)
}

/// The same for what only counters and gauges can do; another kind's id is refused before it is looked up.
fn number(state: &VmState, id: u32) -> Result<&(Kind, Vec<u8>), Status> {
    if id & 3 > 1 { Err(Status::BadArgument) } else { metric(state, id) }
}

pub(crate) fn increment(guest: Guest<'_, '_>, id: u32, by: i64) -> Outcome {
    let (kind, name) = number(guest.data(), id)?;
    Ok(lock(&guest.data().site.process.stats).increment(*kind, name, by)?)
}

pub(crate) fn record(guest: Guest<'_, '_>, id: u32, value: u64) -> Outcome {
    let (kind, name) = metric(guest.data(), id)?;
    Ok(lock(&guest.data().site.process.stats).record(*kind, name, value)?)
}

pub(crate) fn get(guest: Guest<'_, '_>, id: u32, to: u32) -> Outcome {
    let (kind, name) = number(guest.data(), id)?;
    let value = lock(&guest.data().site.process.stats).read(*kind, name)?;
    Ok(write(guest, to, &value.to_le_bytes())?)
}
