//! The lines: who says them, how statuses and bytes are written.

use crate::abi;
use std::cell::Cell;
use std::fmt::Write as _;

/// Where the module is.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    /// Which VM of the process this is, in the order of their starts.
    pub(crate) vm: u32,
    /// The context in the callback.
    pub(crate) context: u32,
    /// The phase.
    pub(crate) phase: &'static str,
}

thread_local! {
    static SCENE: Cell<Scene> = const { Cell::new(Scene { vm: 0, context: 0, phase: "start" }) };
}

pub(crate) fn scene() -> Scene {
    SCENE.get()
}

pub(crate) fn enter(context: u32, phase: &'static str) {
    SCENE.set(Scene { context, phase, ..SCENE.get() });
}

pub(crate) fn number_vm(vm: u32) {
    SCENE.set(Scene { vm, ..SCENE.get() });
}

/// Logs one line: `weir-probe vm=V context=C PHASE CALL -> OUTCOME`. At `warn`, because that is what is kept of the log of
/// a proxy that refuses its configuration.
pub(crate) fn line(call: &str, outcome: &str) {
    let Scene { vm, context, phase } = SCENE.get();
    let text = format!("weir-probe vm={vm} context={context} {phase} {call} -> {outcome}");
    abi::proxy_log(3, text.as_ptr(), text.len());
}

/// Logs a hostcall that hands nothing back.
pub(crate) fn plain(call: &str, status: u32) {
    line(call, name(status));
}

/// Logs a hostcall with what it handed back.
pub(crate) fn with(call: &str, status: u32, result: &str) {
    line(call, format!("{} {result}", name(status)).trim_end());
}

/// The name of a status.
pub(crate) fn name(status: u32) -> &'static str {
    match status {
        0 => "Ok",
        1 => "NotFound",
        2 => "BadArgument",
        3 => "SerializationFailure",
        4 => "ParseFailure",
        5 => "BadExpression",
        6 => "InvalidMemoryAccess",
        7 => "Empty",
        8 => "CasMismatch",
        9 => "ResultMismatch",
        10 => "InternalFailure",
        11 => "BrokenConnection",
        12 => "Unimplemented",
        _ => "Unnamed",
    }
}

/// Bytes as text, with `\xNN` for what is not printable ASCII; at most 160 of them.
pub(crate) fn show(bytes: &[u8]) -> String {
    const SHOWN: usize = 160;
    let mut out = String::from("`");
    for &byte in bytes.iter().take(SHOWN) {
        match byte {
            0x20..=0x7e => out.push(char::from(byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push('`');
    if bytes.len() > SHOWN {
        let _ = write!(out, "...{}", bytes.len());
    }
    out
}

/// Pairs as `[name=value, ...]` in order, or the bytes where they are not pairs.
pub(crate) fn show_pairs(bytes: &[u8]) -> String {
    let shown = |list: Vec<String>| format!("[{}]", list.join(", "));
    pairs(bytes).map_or_else(|| show(bytes), shown)
}

/// Pairs of a map that has no order of its own, sorted by name.
pub(crate) fn show_map(bytes: &[u8]) -> String {
    let Some(mut list) = pairs(bytes) else { return show(bytes) };
    list.sort();
    format!("{{{}}}", list.join(", "))
}

fn pairs(bytes: &[u8]) -> Option<Vec<String>> {
    Some(parse(bytes)?.iter().map(|(name, value)| format!("{}={}", text(name), header(name, value))).collect())
}

fn text(bytes: &[u8]) -> String {
    show(bytes).trim_matches('`').to_owned()
}

/// A header's value; those that differ between runs as a word.
pub(crate) fn header(name: &[u8], value: &[u8]) -> String {
    match name {
        b"x-request-id" => "<uuid>".to_owned(),
        b"date" => "<date>".to_owned(),
        b"x-envoy-upstream-service-time" => "<milliseconds>".to_owned(),
        _ => text(value),
    }
}

fn parse(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize);
    let count = word(0)?;
    let mut at = count.checked_mul(8)?.checked_add(4)?;
    let mut piece = |size: usize| {
        let end = at.checked_add(size)?;
        let piece = bytes.get(at..end)?;
        if bytes.get(end) != Some(&0) {
            return None;
        }
        at = end + 1;
        Some(piece)
    };
    let mut list = Vec::new();
    for entry in 0..count {
        let name = piece(word(4 + entry * 8)?)?;
        list.push((name, piece(word(8 + entry * 8)?)?));
    }
    Some(list)
}
