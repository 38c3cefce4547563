//! HTTP/1.1 by hand.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;
use weir_scenario::{Abort, Bytes, Payload, Protocol, Request, Response};

use super::{BEFORE_ABORT, Io, ended_early};

/// One connection.
pub(crate) struct H1 {
    io: Box<dyn Io>,
    buffer: Vec<u8>,
}

impl H1 {
    pub(crate) fn new(io: Box<dyn Io>) -> Self {
        Self { io, buffer: Vec::new() }
    }

    /// Sends one request and reads the response into `response`.
    pub(crate) async fn send(&mut self, request: &Request, response: &mut Response) -> io::Result<()> {
        let (mut bytes, body) = written(request);
        let half = body.get(..body.len() / 2).unwrap_or_default();
        let sent: &[u8] = match request.abort {
            Some(Abort::AfterHeaders) => &[],
            Some(Abort::MidBody) => half,
            Some(Abort::BeforeResponse) | None => &body,
        };
        // In one piece, so that what a filter sees does not hang on when the second arrives.
        bytes.extend_from_slice(sent);
        self.io.write_all(&bytes).await?;
        self.io.flush().await?;
        if request.abort.is_some() {
            sleep(BEFORE_ABORT).await;
            return Err(ended_early());
        }
        self.read(request, response).await
    }

    async fn read(&mut self, request: &Request, response: &mut Response) -> io::Result<()> {
        let status = loop {
            let head = self.head().await?;
            let status = status(&head).ok_or_else(|| invalid("no status line"))?;
            if !(100..200).contains(&status) || status == 101 {
                response.headers.0 = fields(&head);
                break status;
            }
        };
        response.status = Some(status);
        let accepted = status == 101 || request.method == "CONNECT" && (200..300).contains(&status);
        if accepted && !request.tunnel.0.is_empty() {
            self.io.write_all(&request.tunnel.0).await?;
            self.io.flush().await?;
        }
        if request.method == "HEAD" || status == 204 || status == 304 {
            return Ok(());
        }
        let first = |name: &str| response.headers.values(name).next().map(ToString::to_string);
        if first("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.chunks(response).await;
        }
        match first("content-length").map(|length| length.parse().map_err(|_| invalid("no length"))) {
            Some(length) => self.body(length?, response).await,
            None => loop {
                response.body.0.append(&mut self.buffer);
                if self.fill().await? == 0 {
                    return Ok(());
                }
            },
        }
    }

    async fn chunks(&mut self, response: &mut Response) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            let digits = String::from_utf8_lossy(&line);
            let digits = digits.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| invalid("no chunk size"))?;
            if size > 0 {
                self.body(size, response).await?;
                self.line().await?;
                continue;
            }
            loop {
                let line = self.line().await?;
                if line.is_empty() {
                    return Ok(());
                }
                response.trailers.0.extend(field(&line));
            }
        }
    }

    /// Moves `length` bytes to the body, those that come even if not all do.
    async fn body(&mut self, mut length: usize, response: &mut Response) -> io::Result<()> {
        loop {
            let here = length.min(self.buffer.len());
            response.body.0.extend(self.buffer.drain(..here));
            length -= here;
            if length == 0 {
                return Ok(());
            }
            self.fill_more().await?;
        }
    }

    /// A message's head without the empty line that ends it.
    async fn head(&mut self) -> io::Result<Vec<u8>> {
        const END: &[u8] = b"\r\n\r\n";
        loop {
            if let Some(at) = self.buffer.windows(END.len()).position(|window| window == END) {
                let mut head: Vec<u8> = self.buffer.drain(..at + END.len()).collect();
                head.truncate(at);
                return Ok(head);
            }
            self.fill_more().await?;
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let mut line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                line.truncate(at);
                return Ok(line);
            }
            self.fill_more().await?;
        }
    }

    async fn fill_more(&mut self) -> io::Result<()> {
        if self.fill().await? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.io.read_buf(&mut self.buffer).await
    }
}

/// Head and body as they go out.
fn written(request: &Request) -> (Vec<u8>, Vec<u8>) {
    if request.protocol == Protocol::Raw {
        return (request.raw.0.clone(), Vec::new());
    }
    let mut head = Vec::new();
    head.extend_from_slice(request.method.as_bytes());
    head.push(b' ');
    head.extend_from_slice(&request.path.0);
    head.extend_from_slice(b" HTTP/1.1\r\n");
    let mut put = |name: &[u8], value: &[u8]| {
        head.extend_from_slice(name);
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    if !request.omit_authority {
        put(b"host", &request.authority.0);
    }
    let headers = request.all_headers();
    headers.iter().for_each(|(name, value)| put(&name.0, &value.0));
    let body = request.body.to_vec();
    let framed =
        |name: &Bytes| [&b"content-length"[..], b"transfer-encoding"].iter().any(|f| name.0.eq_ignore_ascii_case(f));
    if request.body != Payload::None && !headers.iter().any(|(name, _)| framed(name)) {
        put(b"content-length", body.len().to_string().as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    (head, body)
}

/// `HTTP/1.1 200 OK`
fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    text.strip_prefix("HTTP/1.")?.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn fields(head: &[u8]) -> Vec<(Bytes, Bytes)> {
    head.split(|byte| *byte == b'\n').skip(1).filter_map(field).collect()
}

fn field(line: &[u8]) -> Option<(Bytes, Bytes)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let value = value.get(1..)?.trim_ascii();
    Some((Bytes(name.to_ascii_lowercase()), Bytes(value.to_vec())))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
