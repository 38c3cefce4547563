//! Tunnels: what follows an upgrade or a CONNECT that an upstream takes. Bytes pass the filters as bodies that do not end.

use crate::http::upstream;
use crate::process::event::{Event, UpstreamStep};
use crate::worker::Worker;
use crate::worker::stream::Frame;
use std::time::Duration;
use weir_scenario::Answer;

impl Worker {
    /// The upstream's headers, and what it says first.
    pub(crate) fn tunnel_begins(&mut self, id: u64, answer: &Answer) {
        let wall = self.site.process.clock.wall();
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.encoding {
            return;
        }
        stream.encoding = true;
        stream.upstream.tunnel = Some(Vec::new());
        let (mut headers, _) = upstream::head(answer, wall);
        headers.remove(b"content-length");
        {
            let mut data = stream.data.borrow_mut();
            data.code = Some(answer.status);
            data.details = Some(b"via_upstream".to_vec());
            data.response_headers = Some(headers);
        }
        self.enter_response(id, Frame::Headers { end: false });
        self.pump(id);
        if !answer.body.0.is_empty() {
            self.enter_response(id, Frame::Data { bytes: answer.body.0.clone(), end: false });
            self.pump(id);
        }
        let early = self.streams.get_mut(&id).map(|stream| std::mem::take(&mut stream.upstream.early));
        if let Some(early) = early.filter(|early| !early.is_empty()) {
            self.client_tunnels(id, &early);
        }
    }

    /// Sends bytes into a tunnel, once its client has the upstream's headers.
    pub(crate) fn client_tunnels(&mut self, id: u64, bytes: &[u8]) {
        let open = |worker: &Worker| {
            worker.streams.get(&id).is_some_and(|s| s.upstream.tunnel.is_some() && s.downstream.status.is_some())
        };
        if open(self) {
            self.send_body(id, bytes, false);
        } else if let Some(stream) = self.streams.get_mut(&id) {
            stream.upstream.early.extend(bytes);
        }
    }

    /// Bytes have come through at the upstream, which answers a whole line.
    pub(crate) fn tunnel_gets(&mut self, id: u64, bytes: Vec<u8>) {
        let Some(tunnel) = self.streams.get_mut(&id).and_then(|stream| stream.upstream.tunnel.as_mut()) else { return };
        tunnel.extend(bytes);
        if tunnel.ends_with(b"\n") {
            let step = UpstreamStep::TunnelEnds(std::mem::take(tunnel));
            self.site.plan(Duration::ZERO, Event::Upstream { stream: id, step });
        }
    }

    /// The upstream sends a line back and closes. The client reads everything up to the end of its connection.
    pub(crate) fn tunnel_ends(&mut self, id: u64, line: Vec<u8>) {
        self.enter_response(id, Frame::Data { bytes: line, end: false });
        self.pump(id);
        self.reset(id, "upstream_reset_after_response_started{connection_termination}", &["UC"]);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.downstream.broken = false;
        }
    }
}
