//! A worker: a thread's VMs, plugins, streams and events. Lives and dies on its own thread.
//!
//! What it does is in the files beside this one: `plugins` starts and retires plugins, `events` runs what falls due,
//! `streams` begins and ends streams, `filters` takes them through the chain, `router` to the upstream and back, `redirect`
//! once more from the beginning and `tunnel` beyond their end. `tcp` does all that for connections of network filters.

mod connection_manager;
mod events;
mod filters;
mod grpc_web;
pub(crate) mod handle;
pub(crate) mod instance;
mod plugins;
mod redirect;
mod router;
pub(crate) mod stream;
mod streams;
pub(crate) mod tcp;
mod tunnel;

use crate::process::Site;
use crate::vm::context::Action;
use crate::vm::plugin::PluginSpec;
use crate::worker::handle::{Handle, SharedVm};
use crate::worker::stream::{Ended, HttpStream};
use crate::worker::tcp::{TcpConnection, TcpSeen};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// A worker.
pub(crate) struct Worker {
    pub(crate) site: Rc<Site>,
    pub(crate) vms: Vec<SharedVm>,
    /// The chain that new streams get.
    pub(crate) chain: Vec<Rc<Handle>>,
    /// Handles of configurations that are no longer in force.
    pub(crate) retired: Vec<Rc<Handle>>,
    /// Plugins that were tried, and why they were refused.
    pub(crate) tried: Vec<(Arc<PluginSpec>, Result<(), String>)>,
    pub(crate) streams: BTreeMap<u64, HttpStream>,
    pub(crate) actions: VecDeque<(u64, Action)>,
    /// Streams that ended and were not asked for yet.
    pub(crate) ended: BTreeMap<u64, Ended>,
    /// Connections of network filters, and those that are over.
    pub(crate) connections: BTreeMap<u64, TcpConnection>,
    pub(crate) ended_connections: BTreeMap<u64, TcpSeen>,
}

impl Worker {
    pub(crate) fn new(site: Site) -> Self {
        Worker {
            site: Rc::new(site),
            vms: Vec::new(),
            chain: Vec::new(),
            retired: Vec::new(),
            tried: Vec::new(),
            streams: BTreeMap::new(),
            actions: VecDeque::new(),
            ended: BTreeMap::new(),
            connections: BTreeMap::new(),
            ended_connections: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.site.process.clock.monotonic()
    }

    /// Takes what a VM's call left to do.
    pub(crate) fn collect(&mut self, cell: &SharedVm) {
        let mut vm = cell.borrow_mut();
        let id = vm.id;
        self.actions.extend(vm.take_actions().into_iter().map(|action| (id, action)));
    }
}
