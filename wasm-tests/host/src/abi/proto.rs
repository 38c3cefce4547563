//! The few protobuf messages that modules see or send, by hand: what is written is Struct, Metadata and Node, what is read
//! are the arguments of foreign functions.

use serde_json::{Map, Value};

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A length-delimited field.
fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// `google.protobuf.Struct`
pub(crate) fn structure(map: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, entry) in map {
        let mut pair = Vec::new();
        field(&mut pair, 1, key.as_bytes());
        field(&mut pair, 2, &value(entry));
        field(&mut out, 1, &pair);
    }
    out
}

/// `google.protobuf.Value`
fn value(entry: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match entry {
        Value::Null => out.extend([1 << 3, 0]),
        Value::Number(number) => {
            out.push(2 << 3 | 1);
            out.extend(number.as_f64().unwrap_or(0.0).to_le_bytes());
        }
        Value::String(text) => field(&mut out, 3, text.as_bytes()),
        Value::Bool(flag) => out.extend([4 << 3, u8::from(*flag)]),
        Value::Object(map) => field(&mut out, 5, &structure(map)),
        Value::Array(items) => {
            let mut list = Vec::new();
            for item in items {
                field(&mut list, 1, &value(item));
            }
            field(&mut out, 6, &list);
        }
    }
    out
}

/// `envoy.config.core.v3.Metadata` with this `filter_metadata`.
pub(crate) fn metadata(filters: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    let empty = Map::new();
    for (name, entry) in filters {
        let mut pair = Vec::new();
        field(&mut pair, 1, name.as_bytes());
        field(&mut pair, 2, &structure(entry.as_object().unwrap_or(&empty)));
        field(&mut out, 1, &pair);
    }
    out
}

/// `envoy.config.core.v3.Node`
pub(crate) fn node(id: &str, cluster: &str, meta: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    field(&mut out, 1, id.as_bytes());
    field(&mut out, 2, cluster.as_bytes());
    if !meta.is_empty() {
        field(&mut out, 3, &structure(meta));
    }
    field(&mut out, 6, b"envoy");
    // `user_agent_build_version`: 1.40.0, which this host is modelled on.
    field(&mut out, 8, b"\x0a\x04\x08\x01\x10\x28");
    out
}

/// A field's content.
pub(crate) enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message in order; `None` when it is malformed. Fixed-size fields are passed over.
pub(crate) fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Content<'_>)>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let key = read_varint(&mut bytes)?;
        let content = match key & 7 {
            0 => Content::Number(read_varint(&mut bytes)?),
            2 => {
                let size = usize::try_from(read_varint(&mut bytes)?).ok()?;
                let (content, rest) = bytes.split_at_checked(size)?;
                bytes = rest;
                Content::Bytes(content)
            }
            1 | 5 => {
                bytes = bytes.get(if key & 7 == 1 { 8 } else { 4 }..)?;
                continue;
            }
            _ => return None,
        };
        if key >> 3 == 0 {
            return None;
        }
        out.push((key >> 3, content));
    }
    Some(out)
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
