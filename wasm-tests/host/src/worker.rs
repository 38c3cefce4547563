//! A worker: a thread's VMs, plugins, streams and events. Lives and dies on its own thread.

use crate::context::{Action, Context, Shown};
use crate::plugin::{FailurePolicy, PluginSpec};
use crate::process::{Event, GrpcStep, Site, lock};
use crate::proxy::Ended;
use crate::stream::HttpStream;
use crate::vm::{Called, Vm};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// A VM that plugins share.
pub(crate) type SharedVm = Rc<RefCell<Vm>>;

/// A plugin on this worker. Streams keep the one they began with.
pub(crate) struct Handle {
    pub(crate) plugin: Arc<PluginSpec>,
    /// `None` where the plugin could not be started.
    pub(crate) vm: Option<SharedVm>,
    pub(crate) root: u32,
    /// When it was started, for the back-off of `FAIL_RELOAD`.
    pub(crate) started: u64,
}

/// A worker.
pub(crate) struct Worker {
    pub(crate) site: Rc<Site>,
    pub(crate) vms: Vec<SharedVm>,
    /// The chain that new streams get.
    pub(crate) chain: Vec<Rc<Handle>>,
    /// Handles of configurations that are no longer in force.
    pub(crate) retired: Vec<Rc<Handle>>,
    pub(crate) streams: BTreeMap<u64, HttpStream>,
    pub(crate) actions: VecDeque<(u64, Action)>,
    /// Streams that ended and were not asked for yet.
    pub(crate) ended: BTreeMap<u64, Ended>,
}

impl Worker {
    pub(crate) fn new(site: Site) -> Self {
        Worker {
            site: Rc::new(site),
            vms: Vec::new(),
            chain: Vec::new(),
            retired: Vec::new(),
            streams: BTreeMap::new(),
            actions: VecDeque::new(),
            ended: BTreeMap::new(),
        }
    }

    /// Tries a plugin on a VM that is thrown away. What it left in shared data, queues and stats stays.
    ///
    /// # Errors
    /// Why the plugin is refused.
    pub(crate) fn canary(&mut self, plugin: &Arc<PluginSpec>) -> Result<(), String> {
        // The base VM: loaded and started only.
        Vm::start(&self.site, plugin)?;
        let mut vm = Vm::start(&self.site, plugin)?;
        let configured = vm.configure(plugin);
        self.site.events.borrow_mut().retain(|_, event| !belongs(event, vm.id));
        configured.map(drop)
    }

    /// Puts a chain in force. A plugin that is there already keeps its root context and is not configured again.
    ///
    /// # Errors
    /// Why a plugin was refused; the chain is in force all the same, with that plugin failing its streams.
    pub(crate) fn install(&mut self, plugins: &[Arc<PluginSpec>]) -> Result<(), String> {
        let mut refused = Ok(());
        let mut chain: Vec<Rc<Handle>> = Vec::new();
        for plugin in plugins {
            let mut known = self.chain.iter().chain(&chain).filter(|handle| handle.vm.is_some());
            let handle = match known.find(|handle| handle.plugin.same_plugin(plugin)) {
                Some(handle) => Rc::clone(handle),
                None => self.start_plugin(plugin).unwrap_or_else(|message| {
                    refused = Err(message);
                    Rc::new(Handle { plugin: Arc::clone(plugin), vm: None, root: 0, started: self.now() })
                }),
            };
            chain.push(handle);
        }
        let old = std::mem::replace(&mut self.chain, chain);
        self.retired.extend(old);
        self.drop_retired();
        refused
    }

    pub(crate) fn now(&self) -> u64 {
        self.site.process.clock.monotonic()
    }

    /// Starts a plugin in a VM of its key, a new one where there is none alive.
    fn start_plugin(&mut self, plugin: &Arc<PluginSpec>) -> Result<Rc<Handle>, String> {
        let key = plugin.vm_key();
        let alive = self.vms.iter().find(|vm| vm.borrow().key == key && !vm.borrow().dead).cloned();
        let vm = match alive {
            Some(vm) => vm,
            None => {
                let vm = Rc::new(RefCell::new(Vm::start(&self.site, plugin)?));
                self.vms.push(Rc::clone(&vm));
                vm
            }
        };
        let root = vm.borrow_mut().configure(plugin);
        self.collect(&vm);
        self.run_actions();
        let (plugin, started) = (Arc::clone(plugin), self.now());
        Ok(Rc::new(Handle { plugin, vm: Some(vm), root: root?, started }))
    }

    /// Shuts down the roots that nobody uses any more, then the VMs.
    pub(crate) fn drop_retired(&mut self) {
        let in_use = |handle: &Rc<Handle>, worker: &Worker| {
            let streams = worker.streams.values().flat_map(|stream| &stream.slots);
            let mut used = worker.chain.iter().chain(streams.map(|slot| &slot.handle));
            used.any(|other| Rc::ptr_eq(other, handle))
        };
        let retired = std::mem::take(&mut self.retired);
        let (kept, gone): (Vec<_>, Vec<_>) = retired.into_iter().partition(|handle| in_use(handle, self));
        self.retired = kept;
        for handle in gone {
            let Some(cell) = &handle.vm else { continue };
            let done = cell.borrow_mut().call("proxy_on_done", handle.root, &[]);
            self.collect(cell);
            let id = cell.borrow().id;
            if done == Called::Returned(0) {
                if let Some(root) = cell.borrow_mut().store.data_mut().root_mut(handle.root) {
                    root.done_pending = true;
                }
            } else {
                self.delete_root(id, handle.root);
            }
            self.run_actions();
        }
    }

    /// Tells a root context that it is over, and drops the VM with its last context.
    pub(crate) fn delete_root(&mut self, vm: u64, root: u32) {
        let Some(cell) = self.vms.iter().find(|cell| cell.borrow().id == vm).cloned() else { return };
        cell.borrow_mut().call("proxy_on_delete", root, &[]);
        self.collect(&cell);
        cell.borrow_mut().store.data_mut().contexts.remove(&root);
        if cell.borrow().store.data().contexts.is_empty() {
            self.vms.retain(|cell| cell.borrow().id != vm);
            self.site.events.borrow_mut().retain(|_, event| !belongs(event, vm));
        }
    }

    /// Takes what a VM's call left to do.
    pub(crate) fn collect(&mut self, cell: &SharedVm) {
        let mut vm = cell.borrow_mut();
        let id = vm.id;
        self.actions.extend(vm.take_actions().into_iter().map(|action| (id, action)));
    }

    /// The chain for a new stream; a dead plugin with `FAIL_RELOAD` is started again after its back-off.
    pub(crate) fn chain_for_stream(&mut self) -> Vec<Rc<Handle>> {
        let backoff = crate::clock::nanos(self.site.process.settings.reload_backoff);
        for place in 0..self.chain.len() {
            let Some(handle) = self.chain.get(place).cloned() else { continue };
            let dead = handle.vm.as_ref().is_some_and(|vm| vm.borrow().dead);
            let due = self.now() >= handle.started.saturating_add(backoff);
            if dead && due && handle.plugin.failure_policy == FailurePolicy::FailReload {
                let new = self.start_plugin(&handle.plugin);
                if let (Ok(new), Some(slot)) = (new, self.chain.get_mut(place)) {
                    *slot = new;
                }
            }
        }
        self.chain.clone()
    }

    /// What comes due next, if anything.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let event = self.site.events.borrow().keys().next().map(|(due, _)| *due);
        let ticks = self.vms.iter().filter_map(|vm| {
            let vm = vm.borrow();
            if vm.dead {
                return None;
            }
            let ticks = vm.store.data().contexts.values().filter_map(|context| match context {
                Context::Root(root) => root.tick.map(|(_, due)| due),
                Context::Stream(_) => None,
            });
            ticks.min()
        });
        event.into_iter().chain(ticks).min()
    }

    /// Runs everything that is due by now, in the order of its moments.
    pub(crate) fn run_due(&mut self) {
        self.run_arrivals();
        while self.next_due().is_some_and(|due| due <= self.now()) {
            let first = self.site.events.borrow().keys().next().copied();
            let due_event = first.filter(|(due, _)| *due <= self.now());
            let event = due_event.and_then(|key| self.site.events.borrow_mut().remove(&key));
            match event {
                Some(event) => self.run_event(event),
                None => self.run_ticks(),
            }
            self.run_arrivals();
        }
    }

    fn run_ticks(&mut self) {
        let now = self.now();
        for cell in self.vms.clone() {
            let mut due = Vec::new();
            for (&id, context) in &mut cell.borrow_mut().store.data_mut().contexts {
                if let Context::Root(root) = context
                    && let Some((period, moment)) = root.tick.as_mut()
                    && *moment <= now
                {
                    *moment = now + *period;
                    due.push(id);
                }
            }
            for root in due {
                self.call_root(&cell, "proxy_on_tick", root, &[]);
            }
        }
    }

    /// Tells listeners of queues what has arrived.
    fn run_arrivals(&mut self) {
        loop {
            let arrival = lock(&self.site.process.queues).arrival(self.site.worker);
            let Some((listener, queue)) = arrival else { break };
            if let Some(cell) = self.vms.iter().find(|cell| cell.borrow().id == listener.vm).cloned() {
                self.call_root(&cell, "proxy_on_queue_ready", listener.root, &[queue]);
            }
        }
    }

    /// Calls a callback of a root context and does what it leaves to do.
    fn call_root(&mut self, cell: &SharedVm, name: &'static str, root: u32, arguments: &[u32]) {
        // A VM that dies of it leaves the streams that wait for it waiting: only a stream's own callback fails it.
        cell.borrow_mut().call(name, root, arguments);
        self.collect(cell);
        self.run_actions();
        let streams: Vec<u64> = self.streams.keys().copied().collect();
        for stream in streams {
            self.pump(stream);
        }
    }

    fn run_event(&mut self, event: Event) {
        match event {
            Event::Upstream { stream, step } => self.upstream_acts(stream, step),
            Event::Http { vm, token, answer } => {
                let Some(cell) = self.vms.iter().find(|cell| cell.borrow().id == vm).cloned() else { return };
                let Some(call) = cell.borrow_mut().store.data_mut().http_calls.remove(&token) else { return };
                let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let arguments = match &answer {
                    Some(a) => [token, size(a.headers.len()), size(a.body.len()), size(a.trailers.len())],
                    None => [token, 0, 0, 0],
                };
                let status = answer.is_none().then(|| (11, b"reset".to_vec()));
                let shown = answer.map(Shown::Http);
                self.call_shown(&cell, "proxy_on_http_call_response", call.root, &arguments, shown, status);
            }
            Event::Grpc { vm, token, step } => self.run_grpc(vm, token, step),
        }
    }

    fn run_grpc(&mut self, vm: u64, token: u32, step: GrpcStep) {
        let Some(cell) = self.vms.iter().find(|cell| cell.borrow().id == vm).cloned() else { return };
        let pending = cell.borrow().store.data().grpc_calls.get(&token).map(|call| (call.root, call.stream));
        let Some((root, stream)) = pending else { return };
        let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let forget = || cell.borrow_mut().store.data_mut().grpc_calls.remove(&token);
        match step {
            GrpcStep::Initial(answer) => {
                let (arguments, map) = ([token, size(answer.headers.len())], Shown::GrpcInitial(answer.headers));
                let name = "proxy_on_grpc_receive_initial_metadata";
                self.call_shown(&cell, name, root, &arguments, Some(map), None);
            }
            GrpcStep::Message(message) => {
                if !stream {
                    forget();
                }
                let (arguments, shown) = ([token, size(message.len())], Shown::GrpcMessage(message));
                self.call_shown(&cell, "proxy_on_grpc_receive", root, &arguments, Some(shown), None);
            }
            GrpcStep::Trailing(answer) => {
                let (arguments, map) = ([token, size(answer.headers.len())], Shown::GrpcTrailing(answer.headers));
                let name = "proxy_on_grpc_receive_trailing_metadata";
                self.call_shown(&cell, name, root, &arguments, Some(map), None);
            }
            GrpcStep::Close(status, message) => {
                forget();
                let now = (status, message.into_bytes());
                self.call_shown(&cell, "proxy_on_grpc_close", root, &[token, status], None, Some(now));
            }
        }
    }

    /// Calls a callback about a callout, with what it brought in sight until the callback returns.
    fn call_shown(
        &mut self,
        cell: &SharedVm,
        name: &'static str,
        root: u32,
        arguments: &[u32],
        shown: Option<Shown>,
        status: Option<(u32, Vec<u8>)>,
    ) {
        if let Some(context) = cell.borrow_mut().store.data_mut().root_mut(root) {
            context.shown = shown;
            if let Some(status) = status {
                context.status = status;
            }
        }
        cell.borrow_mut().call(name, root, arguments);
        if let Some(context) = cell.borrow_mut().store.data_mut().root_mut(root) {
            // The code stays, its text does not.
            context.shown = None;
            context.status.1.clear();
        }
        self.collect(cell);
        self.run_actions();
        let streams: Vec<u64> = self.streams.keys().copied().collect();
        for stream in streams {
            self.pump(stream);
        }
    }
}

fn belongs(event: &Event, id: u64) -> bool {
    match event {
        Event::Http { vm, .. } | Event::Grpc { vm, .. } => *vm == id,
        Event::Upstream { .. } => false,
    }
}
