//! What a module does to its stream. All of it happens after the outermost call of the VM has returned.

use crate::abi::pairs;
use crate::abi::status::{Fault, Outcome, Status};
use crate::hostcall::guest::{Guest, read};
use crate::http::local_reply::LocalReply;
use crate::vm::context::Action;

/// Always `Ok`; nothing on a root context. Blanks in the details become underscores. The callback that is running
/// counts as stopped, for any value that it returns.
#[expect(clippy::too_many_arguments, reason = "the ABI's own list")]
pub(crate) fn reply(
    guest: Guest<'_, '_>,
    code: u32,
    details: u32,
    details_n: u32,
    body: u32,
    body_n: u32,
    headers: u32,
    headers_n: u32,
    grpc: u32,
) -> Outcome {
    let details = read(guest, details, details_n)?;
    let details = details.into_iter().map(|b| if b.is_ascii_whitespace() { b'_' } else { b }).collect();
    let body = read(guest, body, body_n)?;
    let headers = pairs::read(&read(guest, headers, headers_n)?);
    // Envoy takes the numbers that gRPC has, and any other as none.
    let grpc_status = (grpc <= 16).then_some(grpc);
    let code = u16::try_from(code).unwrap_or(u16::MAX);
    let reply = LocalReply { code, details, body, headers, grpc_status };
    let state = guest.data_mut();
    let acting = state.acting();
    if let Some(stream) = state.stream_mut(acting) {
        if stream.ended {
            return Err(over());
        }
        // The first of a callback counts.
        if std::mem::replace(&mut stream.replied, true) {
            return Ok(());
        }
        let stream = stream.id;
        state.actions.push(Action::Reply { stream, reply });
    }
    Ok(())
}

/// Real Envoy crashes on these.
fn over() -> Fault {
    Fault::Crash("a module answers or closes a stream that is over")
}

/// Request 0, response 1, downstream 2; upstream 3 is not implemented by Envoy.
pub(crate) fn continue_stream(guest: Guest<'_, '_>, kind: u32) -> Outcome {
    match kind {
        0 => continue_side(guest, false),
        1 => continue_side(guest, true),
        2 => {
            on_connection(guest, |connection, position| Action::ContinueConnection { connection, position });
            Ok(())
        }
        3 => Err(Status::Unimplemented.into()),
        _ => Err(Status::BadArgument.into()),
    }
}

/// The request's maps are out of sight from here on, whichever side goes on; and its body, unless it is held and this is
/// another context's callback: then until it really goes on.
fn continue_side(guest: Guest<'_, '_>, response: bool) -> Outcome {
    let state = guest.data_mut();
    let acting = state.acting();
    let own = acting == state.current;
    if let Some(stream) = state.stream_mut(acting) {
        stream.sight.request_headers = false;
        stream.sight.request_trailers = false;
        if own {
            stream.sight.request_body = None;
        }
        let (stream, position) = (stream.id, stream.position);
        state.actions.push(Action::Continue { stream, position, response });
    }
    Ok(())
}

pub(crate) fn continue_request(guest: Guest<'_, '_>) -> Outcome {
    continue_side(guest, false)
}

pub(crate) fn continue_response(guest: Guest<'_, '_>) -> Outcome {
    continue_side(guest, true)
}

pub(crate) fn close_stream(guest: Guest<'_, '_>, kind: u32) -> Outcome {
    let state = guest.data_mut();
    let acting = state.acting();
    match kind {
        0 | 1 => {
            let stream = state.stream(acting).map(|stream| (stream.id, stream.ended));
            if let Some((stream, ended)) = stream {
                if ended {
                    return Err(over());
                }
                state.actions.push(Action::Close { stream });
            }
            Ok(())
        }
        2 | 3 => {
            on_connection(guest, |connection, _| Action::CloseConnection { connection });
            Ok(())
        }
        _ => Err(Status::BadArgument.into()),
    }
}

/// Does something to the connection of a network filter; nothing to an HTTP stream.
fn on_connection(guest: Guest<'_, '_>, act: impl FnOnce(u64, usize) -> Action) {
    let state = guest.data_mut();
    let acting = state.acting();
    if let Some(stream) = state.stream(acting).filter(|stream| stream.sight.connection && !stream.ended) {
        let action = act(stream.id, stream.position);
        state.actions.push(action);
    }
}

/// ABI 0.1.0, and the foreign function of later ones.
pub(crate) fn clear_route(guest: Guest<'_, '_>) -> Outcome {
    let state = guest.data();
    let context = if state.site.process.settings.foreign_effective { state.acting() } else { state.current };
    if let Some(stream) = state.stream(context) {
        stream.data.borrow_mut().route_stale = true;
    }
    Ok(())
}
