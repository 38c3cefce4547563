//! Calls filters with the frames of a stream and does what they answer.

use crate::http::local_reply::LocalReply;
use crate::http::stream_data::Http;
use crate::vm::context::{Action, Context, Sight, Stream};
use crate::worker::Worker;
use crate::worker::instance::Called;
use crate::worker::stream::{Frame, Hold};
use std::rc::Rc;

/// What a filter's callback came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Continue,
    Pause,
    /// A reply was asked for, or the VM is dead: nothing of the frame goes on.
    Stop,
}

impl Worker {
    /// Moves a stream until no filter can take anything more.
    pub(crate) fn pump(&mut self, id: u64) {
        while let Some((response, position, frame)) = self.streams.get_mut(&id).and_then(|stream| stream.next()) {
            self.step(id, response, position, frame);
            self.run_actions();
        }
        if self.streams.get(&id).is_some_and(|stream| stream.over) {
            self.end_stream(id);
        }
    }

    /// Hands one frame to one filter.
    fn step(&mut self, id: u64, response: bool, position: usize, frame: Frame) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(pipe) = stream.pipe(response, position) else { return };
        // A held body is handed over again, with what is new behind it.
        let frame = match (std::mem::take(&mut pipe.hold), frame) {
            (Hold::Body { mut bytes, .. }, Frame::Data { bytes: new, end }) => {
                bytes.extend(new);
                Frame::Data { bytes, end }
            }
            (hold, frame) => {
                pipe.hold = hold;
                frame
            }
        };
        let late = std::mem::take(&mut pipe.late) && matches!(frame, Frame::Data { .. });
        let created = self.created(id, position, response, matches!(frame, Frame::Headers { .. }));
        let (step, mut frame) = match created {
            Some(context) => self.call_filter(id, position, context, response, frame),
            None => (Step::Continue, vec![frame]),
        };
        // A filter is not called about trailers that it made itself, unless the body had waited for it.
        if late
            && frame.len() > 1
            && let Some(pipe) = self.streams.get_mut(&id).and_then(|stream| stream.pipe(response, position))
        {
            pipe.inbox.extend(frame.pop());
        }
        // A stream that was closed in the callback gets nothing more.
        if self.actions.iter().any(|(_, action)| matches!(action, Action::Close { stream } if *stream == id)) {
            self.run_actions();
        }
        match step {
            Step::Continue => self.forward(id, response, position, frame),
            Step::Pause => self.hold(id, response, position, frame),
            Step::Stop => {}
        }
    }

    /// The filter's context for the stream; made with the request's headers. `None` where the filter is passed by.
    fn created(&mut self, id: u64, position: usize, response: bool, headers: bool) -> Option<u32> {
        let slot = self.streams.get(&id)?.slots.get(position)?;
        if slot.context.is_none() && !response && headers {
            return self.create_context(id, position);
        }
        slot.context
    }

    /// Makes the stream's context in a filter's VM. In a dead VM there is none: the stream is failed, or passes with `fail_open`.
    pub(crate) fn create_context(&mut self, id: u64, position: usize) -> Option<u32> {
        let stream = self.streams.get(&id)?;
        let slot = stream.slots.get(position)?;
        let handle = Rc::clone(&slot.handle);
        let data = Rc::clone(&stream.data);
        if handle.is_dead() {
            self.fail_stream(id, position);
            return None;
        }
        let vm = handle.vm.as_ref()?;
        let sight = Sight::default();
        let context =
            Stream { root: handle.root, id, position, data, sight, replied: false, ended: false, last_buffer: None };
        let context = vm.borrow_mut().create(Context::Stream(context));
        self.collect(vm);
        if let Some(slot) = self.streams.get_mut(&id).and_then(|stream| stream.slots.get_mut(position)) {
            slot.context = Some(context);
        }
        if vm.borrow().dead {
            self.fail_stream(id, position);
            return None;
        }
        Some(context)
    }

    /// Calls the callback of a frame. Comes back with the frames that go on: the last of a body may bring trailers.
    fn call_filter(
        &mut self,
        id: u64,
        position: usize,
        context: u32,
        response: bool,
        frame: Frame,
    ) -> (Step, Vec<Frame>) {
        let Some(stream) = self.streams.get(&id) else { return (Step::Stop, Vec::new()) };
        let Some(slot) = stream.slots.get(position) else { return (Step::Stop, Vec::new()) };
        let (handle, failed) = (Rc::clone(&slot.handle), slot.failed);
        let Some(cell) = handle.vm.clone() else { return (Step::Stop, Vec::new()) };
        let data = Rc::clone(&stream.data);
        let mut vm = cell.borrow_mut();
        if vm.dead {
            drop(vm);
            if handle.plugin.fail_open || failed && response {
                return (Step::Continue, vec![frame]);
            }
            self.fail_stream(id, position);
            return (Step::Stop, Vec::new());
        }
        let kind = Kind::of(&frame);
        let count = |map: &Option<crate::http::headers::HeaderMap>| {
            u32::try_from(map.as_ref().map_or(0, crate::http::headers::HeaderMap::len)).unwrap_or(u32::MAX)
        };
        let had_trailers;
        let (name, arguments) = {
            let data = data.borrow();
            had_trailers = if response { data.response_trailers.is_some() } else { data.request_trailers.is_some() };
            let maps = if response {
                (&data.response_headers, &data.response_trailers)
            } else {
                (&data.request_headers, &data.request_trailers)
            };
            match (&frame, response) {
                (Frame::Headers { end }, false) => ("proxy_on_request_headers", vec![count(maps.0), u32::from(*end)]),
                (Frame::Headers { end }, true) => ("proxy_on_response_headers", vec![count(maps.0), u32::from(*end)]),
                (Frame::Data { bytes, end }, _) => {
                    let name = if response { "proxy_on_response_body" } else { "proxy_on_request_body" };
                    (name, vec![u32::try_from(bytes.len()).unwrap_or(u32::MAX), u32::from(*end)])
                }
                (Frame::Trailers, false) => ("proxy_on_request_trailers", vec![count(maps.1)]),
                (Frame::Trailers, true) => ("proxy_on_response_trailers", vec![count(maps.1)]),
            }
        };
        if let Some(stream) = vm.store.data_mut().stream_mut(context) {
            stream.replied = false;
            show(&mut stream.sight, response, &frame);
        }
        let called = vm.call(name, context, &arguments);
        let mut step = match called {
            Called::Absent | Called::Returned(0) => Step::Continue,
            Called::Returned(_) => Step::Pause,
            Called::Trapped | Called::Failed if handle.plugin.fail_open => Step::Continue,
            Called::Trapped | Called::Failed => Step::Stop,
        };
        let mut frames = vec![frame];
        let mut held = None;
        if let Some(stream) = vm.store.data_mut().stream_mut(context) {
            if std::mem::take(&mut stream.replied) {
                step = Step::Stop;
            }
            let made = !had_trailers && made_trailers(&data.borrow(), response);
            let body = if response { &mut stream.sight.response_body } else { &mut stream.sight.request_body };
            if matches!(kind, Kind::Trailers) {
                held.clone_from(body);
            }
            if let Some(Frame::Data { bytes, end }) = frames.first_mut() {
                // A held body can be read on.
                if let Some(changed) = body {
                    bytes.clone_from(changed);
                }
                if made && *end {
                    *end = false;
                    frames.push(Frame::Trailers);
                }
            }
            if step == Step::Continue {
                hide(&mut stream.sight, response, kind);
            }
        }
        drop(vm);
        let pipe = self.streams.get_mut(&id).and_then(|stream| stream.pipe(response, position));
        if let (Some(changed), Some(Hold::Body { bytes, .. })) = (held, pipe.map(|pipe| &mut pipe.hold)) {
            *bytes = changed;
        }
        self.collect(&cell);
        if called.died() {
            self.fail_stream(id, position);
        }
        (step, frames)
    }

    /// Sends frames on from a filter that let them pass, with what it held back first.
    fn forward(&mut self, id: u64, response: bool, position: usize, frames: Vec<Frame>) {
        let mut out = Vec::new();
        if let Some(pipe) = self.streams.get_mut(&id).and_then(|stream| stream.pipe(response, position)) {
            out = released(pipe.release());
        }
        out.extend(frames);
        for frame in out {
            self.deliver(id, response, position, frame);
        }
    }

    /// Keeps frames at a filter that paused.
    fn hold(&mut self, id: u64, response: bool, position: usize, frames: Vec<Frame>) {
        let Some(pipe) = self.streams.get_mut(&id).and_then(|stream| stream.pipe(response, position)) else { return };
        for frame in frames {
            pipe.hold = match (std::mem::take(&mut pipe.hold), frame) {
                (_, Frame::Headers { end }) => Hold::Headers { end },
                (Hold::Body { bytes, .. }, Frame::Trailers) => Hold::Trailers { bytes },
                (_, Frame::Trailers) => Hold::Trailers { bytes: Vec::new() },
                (_, Frame::Data { bytes, end }) => Hold::Body { bytes, end },
            };
        }
        let http2 = self.streams.get(&id).is_some_and(|stream| stream.data.borrow().http == Http::V2);
        let settings = &self.site.process.settings;
        let limit = if http2 { settings.http2_buffer_limit } else { settings.buffer_limit };
        let held = self.streams.get_mut(&id).and_then(|stream| stream.pipe(response, position)).map(|pipe| &pipe.hold);
        if matches!(held, Some(Hold::Body { bytes, .. }) if bytes.len() > limit) {
            self.over_limit(id, response);
        }
    }

    /// Lets a paused filter's frames go on.
    pub(crate) fn resume(&mut self, id: u64, position: usize, response: bool) {
        self.let_go(id, position, response);
        let Some(pipe) = self.streams.get_mut(&id).and_then(|stream| stream.pipe(response, position)) else { return };
        for frame in released(pipe.release()) {
            self.deliver(id, response, position, frame);
        }
    }

    /// A held body is out of sight once it goes on.
    fn let_go(&self, id: u64, position: usize, response: bool) {
        let Some(slot) = self.streams.get(&id).and_then(|stream| stream.slots.get(position)) else { return };
        let (Some(context), Some(cell)) = (slot.context, &slot.handle.vm) else { return };
        if let Some(stream) = cell.borrow_mut().store.data_mut().stream_mut(context) {
            let body = if response { &mut stream.sight.response_body } else { &mut stream.sight.request_body };
            *body = None;
        }
    }

    /// Hands a frame to the next one: a filter, the router, or the client.
    pub(crate) fn deliver(&mut self, id: u64, response: bool, from: usize, frame: Frame) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if response {
            match from.checked_sub(1).and_then(|position| stream.pipe(true, position)) {
                Some(pipe) => pipe.push(frame),
                None => self.reach_client(id, frame),
            }
        } else if !stream.decode_over {
            match stream.pipe(false, from + 1) {
                Some(pipe) => pipe.push(frame),
                None => self.reach_router(id, frame),
            }
        }
    }

    /// A frame of the response enters the chain at its far end.
    pub(crate) fn enter_response(&mut self, id: u64, frame: Frame) {
        let Some(stream) = self.streams.get(&id) else { return };
        let length = stream.slots.len();
        self.deliver(id, true, length, frame);
    }

    /// Too much body held back: 413 for a request, 500 for a response.
    fn over_limit(&mut self, id: u64, response: bool) {
        let (code, details) =
            if response { (500, "response_payload_too_large") } else { (413, "request_payload_too_large") };
        let body = if response { "Internal Server Error" } else { "Payload Too Large" };
        let (details, body) = (details.as_bytes().to_vec(), body.as_bytes().to_vec());
        self.local_reply(id, &LocalReply { code, details, body, ..LocalReply::default() }, &[]);
    }

    /// Does what modules asked for, in order, until nothing is left.
    pub(crate) fn run_actions(&mut self) {
        while let Some(action) = self.actions.pop_front() {
            match action {
                (_, Action::Continue { stream, position, response }) => self.resume(stream, position, response),
                (_, Action::Close { stream }) => self.reset(stream, "wasm_close_stream", &[]),
                (_, Action::Reply { stream, reply }) => self.local_reply(stream, &reply, &[]),
                (_, Action::ContinueConnection { connection, position }) => self.tcp_continue(connection, position),
                (_, Action::CloseConnection { connection }) => self.tcp_close_by_filter(connection),
                (vm, Action::Done { root }) => self.delete_root(vm, root),
            }
        }
    }
}

/// What a callback about a frame may see, besides what it saw before.
fn show(sight: &mut Sight, response: bool, frame: &Frame) {
    let end = match frame {
        Frame::Headers { end } | Frame::Data { end, .. } => *end,
        Frame::Trailers => true,
    };
    sight.end_of_stream = end;
    match (frame, response) {
        (Frame::Headers { .. }, false) => sight.request_headers = true,
        (Frame::Headers { .. }, true) => sight.response_headers = true,
        (Frame::Data { bytes, .. }, false) => sight.request_body = Some(bytes.clone()),
        (Frame::Data { bytes, .. }, true) => sight.response_body = Some(bytes.clone()),
        (Frame::Trailers, false) => sight.request_trailers = true,
        (Frame::Trailers, true) => sight.response_trailers = true,
    }
}

/// What a frame is, without its content.
#[derive(Clone, Copy)]
enum Kind {
    Headers,
    Data,
    Trailers,
}

impl Kind {
    fn of(frame: &Frame) -> Kind {
        match frame {
            Frame::Headers { .. } => Kind::Headers,
            Frame::Data { .. } => Kind::Data,
            Frame::Trailers => Kind::Trailers,
        }
    }
}

/// After a callback that said Continue its own map or buffer is gone, with trailers also the body that was held before them.
/// Trailers that were made with the last of a body stay.
fn hide(sight: &mut Sight, response: bool, kind: Kind) {
    match (kind, response) {
        (Kind::Headers, false) => sight.request_headers = false,
        (Kind::Data, false) => sight.request_body = None,
        (Kind::Trailers, false) => (sight.request_trailers, sight.request_body) = (false, None),
        (Kind::Headers, true) => sight.response_headers = false,
        (Kind::Data, true) => sight.response_body = None,
        (Kind::Trailers, true) => (sight.response_trailers, sight.response_body) = (false, None),
    }
}

fn made_trailers(data: &crate::http::stream_data::StreamData, response: bool) -> bool {
    if response { data.response_trailers.is_some() } else { data.request_trailers.is_some() }
}

/// The frames that a hold becomes when it is let go.
fn released(hold: Hold) -> Vec<Frame> {
    match hold {
        Hold::Nothing => Vec::new(),
        Hold::Headers { end } => vec![Frame::Headers { end }],
        Hold::Body { bytes, end } => vec![Frame::Data { bytes, end }],
        Hold::Trailers { bytes } if bytes.is_empty() => vec![Frame::Trailers],
        Hold::Trailers { bytes } => vec![Frame::Data { bytes, end: false }, Frame::Trailers],
    }
}
