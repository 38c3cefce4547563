//! A line of JSON, read in place.
//!
//! Where a value is not UTF-8, Envoy writes each of its bytes beyond ASCII as an escape: `\u00ff` is the byte 255. Other
//! programs write the letter of that number so. A text with such an escape is one or the other.

use std::borrow::Cow;

/// How deep lists and objects may nest.
const DEPTH: usize = 64;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'l> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'l [u8]),
    Text(Cow<'l, [u8]>),
    /// One of two texts: this, or the one whose bytes its letters are the numbers of.
    Doubtful(Cow<'l, [u8]>),
    List(Vec<Json<'l>>),
    /// In the order of the line.
    Map(Vec<(Cow<'l, [u8]>, Json<'l>)>),
}

/// The fields of an object, in the order of the line.
pub(crate) type Fields<'l> = Vec<(Cow<'l, [u8]>, Json<'l>)>;

/// Reads the one value of a line.
///
/// # Errors
/// What was expected, and at which byte.
pub(crate) fn parse(line: &[u8]) -> Result<Json<'_>, String> {
    let mut reader = Reader { line, at: 0, is_doubtful: false };
    let value = reader.value(0)?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.expected("the end of the line")),
    }
}

struct Reader<'l> {
    line: &'l [u8],
    at: usize,
    /// Whether the last text is one of two.
    is_doubtful: bool,
}

impl<'l> Reader<'l> {
    fn expected(&self, what: &str) -> String {
        format!("not JSON: expected {what} at byte {}", self.at.saturating_add(1))
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Whether that byte comes next; then it is behind.
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn word(&mut self, word: &str, value: Json<'l>) -> Result<Json<'l>, String> {
        match self.line.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            true => {
                self.at += word.len();
                Ok(value)
            }
            false => Err(self.expected("a value")),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json<'l>, String> {
        if depth > DEPTH {
            return Err(format!("not read: more than {DEPTH} levels"));
        }
        self.space();
        match self.peek() {
            Some(b'"') => {
                self.is_doubtful = false;
                let text = self.text()?;
                Ok(if self.is_doubtful { Json::Doubtful(text) } else { Json::Text(text) })
            }
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
                    self.at += 1;
                }
                Ok(Json::Number(self.line.get(start..self.at).unwrap_or_default()))
            }
            _ => Err(self.expected("a value")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json<'l>, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        while !self.take(b']') {
            if !items.is_empty() && !self.take(b',') {
                return Err(self.expected("`,` or `]`"));
            }
            items.push(self.value(depth + 1)?);
            self.space();
        }
        Ok(Json::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Json<'l>, String> {
        self.at += 1;
        let mut fields = Vec::with_capacity(if depth == 0 { 32 } else { 0 });
        self.space();
        while !self.take(b'}') {
            if !fields.is_empty() && !self.take(b',') {
                return Err(self.expected("`,` or `}`"));
            }
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a name in quotation marks"));
            }
            let name = self.text()?;
            self.space();
            if !self.take(b':') {
                return Err(self.expected("`:`"));
            }
            fields.push((name, self.value(depth + 1)?));
            self.space();
        }
        Ok(Json::Map(fields))
    }

    /// A string, which begins here. Without escapes it is the line's own bytes.
    fn text(&mut self) -> Result<Cow<'l, [u8]>, String> {
        self.at += 1;
        let rest = self.line.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'));
        let end = end.ok_or_else(|| self.expected("the end of a string"))?;
        let plain = rest.get(..end).unwrap_or_default();
        self.at += end;
        if self.take(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        loop {
            match self.peek() {
                None => return Err(self.expected("the end of a string")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut text)?;
                }
                Some(byte) => {
                    self.at += 1;
                    text.push(byte);
                }
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), String> {
        let escaped = self.peek().ok_or_else(|| self.expected("the end of an escape"))?;
        let byte = match escaped {
            b'"' | b'\\' | b'/' => escaped,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(text),
            _ => return Err(self.expected("an escape")),
        };
        self.at += 1;
        text.push(byte);
        Ok(())
    }

    fn unicode(&mut self, text: &mut Vec<u8>) -> Result<(), String> {
        self.at += 1;
        let first = self.hex()?;
        let is_high = (0xd800..0xdc00).contains(&first);
        let code = if is_high && self.take(b'\\') && self.take(b'u') {
            let second = self.hex()?;
            match (0xdc00..0xe000).contains(&second) {
                true => 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                false => u32::MAX,
            }
        } else {
            first
        };
        self.is_doubtful |= (0x80..0x100).contains(&code);
        let char = char::from_u32(code).ok_or_else(|| self.expected("the other half of a surrogate pair"))?;
        text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.line.get(self.at..self.at.saturating_add(4)).unwrap_or_default();
        let number = digits
            .iter()
            .try_fold(0u32, |number, digit| char::from(*digit).to_digit(16).map(|digit| number * 16 + digit));
        let number = number.filter(|_| digits.len() == 4).ok_or_else(|| self.expected("four hexadecimal digits"))?;
        self.at += 4;
        Ok(number)
    }
}

#[cfg(test)]
mod tests;
