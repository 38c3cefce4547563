//! Header maps. Which are there depends on the phase; what absence means depends on the hostcall.

use crate::abi::pairs;
use crate::abi::status::{Outcome, Status};
use crate::hostcall::guest::{Guest, give, read, write_word};
use crate::http::headers::HeaderMap;
use crate::vm::context::Shown;
use crate::vm::state::VmState;

/// The map types of the ABI.
const LAST: u32 = 7;

fn checked(map: u32) -> Result<u32, Status> {
    if map <= LAST { Ok(map) } else { Err(Status::BadArgument) }
}

/// A copy of a map for reading.
fn readable(state: &VmState, map: u32) -> Option<HeaderMap> {
    let acting = state.acting();
    if map > 3 {
        return shown(state, map).cloned();
    }
    let stream = state.stream(acting)?;
    let (data, sight) = (stream.data.borrow(), &stream.sight);
    match map {
        0 if sight.request_headers || sight.log => data.request_headers.clone(),
        1 if sight.request_trailers && !sight.log => data.request_trailers.clone(),
        2 if sight.response_headers || sight.log => data.response_headers.clone(),
        3 if sight.response_trailers || sight.log => data.response_trailers.clone(),
        _ => None,
    }
}

fn shown(state: &VmState, map: u32) -> Option<&HeaderMap> {
    match (map, state.root(state.acting())?.shown.as_ref()?) {
        (6, Shown::Http(answer)) => Some(&answer.headers),
        (7, Shown::Http(answer)) if !answer.trailers.is_empty() => Some(&answer.trailers),
        (4, Shown::GrpcInitial(map)) | (5, Shown::GrpcTrailing(map)) => Some(map),
        _ => None,
    }
}

/// Does something with a map that may be changed. Trailers that are not there come into being with the last chunk of a
/// body; what a callout brought is for reading only; request headers changed under ABI 0.2.1 and older make the route be looked up again.
fn change<T>(state: &mut VmState, map: u32, act: impl FnOnce(&mut HeaderMap) -> T, writes: bool) -> Result<T, Status> {
    let acting = state.acting();
    let stream = state.stream_mut(acting).ok_or(Status::BadArgument)?;
    let mut data = stream.data.borrow_mut();
    let sight = &mut stream.sight;
    let target = match map {
        0 if sight.request_headers => data.request_headers.as_mut(),
        1 => {
            if !sight.request_trailers && sight.end_of_stream && sight.request_body.is_some() {
                sight.request_trailers = true;
                data.request_trailers.get_or_insert_default();
            }
            if sight.request_trailers { data.request_trailers.as_mut() } else { None }
        }
        2 if sight.response_headers => data.response_headers.as_mut(),
        3 => {
            if !sight.response_trailers && sight.end_of_stream && sight.response_body.is_some() {
                sight.response_trailers = true;
                data.response_trailers.get_or_insert_default();
            }
            if sight.response_trailers { data.response_trailers.as_mut() } else { None }
        }
        _ => None,
    };
    let done = act(target.ok_or(Status::BadArgument)?);
    if map == 0 && writes {
        data.route_stale = true;
    }
    Ok(done)
}

/// The first of the values. A map that is not there is `BadArgument`, but `NotFound` in `on_log`.
pub(crate) fn value(guest: Guest<'_, '_>, map: u32, key: u32, n: u32, to: u32, size: u32) -> Outcome {
    checked(map)?;
    let key = read(guest, key, n)?;
    let state = guest.data();
    let in_log = state.stream(state.acting()).is_some_and(|stream| stream.sight.log);
    let absent = if in_log { Status::NotFound } else { Status::BadArgument };
    let headers = readable(state, map).ok_or(absent)?;
    let value = headers.get(&key).ok_or(Status::NotFound)?.to_vec();
    give(guest, &value, to, size)
}

/// All fields in one block; nothing at all, and `Ok`, where there is no map.
pub(crate) fn pairs(guest: Guest<'_, '_>, map: u32, to: u32, size: u32) -> Outcome {
    checked(map)?;
    match readable(guest.data(), map) {
        Some(headers) if !headers.is_empty() => give(guest, &pairs::write(&headers.pairs()), to, size),
        _ => give(guest, &[], to, size),
    }
}

/// Size in bytes, by way of the map that can be changed: `BadArgument` in `on_log`.
pub(crate) fn size(guest: Guest<'_, '_>, map: u32, to: u32) -> Outcome {
    checked(map)?;
    let size = change(guest.data_mut(), map, |headers| headers.byte_size(), false)?;
    Ok(write_word(guest, to, u32::try_from(size).unwrap_or(u32::MAX))?)
}

pub(crate) fn set_pairs(guest: Guest<'_, '_>, map: u32, from: u32, size: u32) -> Outcome {
    checked(map)?;
    let new = HeaderMap::new(pairs::read(&read(guest, from, size)?));
    Ok(change(guest.data_mut(), map, |headers| *headers = new, true)?)
}

pub(crate) fn add(guest: Guest<'_, '_>, map: u32, key: u32, n: u32, value: u32, size: u32) -> Outcome {
    checked(map)?;
    let (key, value) = (read(guest, key, n)?, read(guest, value, size)?);
    Ok(change(guest.data_mut(), map, |headers| headers.add(&key, &value), true)?)
}

pub(crate) fn replace(guest: Guest<'_, '_>, map: u32, key: u32, n: u32, value: u32, size: u32) -> Outcome {
    checked(map)?;
    let (key, value) = (read(guest, key, n)?, read(guest, value, size)?);
    Ok(change(guest.data_mut(), map, |headers| headers.set(&key, &value), true)?)
}

pub(crate) fn remove(guest: Guest<'_, '_>, map: u32, key: u32, n: u32) -> Outcome {
    checked(map)?;
    let key = read(guest, key, n)?;
    Ok(change(guest.data_mut(), map, |headers| headers.remove(&key), true)?)
}
