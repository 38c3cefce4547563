//! A stream's way through the filter chain, as a pair of pipes per filter.
//!
//! Frames wait in a filter's inbox until it may take them; a filter that paused holds back what it was given. Nothing here
//! calls a VM: [`crate::worker::filters`] takes the next frame, calls the filter and passes the outcome to this state.

use crate::http::message::Downstream;
use crate::http::stream_data::StreamData;
use crate::process::cost::{Call, Costs};
use crate::process::event::Event;
use crate::worker::Handle;
use crate::worker::grpc_web::Web;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use weir_scenario::{Record, Seen};

/// A piece of a message. The headers and trailers themselves are in [`StreamData`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Headers { end: bool },
    Data { bytes: Vec<u8>, end: bool },
    Trailers,
}

/// What a filter holds back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hold {
    #[default]
    Nothing,
    /// Headers: nothing more is delivered until the filter goes on.
    Headers { end: bool },
    /// Body so far: more is delivered, together with it.
    Body { bytes: Vec<u8>, end: bool },
    /// Trailers, with the body before them.
    Trailers { bytes: Vec<u8> },
}

/// One direction of one filter.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    pub(crate) inbox: VecDeque<Frame>,
    pub(crate) hold: Hold,
    /// What is in the inbox came while the filter held the headers.
    pub(crate) late: bool,
}

impl Pipe {
    /// Takes a frame in. Body that comes while the headers are held is handed over in one piece later.
    pub(crate) fn push(&mut self, frame: Frame) {
        if let (Hold::Headers { .. }, Frame::Data { bytes: new, end: last }, Some(Frame::Data { bytes, end })) =
            (&self.hold, &frame, self.inbox.back_mut())
        {
            bytes.extend(new);
            *end = *last;
            return;
        }
        self.inbox.push_back(frame);
    }

    /// Lets go of what is held.
    pub(crate) fn release(&mut self) -> Hold {
        self.late = matches!(self.hold, Hold::Headers { .. }) && !self.inbox.is_empty();
        std::mem::take(&mut self.hold)
    }

    /// The next frame that may be delivered.
    fn next(&mut self) -> Option<Frame> {
        match (&self.hold, self.inbox.front()?) {
            (Hold::Nothing, _) | (Hold::Body { .. }, Frame::Data { .. } | Frame::Trailers) => self.inbox.pop_front(),
            _ => None,
        }
    }
}

/// A filter of a stream's chain.
pub(crate) struct Slot {
    pub(crate) handle: Rc<Handle>,
    /// The stream's context in the filter's VM, once made.
    pub(crate) context: Option<u32>,
    /// It has failed the stream: the reply to that passes it.
    pub(crate) failed: bool,
    pub(crate) decode: Pipe,
    pub(crate) encode: Pipe,
}

/// How far the upstream request has come.
#[derive(Debug, Default)]
pub(crate) struct ToUpstream {
    /// The request as far as it has reached the upstream.
    pub(crate) seen: Option<Seen>,
    /// What the upstream will do, once the request is complete.
    pub(crate) plan: Option<(std::time::Duration, Event)>,
    /// It goes over HTTP/2.
    pub(crate) http2: bool,
    /// The body so far, for a request that is sent on inside the proxy.
    pub(crate) body: Vec<u8>,
    /// What came through the tunnel so far, where there is one.
    pub(crate) tunnel: Option<Vec<u8>>,
    /// What the client sent into it before it was open.
    pub(crate) early: Vec<u8>,
}

/// A stream.
pub(crate) struct HttpStream {
    pub(crate) data: Rc<RefCell<StreamData>>,
    pub(crate) slots: Vec<Slot>,
    /// No more of the request is delivered: a reply was made, or the stream is over.
    pub(crate) decode_over: bool,
    /// The client has sent the whole request.
    pub(crate) received_all: bool,
    /// A response is on its way through the filters.
    pub(crate) encoding: bool,
    pub(crate) grpc: bool,
    pub(crate) head: bool,
    /// It asks for an upgrade or a CONNECT, which the listener lets through.
    pub(crate) upgrade: bool,
    /// It came as gRPC-Web.
    pub(crate) grpc_web: Option<Web>,
    /// How often it has been sent on inside the proxy.
    pub(crate) redirects: u32,
    /// Lines of the access log so far.
    pub(crate) lines: usize,
    /// Filter state that is there before the filters.
    pub(crate) first_state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) upstream: ToUpstream,
    pub(crate) downstream: Downstream,
    /// The response has a status that no client can read.
    pub(crate) unreadable: bool,
    /// The response is complete, or the stream was reset.
    pub(crate) over: bool,
}

/// A stream that is over.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// What the client got.
    pub downstream: Downstream,
    /// What the upstream saw.
    pub seen: Option<Seen>,
    /// The access log record.
    pub record: Record,
    /// Filter state at the end.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What it cost on its worker since it began.
    pub costs: Costs,
    /// Its hostcalls.
    pub transcript: Vec<Call>,
}

impl HttpStream {
    /// The next frame that some filter may take: its direction (`true` for the response), its position, the frame.
    pub(crate) fn next(&mut self) -> Option<(bool, usize, Frame)> {
        if self.over {
            return None;
        }
        for (position, slot) in self.slots.iter_mut().enumerate().rev() {
            if let Some(frame) = slot.encode.next() {
                return Some((true, position, frame));
            }
        }
        if self.decode_over {
            return None;
        }
        let mut slots = self.slots.iter_mut().enumerate();
        slots.find_map(|(position, slot)| Some((false, position, slot.decode.next()?)))
    }

    pub(crate) fn pipe(&mut self, response: bool, position: usize) -> Option<&mut Pipe> {
        let slot = self.slots.get_mut(position)?;
        Some(if response { &mut slot.encode } else { &mut slot.decode })
    }

    /// Drops all frames of the response that are under way.
    pub(crate) fn clear_response(&mut self) {
        for slot in &mut self.slots {
            slot.encode = Pipe::default();
        }
    }
}
