//! `expr_create`, `expr_evaluate` and `expr_delete` through the `cel` crate, with Envoy's encoding of results.
//!
//! CEL strings of that crate are Unicode and header values are not: bytes that are not UTF-8 travel through it as code
//! points of a private plane and come back as they were; `matches` compares the bytes, as RE2 does. A message travels as the map of its fields, with its serialised
//! form under a name that no field has.

mod nesting;

use crate::abi::status::Status;
use crate::abi::value::Value;
use crate::hostcall::attributes::{self, ROOTS, find};
use crate::vm::state::VmState;
use cel::extractors::This;
use cel::objects::{Key, Map};
use cel::{Context, ExecutionError, Program, Value as Cel};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// The name under which a message's bytes travel.
const MESSAGE: &str = "\u{10fffd}";
/// Where the private code points begin.
const PLANE: u32 = 0x0010_f700;

/// Compiles an expression for the root of the context in the callback; the answer is its 4-byte number.
pub(crate) fn create(state: &mut VmState, text: &[u8]) -> Result<Vec<u8>, Status> {
    let text = std::str::from_utf8(text).map_err(|_| Status::BadArgument)?;
    if nesting::has_too_many_brackets(text) {
        return Err(Status::BadArgument);
    }
    let program = Program::compile(text).map_err(|_| Status::BadArgument)?;
    let references = program.references();
    if references.functions().into_iter().any(unknown) || nesting::is_too_deep(program.expression()) {
        return Err(Status::BadArgument);
    }
    let current = state.current;
    let root = state.root_mut(current).ok_or(Status::BadArgument)?;
    root.last_expression += 1;
    root.expressions.insert(root.last_expression, Rc::new(program));
    Ok(root.last_expression.to_le_bytes().to_vec())
}

/// Whether Envoy has no such function: its extensions for strings are off. Operators are not names.
fn unknown(function: &str) -> bool {
    const KNOWN: &str = " size contains startsWith endsWith matches int uint double string bytes bool type dyn duration \
        timestamp getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours getMilliseconds getMinutes \
        getMonth getSeconds has all exists exists_one map filter ";
    let named = function.starts_with(|c: char| c.is_ascii_alphabetic());
    named && !KNOWN.split_ascii_whitespace().any(|known| known == function)
}

fn number(arguments: &[u8]) -> Result<u32, Status> {
    Ok(u32::from_le_bytes(arguments.try_into().map_err(|_| Status::BadArgument)?))
}

/// Forgets an expression, whether or not there is one.
pub(crate) fn delete(state: &mut VmState, arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let number = number(arguments)?;
    let current = state.current;
    if let Some(root) = state.root_mut(current) {
        root.expressions.remove(&number);
    }
    Ok(Vec::new())
}

/// Evaluates on the context in the callback, also if another one is effective. Any error, an absent attribute included, is
/// `InternalFailure`.
pub(crate) fn evaluate(state: &mut VmState, arguments: &[u8]) -> Result<Vec<u8>, Status> {
    let number = number(arguments)?;
    let program = state.root(state.current).and_then(|root| root.expressions.get(&number).cloned());
    let program = program.ok_or(Status::NotFound)?;
    let references = program.references();
    let mut context = Context::default();
    // The crate's own is left out of its features.
    context.add_function("matches", matches).map_err(|_| Status::InternalFailure)?;
    for name in ["plugin_name", "plugin_root_id", "plugin_vm_id", "connection_id"] {
        if let Some(value) =
            references.has_variable(name).then(|| find(state, state.current, name.as_bytes())).flatten()
        {
            context.add_variable_from_value(name, to_cel(&value));
        }
    }
    for root in ROOTS.into_iter().filter(|root| references.has_variable(root)) {
        if let Some(value) = attributes::root(state, state.current, root.as_bytes()) {
            context.add_variable_from_value(root, to_cel(&value));
        }
    }
    let result = program.execute(&context).map_err(|_| Status::InternalFailure)?;
    from_cel(&result)?.encode()
}

/// Whether a pattern is found anywhere. In RE2 no `.` and no class is a byte that is not a part of UTF-8.
fn matches(This(text): This<Arc<String>>, pattern: Arc<String>) -> Result<bool, ExecutionError> {
    match regex::bytes::Regex::new(&pattern) {
        Ok(compiled) => Ok(compiled.is_match(&from_text(&text))),
        Err(error) => Err(ExecutionError::function_error("matches", error.to_string())),
    }
}

fn to_text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().filter_map(|&byte| char::from_u32(PLANE + u32::from(byte))));
    }
    out
}

fn from_text(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(PLANE).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => out.push(byte),
            None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

fn to_map(fields: &BTreeMap<Vec<u8>, Value>) -> HashMap<Key, Cel> {
    fields.iter().map(|(key, value)| (Key::String(Arc::new(to_text(key))), to_cel(value))).collect()
}

fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bytes(bytes) => Cel::String(Arc::new(to_text(bytes))),
        Value::Int(number) => Cel::Int(*number),
        Value::Uint(number) => Cel::UInt(*number),
        Value::Double(number) => Cel::Float(*number),
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Duration(nanos) => span(&format!("duration('{nanos}ns')")),
        Value::Timestamp(nanos) => span(&timestamp(*nanos)),
        Value::Message(bytes, fields) => {
            let mut map = to_map(fields);
            map.insert(Key::String(Arc::new(MESSAGE.to_owned())), Cel::Bytes(Arc::new(bytes.clone())));
            Cel::Map(Map { map: Arc::new(map) })
        }
        Value::Root(fields) => {
            let mut map = to_map(fields);
            map.insert(Key::String(Arc::new(MESSAGE.to_owned())), Cel::Null);
            Cel::Map(Map { map: Arc::new(map) })
        }
        Value::Map(fields) => Cel::Map(Map { map: Arc::new(to_map(fields)) }),
        Value::List(items) => Cel::List(Arc::new(items.iter().map(to_cel).collect())),
    }
}

/// The crate's own types of time are made by its own functions.
fn span(text: &str) -> Cel {
    Program::compile(text).ok().and_then(|program| program.execute(&Context::default()).ok()).unwrap_or(Cel::Null)
}

/// An expression for a moment: the epoch and a duration.
fn timestamp(nanos: i64) -> String {
    format!("timestamp('1970-01-01T00:00:00Z') + duration('{nanos}ns')")
}

fn from_cel(value: &Cel) -> Result<Value, Status> {
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::String(text) => Value::Bytes(from_text(text)),
        Cel::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Cel::Int(number) => Value::Int(*number),
        Cel::UInt(number) => Value::Uint(*number),
        Cel::Float(number) => Value::Double(*number),
        Cel::Bool(flag) => Value::Bool(*flag),
        Cel::Duration(span) => Value::Duration(span.num_nanoseconds().ok_or(Status::SerializationFailure)?),
        Cel::Timestamp(time) => Value::Timestamp(time.timestamp_nanos_opt().ok_or(Status::SerializationFailure)?),
        Cel::List(items) => Value::List(items.iter().map(from_cel).collect::<Result<_, _>>()?),
        Cel::Map(map) => {
            match map.map.get(&Key::String(Arc::new(MESSAGE.to_owned()))) {
                Some(Cel::Bytes(bytes)) => return Ok(Value::Bytes(bytes.to_vec())),
                Some(_) => return Err(Status::SerializationFailure),
                None => {}
            }
            let mut out = BTreeMap::new();
            for (key, value) in map.map.iter() {
                let key = match key {
                    Key::String(text) => from_text(text),
                    Key::Int(number) => number.to_le_bytes().to_vec(),
                    Key::Uint(number) => number.to_le_bytes().to_vec(),
                    Key::Bool(flag) => vec![u8::from(*flag)],
                };
                out.insert(key, from_cel(value)?);
            }
            Value::Map(out)
        }
        _ => return Err(Status::SerializationFailure),
    })
}
