//! The beginning and the end of a stream on a worker.
//!
//! At the end the access log is written first; then every filter of the chain is called, in order: `on_log` each, then
//! `on_done` and `on_delete` each. A filter that never saw the request gets its context only now.

use crate::http::codec::Refusal;
use crate::http::flags;
use crate::http::local_reply::LocalReply;
use crate::http::local_reply::is_grpc;
use crate::http::message::{Downstream, Incoming};
use crate::http::stream_data::StreamData;
use crate::process::clock::nanos;
use crate::process::event::{Event, UpstreamStep};
use crate::worker::Worker;
use crate::worker::connection_manager;
use crate::worker::grpc_web::Web;
use crate::worker::router::chunks;
use crate::worker::stream::Ended;
use crate::worker::stream::{Frame, HttpStream, Pipe, Slot, ToUpstream};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use weir_scenario::{Bytes, Record};

impl Worker {
    /// Begins a stream with its headers, and as much of the rest as the client has sent so far.
    pub(crate) fn open(&mut self, incoming: &Incoming, end: bool) -> u64 {
        let process = std::sync::Arc::clone(&self.site.process);
        let id = process.next_serial();
        let spent = self.site.costs.take();
        self.site.spent.borrow_mut().add(&spent);
        self.site.transcript.borrow_mut().clear();
        let (mut headers, refusal) = connection_manager::admit(&process, incoming);
        let requested = connection_manager::upgrade(&headers);
        let upgrades = &process.settings.proxy.upgrades;
        let let_through = |kind: &Vec<u8>| upgrades.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(kind));
        let upgrade = requested.as_ref().is_some_and(let_through);
        // A request that only the gRPC-Web filter turns into gRPC gets local replies without gRPC headers.
        let grpc = is_grpc(&headers);
        let grpc_web = if process.settings.proxy.grpc_web { Web::of(&mut headers) } else { None };
        let first_state = connection_manager::filter_state(&process.settings.proxy, incoming, &headers);
        let data = StreamData {
            http: incoming.http,
            connection: incoming.connection.clone(),
            connection_id: id,
            remote: connection_manager::remote(&process.settings.proxy, incoming, &headers),
            started: (process.clock.wall(), process.clock.monotonic()),
            filter_state: first_state.clone(),
            dynamic_metadata: connection_manager::dynamic_metadata(&process.settings.proxy, incoming),
            ..StreamData::default()
        };
        let head = headers.get(b":method") == Some(b"HEAD");
        let slots = self.new_slots();
        let stream = HttpStream {
            data: Rc::new(RefCell::new(StreamData { request_headers: Some(headers), ..data })),
            slots,
            decode_over: false,
            received_all: end,
            encoding: false,
            grpc,
            head,
            upgrade,
            grpc_web,
            redirects: 0,
            lines: 0,
            first_state,
            upstream: ToUpstream::default(),
            downstream: Downstream::default(),
            unreadable: false,
            over: false,
        };
        self.streams.insert(id, stream);
        if let Some(limit) = process.settings.proxy.request_timeout {
            self.site.plan(limit.0, Event::Upstream { stream: id, step: UpstreamStep::SlowRequest });
        }
        // The connection manager looks up no route for a request that it refuses.
        if refusal.is_none() {
            self.look_up_route(id);
        }
        if let Some(Refusal { code, details, flags }) = refusal {
            let reply = LocalReply { code, details: details.as_bytes().to_vec(), ..LocalReply::default() };
            self.local_reply(id, &reply, flags);
        } else if requested.is_some() && !upgrade {
            let details = b"upgrade_failed".to_vec();
            self.local_reply(id, &LocalReply { code: 403, details, ..LocalReply::default() }, &[]);
        } else {
            self.enter_request(id, Frame::Headers { end });
        }
        self.pump(id);
        id
    }

    /// The filters for a stream, or for one more pass of it.
    pub(crate) fn new_slots(&mut self) -> Vec<Slot> {
        let slot =
            |handle| Slot { handle, context: None, failed: false, decode: Pipe::default(), encode: Pipe::default() };
        self.chain_for_stream().into_iter().map(slot).collect()
    }

    /// A frame of the request enters the chain at its near end.
    pub(crate) fn enter_request(&mut self, id: u64, frame: Frame) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if let Frame::Data { bytes, .. } = &frame {
            stream.data.borrow_mut().received += bytes.len() as u64;
        }
        stream.received_all |= matches!(frame, Frame::Data { end: true, .. } | Frame::Trailers);
        if stream.decode_over {
            return;
        }
        match stream.slots.first_mut() {
            Some(slot) => slot.decode.push(frame),
            None => self.reach_router(id, frame),
        }
    }

    /// More of the body.
    pub(crate) fn send_body(&mut self, id: u64, body: &[u8], end: bool) {
        let http2 = self.streams.get(&id).is_some_and(|s| s.data.borrow().http == crate::http::stream_data::Http::V2);
        for frame in chunks(body, end, http2) {
            self.enter_request(id, frame);
            self.pump(id);
        }
    }

    /// The request's trailers.
    pub(crate) fn send_trailers(&mut self, id: u64, trailers: crate::http::headers::HeaderMap) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.data.borrow_mut().request_trailers = Some(trailers);
            self.enter_request(id, Frame::Trailers);
            self.pump(id);
        }
    }

    /// Lets time pass until the stream is over, or the client's patience is.
    pub(crate) fn finish(&mut self, id: u64, patience: Duration) -> Ended {
        let limit = self.now().saturating_add(nanos(patience));
        loop {
            self.run_due();
            self.pump(id);
            if let Some(ended) = self.ended.remove(&id) {
                return ended;
            }
            match self.next_due().filter(|due| *due <= limit) {
                Some(due) => self.site.process.clock.reach(due),
                None => {
                    self.site.process.clock.reach(limit);
                    self.client_leaves(id);
                }
            }
            if !self.streams.contains_key(&id) && !self.ended.contains_key(&id) {
                return Ended::default();
            }
        }
    }

    /// The client closes its side.
    pub(crate) fn client_leaves(&mut self, id: u64) {
        let http2 = self.streams.get(&id).is_some_and(|s| s.data.borrow().http == crate::http::stream_data::Http::V2);
        let details = if http2 { "http2.remote_reset" } else { "downstream_remote_disconnect" };
        self.reset(id, details, &["DC"]);
        self.pump(id);
    }

    /// Fails a stream whose plugin's VM is dead, once; with `fail_open` it passes.
    pub(crate) fn fail_stream(&mut self, id: u64, position: usize) {
        let slot = self.streams.get_mut(&id).and_then(|stream| stream.slots.get_mut(position));
        let Some(slot) = slot.filter(|slot| !slot.handle.plugin.fail_open) else { return };
        if !std::mem::replace(&mut slot.failed, true) {
            let details = b"wasm_fail_stream".to_vec();
            self.local_reply(id, &LocalReply { code: 503, details, ..LocalReply::default() }, &[]);
        }
    }

    /// Ends a stream whose response is complete or which was reset.
    pub(crate) fn end_stream(&mut self, id: u64) {
        let Some(record) = self.log_stream(id) else { return };
        self.site
            .events
            .borrow_mut()
            .retain(|_, event| !matches!(event, Event::Upstream { stream, .. } if *stream == id));
        let Some(stream) = self.streams.remove(&id) else { return };
        let data = Rc::clone(&stream.data);
        let filter_state = data.borrow().filter_state.clone();
        let (costs, transcript) = (self.site.costs.borrow().clone(), self.site.transcript.borrow().clone());
        let (downstream, seen) = (stream.downstream, stream.upstream.seen);
        drop(stream.slots);
        self.ended.insert(id, Ended { downstream, seen, record, filter_state, costs, transcript });
        self.run_actions();
        self.drop_retired();
    }

    /// Writes the access log and calls every filter for the last time. The
    /// modules are not called for lines that are written while a stream lasts.
    pub(crate) fn log_stream(&mut self, id: u64) -> Option<Record> {
        let settings = &self.site.process.settings.proxy;
        let interval = settings.access_log_flush_interval.map(|span| nanos(span.0));
        let stream = self.streams.get_mut(&id)?;
        stream.decode_over = true;
        let count = stream.slots.len();
        let record = {
            let mut data = stream.data.borrow_mut();
            let now = self.site.process.clock.monotonic();
            data.completed = Some(now);
            let lasted = now.saturating_sub(data.started.1);
            let meanwhile = interval.and_then(|interval| lasted.checked_div(interval)).unwrap_or(0);
            stream.lines += 1 + usize::try_from(meanwhile).unwrap_or(usize::MAX);
            Record { lines: stream.lines, ..record(&data) }
        };
        for position in 0..count {
            self.notify(id, position, &["proxy_on_log"]);
        }
        for position in 0..count {
            self.notify(id, position, &["proxy_on_done", "proxy_on_delete"]);
        }
        Some(record)
    }

    /// Calls the last callbacks of a stream's context in one filter.
    fn notify(&mut self, id: u64, position: usize, callbacks: &[&'static str]) {
        let Some(slot) = self.streams.get(&id).and_then(|stream| stream.slots.get(position)) else { return };
        let Some(cell) = slot.handle.vm.clone() else { return };
        if cell.borrow().dead {
            return;
        }
        let context = match slot.context {
            Some(context) => Some(context),
            None => self.create_context(id, position),
        };
        let Some(context) = context else { return };
        for name in callbacks {
            let log = *name == "proxy_on_log";
            let set = |log| {
                if let Some(stream) = cell.borrow_mut().store.data_mut().stream_mut(context) {
                    (stream.sight.log, stream.ended) = (log, true);
                }
            };
            set(log);
            let called = cell.borrow_mut().call(name, context, &[]);
            set(false);
            self.collect(&cell);
            if called.died() {
                return;
            }
            if *name == "proxy_on_delete" {
                cell.borrow_mut().store.data_mut().contexts.remove(&context);
            }
        }
    }
}

/// The access log record of a stream or a connection.
pub(super) fn record(data: &StreamData) -> Record {
    let state =
        |name: &[u8]| data.filter_state.get(name).map_or_else(|| Bytes::from("-"), |value| Bytes(value.clone()));
    Record {
        status: data.code.unwrap_or(0),
        details: data.details.clone().map_or_else(|| Bytes::from("-"), Bytes),
        flags: Bytes::from(flags::text(&data.flags).as_str()),
        policy: state(b"wasm.weir.policy"),
        rate_limit: state(b"wasm.weir.rate_limit"),
        authz_metadata: state(b"wasm.weir.authz_metadata"),
        lines: 1,
    }
}
