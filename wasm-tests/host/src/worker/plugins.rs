//! Plugins of a worker: tried, started, retired and replaced.

use crate::process::clock::nanos;
use crate::process::event::belongs;
use crate::vm::plugin::{FailurePolicy, PluginSpec, VmKey};
use crate::worker::Worker;
use crate::worker::handle::Handle;
use crate::worker::instance::{Called, Vm};
use crate::worker::tcp::TcpConnection;
use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

impl Worker {
    /// Tries a plugin on a VM that is thrown away. What it left in shared data, queues and stats stays. The outcome of the
    /// configuration is kept as long as there is a plugin of that VM, and not tried again.
    ///
    /// # Errors
    /// Why the plugin is refused.
    pub(crate) fn canary(&mut self, plugin: &Arc<PluginSpec>) -> Result<(), String> {
        if plugin.fail_open && plugin.failure_policy != FailurePolicy::default() {
            return Err("only one of fail_open or failure_policy can be set".to_owned());
        }
        let key = plugin.vm_key();
        let running: Vec<VmKey> = self.chain.iter().map(|handle| handle.plugin.vm_key()).collect();
        self.tried.retain(|(tried, _)| tried.vm_key() == key || running.contains(&tried.vm_key()));
        if let Some((_, outcome)) = self.tried.iter().find(|(tried, _)| tried.same_plugin(plugin)) {
            return outcome.clone();
        }
        if !running.contains(&key) {
            // The base VM: loaded and started only.
            Vm::start(&self.site, plugin)?;
        }
        let mut vm = Vm::start(&self.site, plugin)?;
        let configured = vm.configure(plugin);
        self.site.events.borrow_mut().retain(|_, event| !belongs(event, vm.id));
        let outcome = configured.as_ref().map(drop).map_err(ToString::to_string);
        if configured.is_ok() || configured.is_err_and(|refused| refused.callback == "proxy_on_configure") {
            self.tried.push((Arc::clone(plugin), outcome.clone()));
        }
        outcome
    }

    /// Puts a chain in force. A plugin that is there already, or that a stream still holds, keeps its root context and is
    /// not configured again.
    ///
    /// # Errors
    /// Why a plugin was refused; the chain is in force anyway, and that plugin fails its streams.
    pub(crate) fn install(&mut self, plugins: &[Arc<PluginSpec>]) -> Result<(), String> {
        let mut refused = Ok(());
        let mut chain: Vec<Rc<Handle>> = Vec::new();
        for plugin in plugins {
            let mut known = self.chain.iter().chain(&self.retired).chain(&chain).filter(|handle| handle.vm.is_some());
            let handle = match known.find(|handle| handle.plugin.same_plugin(plugin)) {
                Some(handle) => Rc::clone(handle),
                None => self.start_plugin(plugin).unwrap_or_else(|message| {
                    refused = Err(message);
                    Rc::new(Handle { plugin: Arc::clone(plugin), vm: None, root: 0, tried: Cell::new(self.now()) })
                }),
            };
            chain.push(handle);
        }
        let old = std::mem::replace(&mut self.chain, chain);
        for handle in old {
            self.retire(handle);
        }
        self.drop_retired();
        refused
    }

    /// Keeps a handle, once, until it is no longer used.
    fn retire(&mut self, handle: Rc<Handle>) {
        if !self.retired.iter().any(|known| Rc::ptr_eq(known, &handle)) {
            self.retired.push(handle);
        }
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
        let (plugin, tried) = (Arc::clone(plugin), Cell::new(self.now()));
        let root = root.map_err(|refused| refused.to_string())?;
        Ok(Rc::new(Handle { plugin, vm: Some(vm), root, tried }))
    }

    /// Shuts down the roots that are not used any more, then the VMs.
    pub(crate) fn drop_retired(&mut self) {
        let in_use = |handle: &Rc<Handle>, worker: &Worker| {
            let streams = worker.streams.values().flat_map(|stream| &stream.slots);
            let connections = worker.connections.values().flat_map(TcpConnection::handles);
            let mut used = worker.chain.iter().chain(streams.map(|slot| &slot.handle)).chain(connections);
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

    /// Ends a root context, and drops the VM with its last context.
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

    /// The chain for a new stream. A dead plugin with `FAIL_RELOAD` is started again after its back-off; one with
    /// `FAIL_OPEN` is left out.
    pub(crate) fn chain_for_stream(&mut self) -> Vec<Rc<Handle>> {
        let backoff = nanos(self.site.process.settings.reload_backoff);
        for position in 0..self.chain.len() {
            let Some(handle) = self.chain.get(position).cloned() else { continue };
            let due = self.now() >= handle.tried.get().saturating_add(backoff);
            // A plugin that could not be started is not started again.
            let reloads = handle.plugin.failure_policy == FailurePolicy::FailReload && handle.vm.is_some();
            if handle.is_dead() && due && reloads {
                let new = self.start_plugin(&handle.plugin);
                // The next back-off begins with the attempt, also if it fails.
                handle.tried.set(self.now());
                if let (Ok(new), Some(slot)) = (new, self.chain.get_mut(position)) {
                    *slot = new;
                }
            }
        }
        let passes = |handle: &Handle| handle.plugin.failure_policy == FailurePolicy::FailOpen && handle.is_dead();
        self.chain.iter().filter(|handle| !passes(handle)).cloned().collect()
    }
}
