//! A connection that is not HTTP: the client waits for a greeting, sends, waits for the same to come back, and closes.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_scenario::{Request, Response};

use super::{Io, ended_early};

/// Does what a request says. What has come is the response's body, also where it is less than the client waits for.
pub(crate) async fn exchange(io: &mut Box<dyn Io>, request: &Request, response: &mut Response) -> io::Result<()> {
    read(io, request.greeting.0.len(), response).await?;
    if !request.raw.0.is_empty() {
        io.write_all(&request.raw.0).await?;
        io.flush().await?;
        read(io, request.awaited(), response).await?;
    }
    // What is left is the close of the other side; a refusal is a close before that.
    io.shutdown().await?;
    io.read_to_end(&mut response.body.0).await?;
    Ok(())
}

/// Reads until so many bytes have come in all.
async fn read(io: &mut Box<dyn Io>, awaited: usize, response: &mut Response) -> io::Result<()> {
    while response.body.0.len() < awaited {
        if io.read_buf(&mut response.body.0).await? == 0 {
            return Err(ended_early());
        }
    }
    Ok(())
}
