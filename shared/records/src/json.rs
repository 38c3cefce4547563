//! A JSON object in ASCII, of values that may hold any bytes.
//!
//! A value cannot end its line, its string or its field: control characters and what is not ASCII are
//! escaped. Bytes that are not UTF-8 have no place in JSON; they are kept as `\xNN` in a text whose backslashes are doubled,
//! and the object names the fields for which that is so. Every text has a bound, and the object names those that were cut.

use std::fmt::Write as _;

/// An object that is being written.
///
/// ```
/// use weir_records::JsonObject;
///
/// let mut object = JsonObject::new();
/// object.number("schema", 1);
/// object.text("path", b"/caf\xc3\xa9\n", 100);
/// object.text("host", b"a\\b\xff", 100);
/// object.text("method", b"OPTIONS", 3);
/// assert_eq!(
///     object.finish(),
///     r#"{"schema":1,"path":"/caf\u00e9\n","host":"a\\\\b\\xff","method":"OPT","escaped":["host"],"truncated":["method"]}"#
/// );
/// ```
#[derive(Clone, Debug)]
pub struct JsonObject {
    text: String,
    /// The names of fields whose bytes were not UTF-8, and of those that were cut.
    escaped: Vec<String>,
    truncated: Vec<String>,
    /// The name of the object that is open inside.
    inner: Option<String>,
}

impl Default for JsonObject {
    fn default() -> Self {
        Self::new()
    }
}

impl JsonObject {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let mut text = String::with_capacity(1024);
        text.push('{');
        Self { text, escaped: Vec::new(), truncated: Vec::new(), inner: None }
    }

    /// A text of at most `limit` bytes as it is written, without its quotation marks.
    #[inline(never)]
    pub fn text(&mut self, name: &str, value: &[u8], limit: usize) {
        self.key(name);
        self.value(name, value, limit);
    }

    /// A text if there is one, a list of them if there are several, nothing if there is none. `limit` is for each.
    #[inline(never)]
    pub fn texts<'v>(&mut self, name: &str, values: impl IntoIterator<Item = &'v [u8]>, limit: usize) {
        let mut values = values.into_iter();
        let (Some(first), second) = (values.next(), values.next()) else { return };
        let Some(second) = second else { return self.text(name, first, limit) };
        self.key(name);
        self.text.push('[');
        self.value(name, first, limit);
        for value in std::iter::once(second).chain(values) {
            self.text.push(',');
            self.value(name, value, limit);
        }
        self.text.push(']');
    }

    /// A number.
    pub fn number(&mut self, name: &str, value: u64) {
        self.raw(name, &value.to_string());
    }

    /// A boolean.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    /// What is known to be absent.
    pub fn null(&mut self, name: &str) {
        self.raw(name, "null");
    }

    /// A moment, in nanoseconds since the epoch: RFC 3339 in UTC with microseconds.
    #[inline(never)]
    pub fn time(&mut self, name: &str, nanos: u64) {
        self.key(name);
        let (secs, micros) = (nanos / 1_000_000_000, nanos % 1_000_000_000 / 1_000);
        let (year, month, day) = civil(secs / 86_400);
        let (hour, minute, second) = (secs / 3600 % 24, secs / 60 % 60, secs % 60);
        // Writing to a string cannot fail.
        let _ = write!(self.text, "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z\"");
    }

    /// A value that is JSON already.
    #[inline(never)]
    pub fn raw(&mut self, name: &str, json: &str) {
        self.key(name);
        self.text.push_str(json);
    }

    /// The fields of another one.
    pub fn append(&mut self, other: &Self) {
        let fields = other.text.strip_prefix('{').unwrap_or_default();
        if !fields.is_empty() && !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.text.push_str(fields);
        self.escaped.extend_from_slice(&other.escaped);
        self.truncated.extend_from_slice(&other.truncated);
    }

    /// An object inside, with what `write` adds to it; left out if that is nothing.
    pub fn object(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.text, "{".to_owned());
        self.inner = Some(name.to_owned());
        write(self);
        self.inner = None;
        let inner = std::mem::replace(&mut self.text, before);
        if inner != "{" {
            self.key(name);
            self.text.push_str(&inner);
            self.text.push('}');
        }
    }

    /// Ends it.
    #[must_use]
    #[inline(never)]
    pub fn finish(mut self) -> String {
        let (escaped, truncated) = (std::mem::take(&mut self.escaped), std::mem::take(&mut self.truncated));
        for (name, fields) in [("escaped", escaped), ("truncated", truncated)] {
            if fields.is_empty() {
                continue;
            }
            self.key(name);
            self.text.push('[');
            for field in &fields {
                if !self.text.ends_with('[') {
                    self.text.push(',');
                }
                self.quoted(field.as_bytes(), usize::MAX);
            }
            self.text.push(']');
        }
        self.text.push('}');
        self.text
    }

    fn key(&mut self, name: &str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.quoted(name.as_bytes(), usize::MAX);
        self.text.push(':');
    }

    fn value(&mut self, name: &str, value: &[u8], limit: usize) {
        let (escaped, truncated) = self.quoted(value, limit);
        let field = |inner: &Option<String>| match inner {
            Some(inner) => format!("{inner}.{name}"),
            None => name.to_owned(),
        };
        for (marked, fields) in [(escaped, &mut self.escaped), (truncated, &mut self.truncated)] {
            if marked {
                let field = field(&self.inner);
                if fields.last() != Some(&field) {
                    fields.push(field);
                }
            }
        }
    }

    /// Writes a string. Returns whether it has bytes that are not UTF-8, and whether it was cut.
    #[inline(never)]
    fn quoted(&mut self, value: &[u8], limit: usize) -> (bool, bool) {
        self.text.push('"');
        let marks = match std::str::from_utf8(value) {
            Ok(text) if text.len() <= limit && text.bytes().all(is_plain) => {
                self.text.push_str(text);
                (false, false)
            }
            Ok(text) => (false, !self.push_escaped(text, "\\\\", limit.saturating_add(self.text.len()))),
            Err(_) => {
                let end = limit.saturating_add(self.text.len());
                let mut chunks = value.utf8_chunks();
                let whole = chunks.all(|chunk| {
                    self.push_escaped(chunk.valid(), "\\\\\\\\", end)
                        && chunk.invalid().iter().all(|byte| self.push_within(&format!("\\\\x{byte:02x}"), end))
                });
                (true, !whole)
            }
        };
        self.text.push('"');
        marks
    }

    /// Appends text escaped, a backslash as `backslash`, until the whole text has `end` bytes. Returns whether all of it fitted.
    fn push_escaped(&mut self, text: &str, backslash: &str, end: usize) -> bool {
        text.chars().all(|found| match found {
            '"' => self.push_within("\\\"", end),
            '\\' => self.push_within(backslash, end),
            '\n' => self.push_within("\\n", end),
            '\r' => self.push_within("\\r", end),
            '\t' => self.push_within("\\t", end),
            ' '..='~' => self.push_within(found.encode_utf8(&mut [0; 4]), end),
            _ => {
                let mut escape = String::new();
                for unit in found.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(escape, "\\u{unit:04x}");
                }
                self.push_within(&escape, end)
            }
        })
    }

    fn push_within(&mut self, piece: &str, end: usize) -> bool {
        let fits = self.text.len().saturating_add(piece.len()) <= end;
        if fits {
            self.text.push_str(piece);
        }
        fits
    }
}

/// Whether a byte stands for itself in a JSON string.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Year, month and day of a day since 1970-01-01, in the proleptic Gregorian calendar (Howard Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days.saturating_add(719_468);
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
