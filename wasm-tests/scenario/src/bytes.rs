//! Byte strings as a scenario writes them: plain text, text with `\xNN` escapes, base64, or one piece repeated.
//!
//! YAML strings are Unicode, and a header value is not: `"\xe9"` in YAML is two bytes of UTF-8. So bytes from 0x80 to
//! 0xFF have a spelling of their own here, and nothing between the file and the wire re-encodes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// Bytes that need not be UTF-8. Prints as text with `\xNN` for what is not printable ASCII.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "BytesAsWritten")]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// The bytes themselves.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Bytes {
    /// The bytes in base64.
    #[must_use]
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.0)
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Bytes(text.as_bytes().to_vec())
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 200;
        for &byte in self.0.iter().take(SHOWN) {
            match byte {
                b'\\' => f.write_str("\\\\")?,
                0x20..=0x7e => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        if self.0.len() > SHOWN { write!(f, "... ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum BytesAsWritten {
    Text(String),
    Number(serde_json::Number),
    Bool(bool),
    Spelled(Spelled),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spelled {
    escaped: Option<String>,
    base64: Option<String>,
    repeat: Option<String>,
    times: Option<usize>,
}

impl TryFrom<BytesAsWritten> for Bytes {
    type Error = String;

    fn try_from(written: BytesAsWritten) -> Result<Self, String> {
        let Spelled { escaped, base64, repeat, times } = match written {
            BytesAsWritten::Text(text) => return Ok(Bytes(text.into_bytes())),
            BytesAsWritten::Number(number) => return Ok(Bytes(number.to_string().into_bytes())),
            BytesAsWritten::Bool(value) => return Ok(Bytes(value.to_string().into_bytes())),
            BytesAsWritten::Spelled(spelled) => spelled,
        };
        match (escaped, base64, repeat, times) {
            (Some(text), None, None, None) => unescape(&text).map(Bytes),
            (None, Some(text), None, None) => STANDARD.decode(&text).map(Bytes).map_err(|e| format!("`{text}`: {e}")),
            (None, None, Some(piece), Some(times)) => Ok(Bytes(piece.repeat(times).into_bytes())),
            _ => Err("expected `escaped`, or `base64`, or `repeat` with `times`".to_owned()),
        }
    }
}

/// Reads `\xNN`, `\r`, `\n`, `\t`, `\0` and `\\`; everything else stands for its UTF-8 bytes.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let byte = match rest.next() {
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).map_err(|_| format!("`\\x{digits}` is not a byte"))?
            }
            Some('r') => b'\r',
            Some('n') => b'\n',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('\\') => b'\\',
            other => return Err(format!("`\\{}` is not an escape", other.map(String::from).unwrap_or_default())),
        };
        out.push(byte);
    }
    Ok(out)
}

/// Header fields in the order they are sent; a name may occur more than once.
///
/// Written as a map (`name: value` or `name: [values]`) or as a list of `{name, value}` or `{prefix, count, value}`,
/// where the last makes `count` fields named `prefix0`, `prefix1` and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "FieldsAsWritten")]
pub struct Fields(pub Vec<(Bytes, Bytes)>);

impl Fields {
    /// The values of a name, compared without regard to ASCII case, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        self.0.iter().filter(move |(n, _)| n.0.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FieldsAsWritten {
    Map(BTreeMap<String, OneOrMany>),
    List(Vec<FieldAsWritten>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Bytes>),
    One(Bytes),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FieldAsWritten {
    One(Named),
    Filled(Filled),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: Bytes,
    value: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filled {
    prefix: String,
    count: usize,
    value: Bytes,
}

impl From<FieldsAsWritten> for Fields {
    fn from(written: FieldsAsWritten) -> Self {
        let mut out = Vec::new();
        match written {
            FieldsAsWritten::Map(map) => {
                for (name, values) in map {
                    let values = match values {
                        OneOrMany::Many(values) => values,
                        OneOrMany::One(value) => vec![value],
                    };
                    out.extend(values.into_iter().map(|value| (Bytes::from(name.as_str()), value)));
                }
            }
            FieldsAsWritten::List(list) => {
                for field in list {
                    match field {
                        FieldAsWritten::One(Named { name, value }) => out.push((name, value)),
                        FieldAsWritten::Filled(Filled { prefix, count, value }) => {
                            let name = |i| Bytes::from(format!("{prefix}{i}").as_str());
                            out.extend((0..count).map(|i| (name(i), value.clone())));
                        }
                    }
                }
            }
        }
        Fields(out)
    }
}

#[cfg(test)]
mod tests;
