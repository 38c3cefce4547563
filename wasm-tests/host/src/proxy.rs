//! A running proxy: what tests and scenarios do with it. Each call is a job for one of its threads.

use crate::error::Error;
use crate::http::message::Incoming;
use crate::http::stream_data::Connection;
use crate::process::clock::{Clock, nanos};
use crate::process::cost::Costs;
use crate::process::stats::Stats;
use crate::process::{Process, lock};
use crate::vm::plugin::PluginSpec;
use crate::worker::Worker;
use crate::worker::stream::Ended;
use crate::worker::tcp::TcpSeen;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use weir_scenario::LogLine;

mod builder;

pub use builder::Builder;

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

struct Thread {
    jobs: Sender<Job>,
    join: Option<JoinHandle<()>>,
}

/// A running proxy. Dropping it ends its threads.
pub struct Proxy {
    pub(crate) process: Arc<Process>,
    /// The main thread, then the workers.
    threads: Vec<Thread>,
    plugins: Mutex<Vec<Arc<PluginSpec>>>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for mut thread in self.threads.drain(..) {
            drop(thread.jobs);
            if let Some(join) = thread.join.take() {
                // A thread that panicked has said so already.
                let _ = join.join();
            }
        }
    }
}

impl Proxy {
    /// Begins a proxy with one worker, one route to an upstream that says `ok`, and no plugin.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Runs a job on a thread and waits for it; thread 0 is the main one.
    pub(crate) fn on<T: Send + 'static>(
        &self,
        thread: usize,
        job: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let target = self.threads.get(thread).ok_or_else(|| Error::Usage(format!("no worker {thread}")))?;
        let (answer, inbox) = channel();
        let job: Job = Box::new(move |worker| {
            // The caller may be gone.
            let _ = answer.send(job(worker));
        });
        let gone = || Error::Broken(format!("thread {thread} is gone"));
        target.jobs.send(job).map_err(|_| gone())?;
        let done = inbox.recv().map_err(|_| gone())?;
        match *lock(&self.process.crash) {
            Some(why) => Err(Error::Crashed(why.to_owned())),
            None => Ok(done),
        }
    }

    fn apply(&self) -> Result<(), Error> {
        let plugins = lock(&self.plugins).clone();
        self.install(plugins)
    }

    fn install(&self, plugins: Vec<Arc<PluginSpec>>) -> Result<(), Error> {
        let canaries = plugins.clone();
        let refused = |plugin: &str, message: String| {
            Error::Refused(format!("Unable to create Wasm HTTP filter {plugin}: {message}"))
        };
        self.on(0, move |main| {
            for plugin in &canaries {
                main.canary(plugin).map_err(|message| (plugin.name.clone(), message))?;
            }
            Ok(())
        })?
        .map_err(|(plugin, message): (String, String)| {
            self.process.log("error", format!("Plugin {plugin} failed to load: {message}"));
            refused(&plugin, message)
        })?;
        for thread in 0..self.threads.len() {
            let plugins = plugins.clone();
            if let Err(message) = self.on(thread, move |worker| worker.install(&plugins))? {
                self.process.log("error", format!("Plugin failed on thread {thread}: {message}"));
            }
        }
        *lock(&self.plugins) = plugins;
        self.settle()
    }

    /// Swaps the plugins. A refused one leaves those in force that were; streams in flight stay with theirs.
    ///
    /// # Errors
    /// [`Error::Refused`] when a plugin is refused.
    pub fn reconfigure(&self, plugins: Vec<PluginSpec>) -> Result<(), Error> {
        self.install(plugins.into_iter().map(Arc::new).collect())
    }

    /// Sends a request to a worker (from 0) and waits until its stream is over, at most the client's patience of the
    /// proxy's time.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn http_stream(&self, worker: usize, incoming: Incoming, patience: Duration) -> Result<Ended, Error> {
        let more = !incoming.body.is_empty() || incoming.trailers.is_some() || incoming.unfinished;
        let id = self.open(worker, incoming.clone(), !more)?;
        let Incoming { body, trailers, unfinished, .. } = incoming;
        if !body.is_empty() {
            self.send(worker, id, body, trailers.is_none() && !unfinished)?;
        }
        if let Some(trailers) = trailers {
            self.on(worker + 1, move |worker| worker.send_trailers(id, trailers))?;
        }
        self.finish(worker, id, patience)
    }

    /// Sends an upgrade or a CONNECT to a worker, and these bytes once it is accepted; waits as for any stream.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn tunnel(
        &self,
        worker: usize,
        incoming: Incoming,
        bytes: Vec<u8>,
        patience: Duration,
    ) -> Result<Ended, Error> {
        let id = self.open(worker, incoming, false)?;
        self.settle()?;
        self.on(worker + 1, move |worker| worker.client_tunnels(id, &bytes))?;
        self.finish(worker, id, patience)
    }

    /// Begins a stream with its headers alone; `end` where nothing follows them.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn open(&self, worker: usize, incoming: Incoming, end: bool) -> Result<u64, Error> {
        self.on(worker + 1, move |worker| worker.open(&incoming, end))
    }

    /// Sends more of a request's body.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn send(&self, worker: usize, stream: u64, body: Vec<u8>, end: bool) -> Result<(), Error> {
        self.on(worker + 1, move |worker| worker.send_body(stream, &body, end))
    }

    /// The client gives up on a stream.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn abort(&self, worker: usize, stream: u64) -> Result<Ended, Error> {
        self.on(worker + 1, move |worker| worker.client_leaves(stream))?;
        self.finish(worker, stream, Duration::ZERO)
    }

    /// Waits until a stream is over.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn finish(&self, worker: usize, stream: u64, patience: Duration) -> Result<Ended, Error> {
        let ended = self.on(worker + 1, move |worker| worker.finish(stream, patience))?;
        self.settle()?;
        Ok(ended)
    }

    /// Opens a connection to a listener whose chain is the plugins as network filters and a TCP proxy.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn tcp_open(&self, worker: usize) -> Result<u64, Error> {
        self.tcp_open_from(worker, Connection::default())
    }

    /// The same from a client of its own.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn tcp_open_from(&self, worker: usize, connection: Connection) -> Result<u64, Error> {
        let id = self.on(worker + 1, move |worker| worker.tcp_open(connection))?;
        self.settle()?;
        Ok(id)
    }

    /// Sends more on a connection; with `end` the client closes its side.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn tcp_send(&self, worker: usize, connection: u64, bytes: &[u8], end: bool) -> Result<(), Error> {
        let bytes = bytes.to_vec();
        self.on(worker + 1, move |worker| worker.tcp_send(connection, &bytes, end))?;
        self.settle()
    }

    /// The client resets a connection.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn tcp_abort(&self, worker: usize, connection: u64) -> Result<(), Error> {
        self.on(worker + 1, move |worker| worker.tcp_abort(connection))?;
        self.settle()
    }

    /// The server of a connection closes its side and goes on reading.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn tcp_server_ends(&self, worker: usize, connection: u64) -> Result<(), Error> {
        self.on(worker + 1, move |worker| worker.tcp_server_ends(connection))?;
        self.settle()
    }

    /// What the client of a connection has got so far.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn tcp_seen(&self, worker: usize, connection: u64) -> Result<TcpSeen, Error> {
        self.on(worker + 1, move |worker| worker.tcp_seen(connection))
    }

    /// Runs what is due on every thread, until nothing is: queue arrivals go from thread to thread.
    fn settle(&self) -> Result<(), Error> {
        // A module that enqueues in every arrival would go on for ever.
        for _ in 0..1_000 {
            for thread in 0..self.threads.len() {
                self.on(thread, Worker::run_due)?;
            }
            if lock(&self.process.queues).waiting().is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Lets time pass; ticks and answers fall due in their order over all threads.
    ///
    /// # Errors
    /// When a thread is gone.
    pub fn advance(&self, by: Duration) -> Result<(), Error> {
        let target = self.process.clock.monotonic().saturating_add(nanos(by));
        loop {
            let mut first: Option<u64> = None;
            for thread in 0..self.threads.len() {
                let due = self.on(thread, |worker| worker.next_due())?;
                first = first.into_iter().chain(due).min();
            }
            match first.filter(|due| *due <= target) {
                Some(due) => self.process.clock.reach(due),
                None => break,
            }
            self.settle()?;
        }
        self.process.clock.reach(target);
        self.settle()
    }

    /// Fires every timer that is set, as if its period had passed, and leaves the clock alone: filters may hold back what
    /// they count until a tick.
    ///
    /// # Errors
    /// When the thread of a worker is gone.
    pub fn fire_timers(&self) -> Result<(), Error> {
        for thread in 0..self.threads.len() {
            self.on(thread, Worker::fire_timers)?;
        }
        self.settle()
    }

    /// The proxy's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.process.clock
    }

    /// A copy of all stats.
    #[must_use]
    pub fn stats(&self) -> Stats {
        lock(&self.process.stats).clone()
    }

    /// Everything logged so far.
    #[must_use]
    pub fn log(&self) -> Vec<LogLine> {
        lock(&self.process.log).clone()
    }

    /// Keys and values of the shared data of a `vm_id`.
    #[must_use]
    pub fn shared_data(&self, vm_id: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        lock(&self.process.shared_data).of(vm_id.as_bytes())
    }

    /// How many VMs have failed while they ran.
    #[must_use]
    pub fn vm_failures(&self) -> u64 {
        self.process.vm_failures.load(Ordering::SeqCst)
    }

    /// What everything has cost on all threads since the proxy was started.
    ///
    /// # Errors
    /// When a thread is gone.
    pub fn costs(&self) -> Result<Costs, Error> {
        let workers = usize::try_from(self.process.settings.proxy.workers.max(1)).unwrap_or(usize::MAX);
        let mut whole = Costs::default();
        for thread in 0..=workers {
            let (spent, costs) =
                self.on(thread, |worker| (worker.site.spent.borrow().clone(), worker.site.costs.borrow().clone()))?;
            whole.add(&spent);
            whole.add(&costs);
        }
        Ok(whole)
    }
}
