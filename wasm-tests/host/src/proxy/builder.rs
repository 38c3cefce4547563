//! What a proxy is made of, and its start: the threads, then the plugins.

use super::{Job, Proxy, Thread};
use crate::error::Error;
use crate::process::callout::{Clusters, World};
use crate::process::clock::Clock;
use crate::process::settings::Settings;
use crate::process::{Process, Site};
use crate::vm::plugin::PluginSpec;
use crate::worker::Worker;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Collects what a proxy is made of.
pub struct Builder {
    plugins: Vec<PluginSpec>,
    settings: Settings,
    start: Duration,
    world: Option<Box<dyn World>>,
}

impl Builder {
    pub(super) fn new() -> Self {
        // 2026-01-01T00:00:00Z
        let start = Duration::from_secs(1_767_225_600);
        Builder { plugins: Vec::new(), settings: Settings::default(), start, world: None }
    }

    /// Adds a plugin to the end of the chain.
    #[must_use]
    pub fn plugin(mut self, plugin: PluginSpec) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// Everything but plugins and callouts.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// How many workers.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.settings.proxy.workers = workers;
        self
    }

    /// The wall clock at the start, since the Unix epoch; a whole hour in 2026 otherwise.
    #[must_use]
    pub fn start_at(mut self, start: Duration) -> Self {
        self.start = start;
        self
    }

    /// Who answers callouts; the clusters of the settings otherwise.
    #[must_use]
    pub fn world(mut self, world: impl World + 'static) -> Self {
        self.world = Some(Box::new(world));
        self
    }

    /// Starts the proxy: threads, then the plugins as Envoy does it: base VM and canary on the main thread, the main
    /// thread's own VM, then the workers'.
    ///
    /// # Errors
    /// [`Error::Refused`] when a plugin is refused.
    pub fn build(self) -> Result<Proxy, Error> {
        let proxy = self.spawn()?;
        proxy.apply()?;
        Ok(proxy)
    }

    /// Starts the proxy, and hands it over even where its plugins are refused, so that its log can be read.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn try_build(self) -> Result<(Proxy, Result<(), Error>), Error> {
        let proxy = self.spawn()?;
        let applied = proxy.apply();
        Ok((proxy, applied))
    }

    fn spawn(self) -> Result<Proxy, Error> {
        let Builder { plugins, settings, start, world } = self;
        let workers = settings.proxy.workers.max(1);
        let clock = Clock::new(start);
        let world = world.unwrap_or_else(|| Box::new(Clusters::new(settings.surroundings.clone(), clock.clone())));
        let process = Arc::new(Process {
            clock,
            settings,
            shared_data: Mutex::default(),
            queues: Mutex::default(),
            stats: Mutex::default(),
            log: Mutex::default(),
            world: Mutex::new(world),
            crash: Mutex::default(),
            vm_failures: AtomicU64::new(0),
            serial: AtomicU64::new(0),
        });
        let mut threads = Vec::new();
        for number in 0..=workers {
            let (jobs, inbox) = channel::<Job>();
            let process = Arc::clone(&process);
            let number = usize::try_from(number).unwrap_or(0);
            let run = move || {
                let mut worker = Worker::new(Site::new(process, number));
                while let Ok(job) = inbox.recv() {
                    job(&mut worker);
                }
            };
            let name = if number == 0 { "main".to_owned() } else { format!("wrk:{}", number - 1) };
            // Cranelift's code and nested calls want more than the default stack.
            let thread = std::thread::Builder::new().name(name).stack_size(8 << 20).spawn(run);
            let join = thread.map_err(|e| Error::Broken(e.to_string()))?;
            threads.push(Thread { jobs, join: Some(join) });
        }
        Ok(Proxy { process, threads, plugins: Mutex::new(plugins.into_iter().map(Arc::new).collect()) })
    }
}
