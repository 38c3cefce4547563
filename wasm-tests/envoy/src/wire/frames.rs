//! HTTP/2 frame by frame, for requests that no library would send: names that are not tokens, missing or doubled
//! pseudo-headers, resets in the middle of anything.
//!
//! Of the response only status and body are read: the peer is asked to use no dynamic table, so the status stands in the
//! first field of the header block, and nothing more of HPACK is needed.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;
use weir_scenario::{Request, Response};

use super::{BEFORE_ABORT, Io, ended_early};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// The bytes of a connection with one request on stream 1: the fields as they are, each a literal that is not indexed,
/// then the body; after that, where `reset` is given, RST_STREAM with that code instead of the end of the stream.
#[must_use]
pub fn raw_http2(fields: &[(&[u8], &[u8])], body: Option<&[u8]>, reset: Option<u32>) -> Vec<u8> {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // HEADER_TABLE_SIZE = 0
    frame(&mut out, SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]);
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        string(&mut block, name);
        string(&mut block, value);
    }
    let open = body.is_some() || reset.is_some();
    let mut pieces = block.chunks(16_000).peekable();
    let mut kind = HEADERS;
    while let Some(piece) = pieces.next() {
        let last = if pieces.peek().is_none() { END_HEADERS } else { 0 };
        let end = if kind == HEADERS && !open { END_STREAM } else { 0 };
        frame(&mut out, kind, last | end, 1, piece);
        kind = CONTINUATION;
    }
    if let Some(body) = body {
        let mut pieces = body.chunks(16_000).peekable();
        while let Some(piece) = pieces.next() {
            let end = if pieces.peek().is_none() && reset.is_none() { END_STREAM } else { 0 };
            frame(&mut out, DATA, end, 1, piece);
        }
    }
    if let Some(code) = reset {
        frame(&mut out, RST_STREAM, 0, 1, &code.to_be_bytes());
    }
    out
}

/// The bytes for a scenario's request.
pub(crate) fn request(request: &Request) -> Vec<u8> {
    let headers = request.all_headers();
    let mut fields: Vec<(&[u8], &[u8])> =
        vec![(b":method", request.method.as_bytes()), (b":scheme", b"http"), (b":path", &request.path.0)];
    if !request.omit_authority {
        fields.push((b":authority", &request.authority.0));
    }
    fields.extend(headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    let body = request.body.to_vec();
    raw_http2(&fields, (!body.is_empty()).then_some(&body), request.abort.map(|_| 8))
}

/// Sends the bytes and reads the response to stream 1.
pub(crate) async fn exchange(
    io: &mut Box<dyn Io>,
    bytes: &[u8],
    gives_up: bool,
    response: &mut Response,
) -> io::Result<()> {
    io.write_all(bytes).await?;
    io.flush().await?;
    if gives_up {
        sleep(BEFORE_ABORT).await;
        return Err(ended_early());
    }
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await?;
        let [l0, l1, l2, kind, flags, _, _, _, stream] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        io.read_exact(&mut payload).await?;
        match (kind, stream) {
            (SETTINGS, 0) if flags & ACK == 0 => {
                let mut ack = Vec::new();
                frame(&mut ack, SETTINGS, ACK, 0, &[]);
                io.write_all(&ack).await?;
            }
            (HEADERS, 1) if response.status.is_none() => {
                let skipped = if flags & PADDED == 0 { 0 } else { 1 } + if flags & PRIORITY == 0 { 0 } else { 5 };
                response.status = status(payload.get(skipped..).unwrap_or_default());
            }
            (DATA, 1) => response.body.0.extend_from_slice(&payload),
            (RST_STREAM, 1) | (GOAWAY, 0) => return Err(io::ErrorKind::ConnectionReset.into()),
            _ => {}
        }
        if stream == 1 && matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            return Ok(());
        }
    }
}

/// The status, which is the first field of the block.
fn status(block: &[u8]) -> Option<u16> {
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    let mut rest = block;
    // The encoder says first that its table is empty.
    while let Some((0b0010_0000..0b0100_0000, after)) = rest.split_first() {
        rest = after;
    }
    let (first, rest) = rest.split_first()?;
    if let 0x88..=0x8e = *first {
        return INDEXED.get(usize::from(*first - 0x88)).copied();
    }
    // A literal whose name is field 8 of the static table, `:status`.
    if !matches!(first, 0x08 | 0x18 | 0x48) {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    let value = rest.get(..usize::from(length & 0x7f))?;
    let digits = if length & 0x80 == 0 { value.to_vec() } else { huffman_digits(value) };
    String::from_utf8(digits).ok()?.parse().ok()
}

/// Decodes Huffman-coded digits: `0`, `1` and `2` have five bits (their values), `3` to `9` six (22 more than theirs).
fn huffman_digits(coded: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> = coded.iter().flat_map(|byte| (0..8).rev().map(move |bit| (byte >> bit) & 1)).collect();
    let number = |bits: &[u8]| bits.iter().fold(0, |number, bit| number * 2 + bit);
    let mut digits = Vec::new();
    let mut rest = bits.as_slice();
    loop {
        if let Some((five, after)) = rest.split_at_checked(5)
            && number(five) <= 2
        {
            digits.push(b'0' + number(five));
            rest = after;
        } else if let Some((six, after)) = rest.split_at_checked(6)
            && (25..=31).contains(&number(six))
        {
            digits.push(b'0' + number(six) - 22);
            rest = after;
        } else {
            return digits;
        }
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    out.extend(length.into_iter().skip(1));
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A string that is not Huffman-coded, its length a prefix of seven bits.
fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    const PREFIX: usize = 127;
    let Some(mut left) = bytes.len().checked_sub(PREFIX) else {
        out.push(u8::try_from(bytes.len()).unwrap_or(0));
        out.extend_from_slice(bytes);
        return;
    };
    out.push(127);
    while left >= 128 {
        out.push(u8::try_from(left % 128).unwrap_or(0) | 128);
        left /= 128;
    }
    out.push(u8::try_from(left).unwrap_or(0));
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests;
