//! A hostcall's way to the module: bounds-checked memory, blocks from the guest's allocator, and the gate that counts
//! hostcalls and traps those that are not allowed at the moment.

use crate::abi::status::{Fault, Outcome, Status};
use crate::process::cost::Call;
use crate::process::lock;
use crate::vm::state::{Limit, VmState};
use wasmtime::{AsContext, AsContextMut, Caller};

/// The module that made a hostcall.
pub(crate) type Guest<'a, 'b> = &'a mut Caller<'b, VmState>;

/// What may be called inside the guest's allocator.
const IN_ALLOCATION: [&str; 4] = ["proxy_log", "fd_write", "clock_time_get", "poll_oneoff"];

/// Runs a hostcall: refuses it where it is not allowed, counts it, and turns its end into a status or a trap.
pub(crate) fn hostcall(
    caller: Guest<'_, '_>,
    name: &'static str,
    body: impl FnOnce(Guest<'_, '_>) -> Outcome,
) -> wasmtime::Result<u32> {
    let state = caller.data();
    let allowed = match state.limit {
        Limit::None => true,
        Limit::Start => name == "proxy_log",
        Limit::Allocation => IN_ALLOCATION.contains(&name),
    };
    *state.site.costs.borrow_mut().hostcalls.entry(name).or_default() += 1;
    let (site, vm, context) = (std::rc::Rc::clone(&state.site), state.vm, state.current);
    let record = |status| site.transcript.borrow_mut().push(Call { vm, context, name, status });
    if !allowed {
        record(None);
        return Err(wasmtime::format_err!("restricted_callback: {name}"));
    }
    match body(caller) {
        Ok(()) => {
            record(Some(0));
            Ok(0)
        }
        Err(Fault::Status(status)) => {
            record(Some(status as u32));
            Ok(status as u32)
        }
        Err(Fault::Crash(why)) => {
            record(None);
            lock(&site.process.crash).get_or_insert(why);
            Err(wasmtime::format_err!("{why}"))
        }
    }
}

/// Copies bytes out of the guest.
pub(crate) fn read(caller: Guest<'_, '_>, at: u32, size: u32) -> Result<Vec<u8>, Status> {
    let memory = caller.data().memory.ok_or(Status::InvalidMemoryAccess)?;
    let from = usize::try_from(at).map_err(|_| Status::InvalidMemoryAccess)?;
    let size = usize::try_from(size).map_err(|_| Status::InvalidMemoryAccess)?;
    let end = from.checked_add(size).ok_or(Status::InvalidMemoryAccess)?;
    memory.data(caller.as_context()).get(from..end).map(<[u8]>::to_vec).ok_or(Status::InvalidMemoryAccess)
}

/// Copies bytes into the guest.
pub(crate) fn write(caller: Guest<'_, '_>, at: u32, bytes: &[u8]) -> Result<(), Status> {
    let memory = caller.data().memory.ok_or(Status::InvalidMemoryAccess)?;
    let to = usize::try_from(at).map_err(|_| Status::InvalidMemoryAccess)?;
    memory.write(caller.as_context_mut(), to, bytes).map_err(|_| Status::InvalidMemoryAccess)
}

/// Writes a 32-bit word.
pub(crate) fn write_word(caller: Guest<'_, '_>, at: u32, word: u32) -> Result<(), Status> {
    write(caller, at, &word.to_le_bytes())
}

/// Hands bytes over in a block of the guest's allocator, and writes where it is and how long. Nothing is allocated for
/// zero bytes.
pub(crate) fn give(caller: Guest<'_, '_>, bytes: &[u8], at: u32, size_at: u32) -> Outcome {
    let mut block = 0;
    if !bytes.is_empty() {
        block = allocate(caller, bytes.len())?;
        if block == 0 {
            return Err(Status::InvalidMemoryAccess.into());
        }
        write(caller, block, bytes)?;
        caller.data().site.costs.borrow_mut().bytes += bytes.len() as u64;
    }
    write_word(caller, at, block)?;
    write_word(caller, size_at, u32::try_from(bytes.len()).unwrap_or(u32::MAX))?;
    Ok(())
}

/// Asks the guest for a block. Inside, hardly any hostcall is allowed; a trap in there is the VM's end, but the callback
/// that made the hostcall goes on until it returns.
fn allocate(caller: Guest<'_, '_>, size: usize) -> Result<u32, Fault> {
    let malloc = caller.data().malloc.clone().ok_or(Status::InvalidMemoryAccess)?;
    let size = u32::try_from(size).map_err(|_| Status::InvalidMemoryAccess)?;
    caller.data().site.costs.borrow_mut().allocations += 1;
    let before = std::mem::replace(&mut caller.data_mut().limit, Limit::Allocation);
    let block = malloc.call(caller.as_context_mut(), size);
    caller.data_mut().limit = before;
    block.map_err(|trap| {
        caller.data_mut().failed.get_or_insert_with(|| format!("{trap:#}"));
        Fault::Status(Status::InvalidMemoryAccess)
    })
}
