//! The server behind a TCP proxy: it sends back what it gets, and counts it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How long the server waits before it closes, so that its close arrives alone.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it waits for data before it looks whether it is to close.
const POLL: Duration = Duration::from_millis(10);
/// How long it waits for the client's close once it has closed its own side.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that sends back what it gets, and closes after data that ends with `bye` or when the client has. Dropping it
/// ends it.
#[derive(Debug)]
pub struct TcpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    greeting: &'static str,
    /// It is to close its side.
    ends: AtomicBool,
    /// It is to take no more connections.
    stopped: AtomicBool,
    /// How many bytes it got.
    served: AtomicUsize,
    /// How many connections are open.
    open: AtomicUsize,
}

impl TcpServer {
    /// Starts a server that says `greeting` first, if there is one.
    ///
    /// # Errors
    /// When this machine gives it no port.
    pub fn start(greeting: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { greeting, ..Shared::default() });
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if of_thread.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let of_connection = Arc::clone(&of_thread);
                of_connection.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    of_connection.serve(stream);
                    of_connection.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many bytes it has got.
    #[must_use]
    pub fn served(&self) -> usize {
        self.shared.served.load(Ordering::SeqCst)
    }

    /// How many of its connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// Has it close its side of every connection, and go on reading.
    pub fn end(&self) {
        self.shared.ends.store(true, Ordering::SeqCst);
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.end();
        // So that it looks.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let mut buffer = [0; 4096];
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(POLL));
        if stream.write_all(self.greeting.as_bytes()).is_err() {
            return;
        }
        while !self.ends.load(Ordering::SeqCst) {
            let sent = match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => buffer.get(..length).unwrap_or_default(),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => return,
            };
            self.served.fetch_add(sent.len(), Ordering::SeqCst);
            if stream.write_all(sent).is_err() || sent.ends_with(b"bye") {
                break;
            }
        }
        thread::sleep(PAUSE);
        // Its side only: the client may still close its own.
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.set_read_timeout(Some(PATIENCE));
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            self.served.fetch_add(length, Ordering::SeqCst);
        }
    }
}
