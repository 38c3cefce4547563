//! One keep-alive HTTP/1.1 connection that sends the same request again and again: the least load generator there is,
//! so that what is measured is Envoy.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What every request of the benchmark is: it matches the last rule, and carries the key of the limits.
pub(crate) const REQUEST: &[u8] = b"GET /bench/last HTTP/1.1\r\nhost: shop.example.com\r\nuser-agent: bench\r\n\
x-user: ann\r\nx-tenant: blue\r\n\r\n";

/// The body of the direct response, by whose arrival the end of a response is known.
pub(crate) const BODY: &str = "weir-bench-ok";

/// Sends `count` requests over one connection and checks that each is answered with 200.
pub(crate) fn send(port: u16, count: usize) -> Result<(), String> {
    let error = |error: std::io::Error| format!("the load connection failed: {error}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(error)?;
    stream.set_nodelay(true).map_err(error)?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(error)?;
    let mut chunk = [0u8; 4096];
    let mut response = Vec::with_capacity(4096);
    for _ in 0..count {
        stream.write_all(REQUEST).map_err(error)?;
        response.clear();
        while !response.ends_with(BODY.as_bytes()) {
            let read = stream.read(&mut chunk).map_err(error)?;
            response.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if read == 0 || !response.starts_with(b"HTTP/1.1 200") {
                let text = String::from_utf8_lossy(&response);
                return Err(format!("expected 200 from every request, got {:?}", text.lines().next().unwrap_or("")));
            }
        }
    }
    Ok(())
}
