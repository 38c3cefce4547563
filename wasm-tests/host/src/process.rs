//! What all workers of a proxy share, and what one worker's VMs share.

pub(crate) mod callout;
pub(crate) mod clock;
pub(crate) mod cost;
pub(crate) mod event;
pub(crate) mod queues;
pub(crate) mod settings;
pub(crate) mod shared_data;
pub(crate) mod stats;

use crate::process::callout::World;
use crate::process::clock::Clock;
use crate::process::cost::{Call, Costs};
use crate::process::event::Event;
use crate::process::queues::Queues;
use crate::process::settings::Settings;
use crate::process::shared_data::SharedData;
use crate::process::stats::Stats;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use weir_scenario::LogLine;

/// The process.
pub(crate) struct Process {
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) shared_data: Mutex<SharedData>,
    pub(crate) queues: Mutex<Queues>,
    pub(crate) stats: Mutex<Stats>,
    pub(crate) log: Mutex<Vec<LogLine>>,
    pub(crate) world: Mutex<Box<dyn World>>,
    /// Why real Envoy would have crashed by now.
    pub(crate) crash: Mutex<Option<&'static str>>,
    /// VMs that failed while they ran.
    pub(crate) vm_failures: AtomicU64,
    /// Numbers for VMs, streams and random bytes.
    pub(crate) serial: AtomicU64,
}

/// Locks even where another thread panicked: what is kept is plain data.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1
    }

    pub(crate) fn log(&self, level: &str, text: String) {
        lock(&self.log).push(LogLine { level: level.to_owned(), text });
    }
}

/// One worker's surroundings.
pub(crate) struct Site {
    pub(crate) process: std::sync::Arc<Process>,
    /// 0 is the main thread.
    pub(crate) worker: usize,
    pub(crate) events: RefCell<BTreeMap<(u64, u64), Event>>,
    pub(crate) next_event: Cell<u64>,
    /// Since the newest stream began.
    pub(crate) costs: RefCell<Costs>,
    /// Before that.
    pub(crate) spent: RefCell<Costs>,
    pub(crate) transcript: RefCell<Vec<Call>>,
    /// The next callout number, from which tokens are made.
    pub(crate) last_token: Cell<u32>,
    /// The clusters that there are connections to, by name, and since when.
    connected: RefCell<BTreeMap<Vec<u8>, u64>>,
}

impl Site {
    pub(crate) fn new(process: std::sync::Arc<Process>, worker: usize) -> Self {
        Site {
            process,
            worker,
            events: RefCell::default(),
            next_event: Cell::new(0),
            costs: RefCell::default(),
            spent: RefCell::default(),
            transcript: RefCell::default(),
            last_token: Cell::new(0),
            connected: RefCell::default(),
        }
    }

    /// A request goes to a cluster that can be reached. Whether there was a connection already, so that the codec takes it
    /// before the call returns: one that is made meanwhile is there only later.
    pub(crate) fn connect(&self, cluster: &[u8]) -> bool {
        let now = self.process.clock.monotonic();
        *self.connected.borrow_mut().entry(cluster.to_vec()).or_insert(now) < now
    }

    /// Plans an event.
    pub(crate) fn plan(&self, after: std::time::Duration, event: Event) {
        let number = self.next_event.get();
        self.next_event.set(number + 1);
        let due = self.process.clock.monotonic().saturating_add(crate::process::clock::nanos(after));
        self.events.borrow_mut().insert((due, number), event);
    }
}
