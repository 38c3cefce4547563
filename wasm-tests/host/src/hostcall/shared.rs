//! Shared data and shared queues.

use crate::abi::status::Outcome;
use crate::hostcall::guest::{Guest, give, read, write_word};
use crate::process::lock;
use crate::process::queues::Listener;

pub(crate) fn get(guest: Guest<'_, '_>, key: u32, n: u32, to: u32, size: u32, cas: u32) -> Outcome {
    let key = read(guest, key, n)?;
    let state = guest.data();
    let (value, number) = lock(&state.site.process.shared_data).get(&state.vm_id, &key)?;
    give(guest, &value, to, size)?;
    Ok(write_word(guest, cas, number)?)
}

pub(crate) fn set(guest: Guest<'_, '_>, key: u32, n: u32, value: u32, size: u32, cas: u32) -> Outcome {
    let (key, value) = (read(guest, key, n)?, read(guest, value, size)?);
    let state = guest.data();
    Ok(lock(&state.site.process.shared_data).set(&state.vm_id, &key, value, cas)?)
}

pub(crate) fn register(guest: Guest<'_, '_>, name: u32, n: u32, to: u32) -> Outcome {
    let name = read(guest, name, n)?;
    let state = guest.data();
    let listener = Listener { worker: state.site.worker, vm: state.vm, root: state.root_of(state.acting()) };
    let queue = lock(&state.site.process.queues).register(&state.vm_id, &name, listener);
    Ok(write_word(guest, to, queue)?)
}

/// An empty VM id stands for the caller's own.
pub(crate) fn resolve(guest: Guest<'_, '_>, vm: u32, vm_n: u32, name: u32, n: u32, to: u32) -> Outcome {
    let (vm, name) = (read(guest, vm, vm_n)?, read(guest, name, n)?);
    let state = guest.data();
    let vm = if vm.is_empty() { &state.vm_id } else { &vm };
    let queue = lock(&state.site.process.queues).resolve(vm, &name)?;
    Ok(write_word(guest, to, queue)?)
}

pub(crate) fn enqueue(guest: Guest<'_, '_>, queue: u32, value: u32, size: u32) -> Outcome {
    let value = read(guest, value, size)?;
    Ok(lock(&guest.data().site.process.queues).enqueue(queue, value)?)
}

pub(crate) fn dequeue(guest: Guest<'_, '_>, queue: u32, to: u32, size: u32) -> Outcome {
    let value = lock(&guest.data().site.process.queues).dequeue(queue)?;
    give(guest, &value, to, size)
}
