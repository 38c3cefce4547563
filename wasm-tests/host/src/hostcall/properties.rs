//! Properties and foreign functions.

use crate::abi::proto::{Content, fields};
use crate::abi::status::{Fault, Outcome, Status};
use crate::abi::value::Value;
use crate::hostcall::attributes::{OWN, find};
use crate::hostcall::expressions;
use crate::hostcall::guest::{Guest, give, read};
use crate::vm::context::Declared;
use crate::vm::state::VmState;

/// The path's elements are separated by NUL. The first is looked for among the attributes, then among the plugin's own
/// names, then in the filter state.
pub(crate) fn get(guest: Guest<'_, '_>, path: u32, n: u32, to: u32, size: u32) -> Outcome {
    let path = read(guest, path, n)?;
    let value = lookup(guest.data(), &path)?.encode()?;
    give(guest, &value, to, size)
}

fn lookup(state: &VmState, path: &[u8]) -> Result<Value, Status> {
    if path.is_empty() {
        return Err(Status::SerializationFailure);
    }
    let mut elements = path.strip_suffix(b"\0").unwrap_or(path).split(|&b| b == 0);
    let first = elements.next().unwrap_or_default();
    let context = state.acting();
    let mut value = find(state, context, first).ok_or(Status::NotFound)?;
    for element in elements {
        value = value.step(element).ok_or(Status::NotFound)?.clone();
    }
    Ok(value)
}

/// Writes filter state `wasm.PATH`: `NotFound` without a stream, `BadArgument` where it was declared read-only and is set.
pub(crate) fn set(guest: Guest<'_, '_>, path: u32, n: u32, value: u32, size: u32) -> Outcome {
    let (path, value) = (read(guest, path, n)?, read(guest, value, size)?);
    let state = guest.data();
    let context = state.acting();
    let stream = state.stream(context).ok_or(Status::NotFound)?;
    let name = [OWN, path.as_slice()].concat();
    let readonly = state.root(context).is_some_and(|root| root.declared.get(&path).is_some_and(|d| d.readonly));
    let mut data = stream.data.borrow_mut();
    if data.readonly.contains(&name) {
        return Err(Status::BadArgument.into());
    }
    if readonly {
        data.readonly.insert(name.clone());
    }
    data.filter_state.insert(name, value);
    Ok(())
}

/// Foreign functions by name. `compress`, `uncompress`, `sign` and `verify_signature` are not served: `NotFound`.
pub(crate) fn foreign(
    guest: Guest<'_, '_>,
    name: u32,
    n: u32,
    arguments: u32,
    size: u32,
    to: u32,
    to_size: u32,
) -> Outcome {
    let (name, arguments) = (read(guest, name, n)?, read(guest, arguments, size)?);
    let result = match name.as_slice() {
        b"clear_route_cache" => return super::control::clear_route(guest),
        b"declare_property" => declare(guest.data_mut(), &arguments)?,
        b"set_envoy_filter_state" => filter_state(guest.data_mut(), &arguments)?,
        b"expr_create" => expressions::create(guest.data_mut(), &arguments)?,
        b"expr_evaluate" => expressions::evaluate(guest.data_mut(), &arguments)?,
        b"expr_delete" => expressions::delete(guest.data_mut(), &arguments)?,
        _ => return Err(Status::NotFound.into()),
    };
    // Envoy writes the token or the value without a look at what the allocator gave it.
    give(guest, &result, to, to_size).map_err(|fault| match fault {
        Fault::Status(_) if name.starts_with(b"expr_") => {
            Fault::Crash("a module has no memory for an expression's result")
        }
        fault => fault,
    })
}

/// `DeclarePropertyArguments`: name 1, read-only 4. A second declaration of a name is `BadArgument`.
fn declare(state: &mut VmState, arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let (mut name, mut declared) = (Vec::new(), Declared::default());
    for (number, content) in fields(arguments).ok_or(Status::BadArgument)? {
        match (number, content) {
            (1, Content::Bytes(bytes)) => name = bytes.to_vec(),
            (4, Content::Number(flag)) => declared.readonly = flag != 0,
            _ => {}
        }
    }
    let current = state.current;
    let root = state.root_mut(current).ok_or(Status::BadArgument)?;
    if root.declared.insert(name, declared).is_some() {
        return Err(Status::BadArgument);
    }
    Ok(Vec::new())
}

/// Filter state objects that Envoy can make from bytes.
const FACTORIES: [&str; 8] = [
    "envoy.network.upstream_server_name",
    "envoy.network.upstream_subject_alt_names",
    "envoy.network.application_protocols",
    "envoy.network.transport_socket.original_dst_address",
    "envoy.tcp_proxy.cluster",
    "envoy.upstream.dynamic_host",
    "envoy.string",
    "envoy.hashable_string",
];

/// `SetEnvoyFilterStateArguments`: path 1, value 2. A path that Envoy makes no object for is `NotFound`.
fn filter_state(state: &mut VmState, arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let (mut path, mut value) = (Vec::new(), Vec::new());
    for (number, content) in fields(arguments).ok_or(Status::BadArgument)? {
        match (number, content) {
            (1, Content::Bytes(bytes)) => path = bytes.to_vec(),
            (2, Content::Bytes(bytes)) => value = bytes.to_vec(),
            _ => {}
        }
    }
    if !FACTORIES.iter().any(|known| known.as_bytes() == path) {
        return Err(Status::NotFound);
    }
    let context = if state.site.process.settings.foreign_effective { state.acting() } else { state.current };
    let stream = state.stream(context).ok_or(Status::NotFound)?;
    stream.data.borrow_mut().filter_state.insert(path, value);
    Ok(Vec::new())
}
