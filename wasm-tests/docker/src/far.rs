//! Running a program on another machine: one connection is one process.
//!
//! The side that asks sends the arguments as one line of JSON. What the process writes, to standard output as to standard
//! error, comes back as it is; last come a zero byte and how it ended, in decimal digits. Either side ends it by
//! closing: the client may be killed at any moment, and the process must not outlive it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Between what a process wrote and how it ended.
const END: u8 = 0;

/// Runs `program` for every connection, until the listener fails.
///
/// # Errors
/// When no connection can be accepted any more.
pub fn serve(listener: &TcpListener, program: &Path) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let program = program.to_path_buf();
        thread::spawn(move || {
            if let Err(error) = serve_one(&stream, &program) {
                eprintln!("weir: {}: {error}", program.display());
            }
        });
    }
}

fn serve_one(mut stream: &TcpStream, program: &Path) -> io::Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    if requests.read_line(&mut line)? == 0 {
        return Ok(()); // The client only checked that this port answers.
    }
    let arguments: Vec<String> = serde_json::from_str(&line)?;
    let output = |stream: &TcpStream| stream.try_clone().map(|stream| Stdio::from(OwnedFd::from(stream)));
    let spawned = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output(stream)?)
        .stderr(output(stream)?)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            stream.write_all(error.to_string().as_bytes())?;
            return write!(stream, "\0127");
        }
    };
    let closed = Arc::new(AtomicBool::new(false));
    let at_end = closed.clone();
    // The client sends nothing more; only the end of the connection matters, with or without an error.
    thread::spawn(move || {
        let _ = io::copy(&mut requests, &mut io::sink());
        at_end.store(true, Ordering::Relaxed);
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if closed.load(Ordering::Relaxed) {
            child.kill()?;
            child.wait()?;
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    };
    write!(stream, "\0{}", code(status))?;
    stream.shutdown(Shutdown::Both)
}

/// As a shell reports it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Runs the program that `machine` serves, copies what it writes to `out` as it comes, and returns its exit status.
///
/// # Errors
/// When the machine cannot be reached, or the connection ends before the program.
pub fn run_far(machine: SocketAddr, arguments: &[String], out: &mut impl Write) -> io::Result<u8> {
    let mut stream = TcpStream::connect(machine)?;
    let mut line = serde_json::to_vec(arguments)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut end: Option<Vec<u8>> = None;
    let mut block = vec![0; 1 << 16];
    loop {
        let read = stream.read(&mut block)?;
        let bytes = block.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        if let Some(end) = &mut end {
            end.extend_from_slice(bytes);
            continue;
        }
        let mut parts = bytes.splitn(2, |byte| *byte == END);
        out.write_all(parts.next().unwrap_or_default())?;
        out.flush()?;
        end = parts.next().map(<[u8]>::to_vec);
    }
    let code = end.and_then(|digits| String::from_utf8(digits).ok()?.parse().ok());
    code.ok_or_else(|| io::Error::other("the connection ended before the program"))
}

#[cfg(test)]
mod tests;
