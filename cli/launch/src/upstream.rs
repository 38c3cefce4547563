//! The built-in upstream: answers as it is asked to, and remembers what it received.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

use crate::client::pairs;

mod reply;

pub use reply::{Broken, Received, Reply, echo};

/// How many requests an upstream remembers; the oldest are forgotten first.
const REMEMBERED: usize = 10_000;

/// An HTTP server that speaks HTTP/1.1 and HTTP/2 with prior knowledge on one port. Ends when dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    received: Arc<Mutex<VecDeque<Received>>>,
    runtime: Option<Runtime>,
}

impl Upstream {
    /// Starts one on that port (0: any) of 127.0.0.1 that answers with what `answer` makes of a request. [`echo`] is such a
    /// function.
    ///
    /// # Errors
    /// When the port is in use or the system refuses threads.
    pub fn start(port: u16, answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, port).into(), answer)
    }

    /// The same on an address of the caller's choice, so that other machines reach it.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_at(at: SocketAddr, answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("weir-upstream").enable_all().build()?;
        let received = Arc::new(Mutex::new(VecDeque::new()));
        let service = Service { answer: Arc::new(answer), received: received.clone() };
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let service = service.clone();
                tokio::spawn(async move {
                    let handle = service_fn(move |request| service.clone().handle(request));
                    // A connection that breaks is the business of who made it.
                    auto::Builder::new(TokioExecutor::new())
                        .serve_connection_with_upgrades(TokioIo::new(stream), handle)
                        .await
                        .is_ok()
                });
            }
        });
        Ok(Self { address, received, runtime: Some(runtime) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it received so far, oldest first; at most the last 10,000.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Forgets what it received.
    pub fn forget(&self) {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[derive(Clone)]
struct Service {
    answer: Arc<dyn Fn(&Received) -> Reply + Send + Sync>,
    received: Arc<Mutex<VecDeque<Received>>>,
}

impl Service {
    async fn handle(self, mut request: hyper::Request<Incoming>) -> io::Result<hyper::Response<reply::Body>> {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, mut incoming) = request.into_parts();
        let (mut body, mut trailers) = (Vec::new(), Vec::new());
        // A request whose body breaks off counts as received, with the part that came.
        while let Some(Ok(frame)) = incoming.frame().await {
            match frame.into_data() {
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => trailers = frame.trailers_ref().map(pairs).unwrap_or_default(),
            }
        }
        let authority = head.uri.authority().map(|authority| authority.as_str().to_owned());
        let received = Received {
            http2: head.version == hyper::Version::HTTP_2,
            method: head.method.as_str().to_owned(),
            authority,
            path: head.uri.path_and_query().map_or_else(|| head.uri.path().to_owned(), |path| path.as_str().to_owned()),
            headers: pairs(&head.headers),
            body,
            trailers,
        };
        let reply = (self.answer)(&received);
        {
            let mut all = self.received.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= REMEMBERED {
                all.pop_front();
            }
            all.push_back(received);
        }
        tokio::time::sleep(reply.delay).await;
        if reply.tunnel {
            let greeting = reply.body.clone();
            tokio::spawn(async move { tunnel(TokioIo::new(upgrade.await.ok()?), &greeting).await.ok() });
        }
        reply.into_response()
    }
}

/// Says something, sends the first line that comes back to where it came from, and ends.
async fn tunnel(mut io: TokioIo<Upgraded>, greeting: &[u8]) -> io::Result<()> {
    io.write_all(greeting).await?;
    io.flush().await?;
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') && io.read_buf(&mut line).await? > 0 {}
    io.write_all(&line).await?;
    io.shutdown().await
}
