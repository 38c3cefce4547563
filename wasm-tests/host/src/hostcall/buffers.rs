//! Buffers: bodies that may be changed, and configurations and callout bodies that may not.

use crate::abi::status::{Outcome, Status};
use crate::hostcall::guest::{Guest, give, read, write_word};
use crate::vm::context::{Context, Shown};
use crate::vm::state::VmState;

/// The buffer types of the ABI.
const LAST: u32 = 8;

/// A copy of a buffer. Only the body of a callout's answer and the plugin's configuration are ever missing; the others are
/// empty where there is nothing, as Envoy's are.
fn readable(state: &VmState, kind: u32) -> Option<Vec<u8>> {
    let acting = state.acting();
    let sight = state.stream(acting).map(|stream| &stream.sight);
    match kind {
        0 => Some(sight.and_then(|sight| sight.request_body.clone()).unwrap_or_default()),
        1 => Some(sight.and_then(|sight| sight.response_body.clone()).unwrap_or_default()),
        2 => Some(sight.and_then(|sight| sight.downstream_data.clone()).unwrap_or_default()),
        3 => Some(sight.and_then(|sight| sight.upstream_data.clone()).unwrap_or_default()),
        4 => match state.root(acting)?.shown.as_ref()? {
            Shown::Http(answer) => Some(answer.body.clone()),
            _ => None,
        },
        5 => Some(message(state, acting).unwrap_or_default()),
        6 => Some(state.vm_config.clone()),
        7 => plugin_configuration(state, acting),
        // "Call data" is whichever other buffer was there when it was asked for last.
        _ => {
            let last_buffer = match state.contexts.get(&acting) {
                Some(Context::Root(root)) => root.last_buffer,
                Some(Context::Stream(stream)) => stream.last_buffer,
                None => None,
            };
            Some(last_buffer.and_then(|kind| readable(state, kind)).unwrap_or_default())
        }
    }
}

fn message(state: &VmState, acting: u32) -> Option<Vec<u8>> {
    match state.root(acting)?.shown.as_ref()? {
        Shown::GrpcMessage(message) => Some(message.clone()),
        _ => None,
    }
}

fn plugin_configuration(state: &VmState, acting: u32) -> Option<Vec<u8>> {
    state.root(acting).filter(|root| root.configuring).map(|root| root.plugin.configuration.clone())
}

fn bytes(guest: Guest<'_, '_>, kind: u32) -> Result<Vec<u8>, Status> {
    if kind > LAST {
        return Err(Status::BadArgument);
    }
    let bytes = readable(guest.data(), kind).ok_or(Status::NotFound)?;
    if kind < LAST {
        let state = guest.data_mut();
        let acting = state.acting();
        match state.contexts.get_mut(&acting) {
            Some(Context::Root(root)) => root.last_buffer = Some(kind),
            Some(Context::Stream(stream)) => stream.last_buffer = Some(kind),
            None => {}
        }
    }
    Ok(bytes)
}

/// A part of a buffer, clamped to what is there.
pub(crate) fn get(guest: Guest<'_, '_>, kind: u32, start: u32, length: u32, to: u32, size: u32) -> Outcome {
    let bytes = bytes(guest, kind)?;
    let start = usize::try_from(start).unwrap_or(usize::MAX).min(bytes.len());
    let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(bytes.len());
    give(guest, bytes.get(start..end).unwrap_or_default(), to, size)
}

pub(crate) fn status(guest: Guest<'_, '_>, kind: u32, length: u32, flags: u32) -> Outcome {
    let size = bytes(guest, kind)?.len();
    write_word(guest, length, u32::try_from(size).unwrap_or(u32::MAX))?;
    Ok(write_word(guest, flags, 0)?)
}

/// From the beginning: drops `length` bytes and puts the new ones there. From the end: appends. Anything else is
/// `BadArgument`.
pub(crate) fn set(guest: Guest<'_, '_>, kind: u32, start: u32, length: u32, from: u32, size: u32) -> Outcome {
    bytes(guest, kind)?;
    let new = read(guest, from, size)?;
    let state = guest.data_mut();
    let acting = state.acting();
    let sight = state.stream_mut(acting).map(|stream| &mut stream.sight);
    let body = match (kind, sight) {
        (0, Some(sight)) => sight.request_body.as_mut(),
        (1, Some(sight)) => sight.response_body.as_mut(),
        (2, Some(sight)) => sight.downstream_data.as_mut(),
        (3, Some(sight)) => sight.upstream_data.as_mut(),
        _ => None,
    };
    let body = body.ok_or(Status::BadArgument)?;
    if start == 0 {
        let end = usize::try_from(length).unwrap_or(usize::MAX).min(body.len());
        body.splice(..end, new);
    } else if usize::try_from(start).is_ok_and(|start| start >= body.len()) {
        body.extend(new);
    } else {
        return Err(Status::BadArgument.into());
    }
    Ok(())
}

/// ABI 0.1.0: the plugin configuration.
pub(crate) fn configuration(guest: Guest<'_, '_>, to: u32, size: u32) -> Outcome {
    let bytes = readable(guest.data(), 7).or_else(|| readable(guest.data(), 6)).unwrap_or_default();
    give(guest, &bytes, to, size)
}
