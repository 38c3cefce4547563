//! The part of WASI that Envoy serves, under both of its module names. What is not here does not link.

use crate::hostcall::guest::{Guest, read, write, write_word};
use crate::vm::state::{Limit, VmState};
use wasmtime::{Caller, Linker};

const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const NOENT: u32 = 44;
const NOSYS: u32 = 52;
const NOTSUP: u32 = 58;

/// The most random bytes at a time.
const MOST_RANDOM: u32 = 64 * 1024;

/// Counts a call and traps it where it is not allowed: only inside the guest's allocator.
fn gate(caller: &Caller<'_, VmState>, name: &'static str) -> wasmtime::Result<()> {
    let state = caller.data();
    let inside = state.limit == Limit::Allocation;
    *state.site.costs.borrow_mut().hostcalls.entry(name).or_default() += 1;
    if inside && !["fd_write", "clock_time_get", "poll_oneoff"].contains(&name) {
        return Err(wasmtime::format_err!("restricted_callback: {name}"));
    }
    Ok(())
}

macro_rules! wasi {
    ($linker:expr, $module:expr; $($name:ident ( $($arg:ident : $ty:ty),* ) $body:expr;)*) => {$(
        $linker.func_wrap($module, stringify!($name), |mut caller: Caller<'_, VmState>, $($arg: $ty),*| {
            gate(&caller, stringify!($name))?;
            let body: fn(Guest<'_, '_>, $($ty),*) -> u32 = $body;
            wasmtime::Result::Ok(body(&mut caller, $($arg),*))
        })?;
    )*};
}

pub(crate) fn link(linker: &mut Linker<VmState>, module: &str) -> wasmtime::Result<()> {
    wasi! { linker, module;
        fd_write(fd: u32, vectors: u32, count: u32, written: u32) fd_write;
        environ_sizes_get(count: u32, size: u32) environ_sizes;
        environ_get(pointers: u32, texts: u32) environ;
        args_sizes_get(count: u32, size: u32) |g, count, size| both(g, (count, 0), (size, 0));
        args_get(_p: u32, _t: u32) |_, _, _| SUCCESS;
        clock_time_get(clock: u32, _precision: u64, to: u32) clock_time;
        random_get(to: u32, size: u32) random;
        sched_yield() |_| SUCCESS;
        poll_oneoff(_i: u32, _o: u32, _n: u32, events: u32) |g, _, _, _, events| both(g, (events, 0), (events, 0));
        fd_close(_fd: u32) |_, _| SUCCESS;
        fd_seek(_fd: u32, _by: i64, _whence: u32, _to: u32) |_, _, _, _, _| SUCCESS;
        fd_read(_fd: u32, _v: u32, _n: u32, _to: u32) |_, _, _, _, _| NOSYS;
        fd_fdstat_get(fd: u32, to: u32) fdstat;
        fd_prestat_get(_fd: u32, _to: u32) |_, _, _| BADF;
        fd_prestat_dir_name(_fd: u32, _to: u32, _n: u32) |_, _, _, _| NOSYS;
        fd_filestat_get(_fd: u32, _to: u32) |_, _, _| BADF;
        path_filestat_get(_fd: u32, _f: u32, _p: u32, _n: u32, _to: u32) |_, _, _, _, _, _| NOTSUP;
        path_open(_fd: u32, _df: u32, _p: u32, _n: u32, _of: u32, _rb: i64, _ri: i64, _ff: u32, _to: u32)
            |_, _, _, _, _, _, _, _, _, _| NOENT;
    }
    // Envoy logs an exit, and the call returns.
    linker.func_wrap(module, "proc_exit", |caller: Caller<'_, VmState>, code: u32| {
        gate(&caller, "proc_exit")?;
        caller.data().site.process.log("error", format!("wasm exit with code {code}"));
        wasmtime::Result::Ok(())
    })?;
    Ok(())
}

fn both(guest: Guest<'_, '_>, first: (u32, u32), second: (u32, u32)) -> u32 {
    match write_word(guest, first.0, first.1).and_then(|()| write_word(guest, second.0, second.1)) {
        Ok(()) => SUCCESS,
        Err(_) => FAULT,
    }
}

/// Standard output goes to the log as `info`, standard error as `error`; one line end at the end is dropped.
fn fd_write(guest: Guest<'_, '_>, fd: u32, vectors: u32, count: u32, written: u32) -> u32 {
    let level = match fd {
        1 => "info",
        2 => "error",
        _ => return BADF,
    };
    let mut text = Vec::new();
    for number in 0..count {
        let word = |guest: Guest<'_, '_>, at: u32| {
            let bytes = read(guest, at, 4).ok()?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let at = vectors.saturating_add(number.saturating_mul(8));
        let (Some(from), Some(size)) = (word(guest, at), word(guest, at.saturating_add(4))) else { return FAULT };
        let Ok(bytes) = read(guest, from, size) else { return FAULT };
        text.extend(bytes);
    }
    let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    let state = guest.data();
    if !text.is_empty() {
        state.site.process.log(level, format!("{}: {}", state.log_prefix, String::from_utf8_lossy(&text)));
    }
    both(guest, (written, size), (written, size))
}

fn environ_sizes(guest: Guest<'_, '_>, count: u32, size: u32) -> u32 {
    let entries = &guest.data().environment;
    let bytes: usize = entries.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (entries, bytes) = (word(entries.len()), word(bytes));
    both(guest, (count, entries), (size, bytes))
}

fn environ(guest: Guest<'_, '_>, mut pointers: u32, mut texts: u32) -> u32 {
    for (key, value) in guest.data().environment.clone() {
        let entry = format!("{key}={value}\0");
        if write_word(guest, pointers, texts).is_err() || write(guest, texts, entry.as_bytes()).is_err() {
            return FAULT;
        }
        pointers = pointers.saturating_add(4);
        texts = texts.saturating_add(u32::try_from(entry.len()).unwrap_or(u32::MAX));
    }
    SUCCESS
}

fn clock_time(guest: Guest<'_, '_>, clock: u32, _precision: u64, to: u32) -> u32 {
    let clocks = &guest.data().site.process.clock;
    let time = match clock {
        0 => clocks.wall(),
        1 => clocks.monotonic(),
        _ => return NOTSUP,
    };
    if write(guest, to, &time.to_le_bytes()).is_ok() { SUCCESS } else { FAULT }
}

/// Bytes from a counter that is mixed: different on every call, the same in every run.
fn random(guest: Guest<'_, '_>, to: u32, size: u32) -> u32 {
    if size > MOST_RANDOM {
        return INVAL;
    }
    let mut bytes = Vec::new();
    for _ in 0..size.div_ceil(8) {
        let mut word = guest.data().site.process.next_serial().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bytes.extend((word ^ word >> 27).to_le_bytes());
    }
    bytes.truncate(usize::try_from(size).unwrap_or(0));
    if write(guest, to, &bytes).is_ok() { SUCCESS } else { FAULT }
}

fn fdstat(guest: Guest<'_, '_>, fd: u32, to: u32) -> u32 {
    if fd != 1 && fd != 2 {
        return BADF;
    }
    let mut stat = [0; 24];
    if let Some((kind, rest)) = stat.split_first_mut() {
        // A character device that may be written: right 64.
        *kind = 2;
        if let Some(right) = rest.get_mut(7) {
            *right = 64;
        }
    }
    if write(guest, to, &stat).is_ok() { SUCCESS } else { FAULT }
}
