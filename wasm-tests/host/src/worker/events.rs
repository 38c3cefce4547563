//! What falls due on a worker: ticks, arrivals in queues, and answers to callouts.

use crate::process::event::{Event, GrpcStep};
use crate::process::lock;
use crate::vm::context::{Context, Shown};
use crate::worker::Worker;
use crate::worker::handle::SharedVm;

impl Worker {
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
        self.tick(|due| due <= now);
    }

    /// Fires every timer that is set, as if its period had passed.
    pub(crate) fn fire_timers(&mut self) {
        self.tick(|_| true);
        self.run_arrivals();
    }

    fn tick(&mut self, is_due: impl Fn(u64) -> bool) {
        let now = self.now();
        for cell in self.vms.clone() {
            let mut due = Vec::new();
            for (&id, context) in &mut cell.borrow_mut().store.data_mut().contexts {
                if let Context::Root(root) = context
                    && let Some((period, moment)) = root.tick.as_mut()
                    && is_due(*moment)
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

    /// Notifies the listeners of queues of new items.
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
