//! The two ends of the filter chain: the router with its upstreams, and the client.

use crate::http::headers::HeaderMap;
use crate::http::local_reply::LocalReply;
use crate::http::local_reply::build;
use crate::http::stream_data::{Http, Routed, Upstream};
use crate::http::upstream;
use crate::process::event::{Event, UpstreamStep};
use crate::worker::Worker;
use crate::worker::stream::{Frame, ToUpstream};
use std::time::Duration;
use weir_scenario::{Answer, Behaviour, Bytes, Fields, Route, Seen, Target};

/// Envoy's default route timeout.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of a body goes through filters at a time.
pub(crate) const CHUNK: usize = 16 * 1024;

/// A map as scenarios show it.
pub(crate) fn shown(map: &HeaderMap) -> Fields {
    Fields(map.iter().map(|(name, value)| (Bytes(name.to_vec()), Bytes(value.to_vec()))).collect())
}

/// A body in chunks. HTTP/2 marks the last as the end where nothing follows; HTTP/1 says so with one more, empty chunk.
pub(crate) fn chunks(body: &[u8], end: bool, http2: bool) -> Vec<Frame> {
    let pieces = body.chunks(CHUNK);
    let last = pieces.len();
    let ends = |number| end && http2 && number + 1 == last;
    let frame = |(number, bytes): (usize, &[u8])| Frame::Data { bytes: bytes.to_vec(), end: ends(number) };
    let mut frames: Vec<Frame> = pieces.enumerate().map(frame).collect();
    if end && !http2 && last > 0 {
        frames.push(Frame::Data { bytes: Vec::new(), end: true });
    }
    frames
}

/// The length that a message announces.
fn length<'a>(mut fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Option<usize> {
    let (_, text) = fields.find(|(name, _)| *name == b"content-length")?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Worker {
    /// Looks the route up for the path as it is now.
    pub(crate) fn look_up_route(&mut self, id: u64) {
        let Some(stream) = self.streams.get(&id) else { return };
        let mut data = stream.data.borrow_mut();
        let headers = data.request_headers.as_ref();
        let path = headers.and_then(|map| map.get(b":path")).map(<[u8]>::to_vec);
        let settings = &self.site.process.settings;
        let parameters = settings.proxy.ignore_path_parameters;
        let path = path.map(|path| if parameters { crate::http::path::without_parameters(&path) } else { path });
        let connect = headers.is_some_and(|map| map.get(b":method") == Some(b"CONNECT"));
        // Without this header Envoy finds no route.
        let proto = headers.is_some_and(|map| map.get(b"x-forwarded-proto").is_some());
        let routes = &settings.surroundings.routes;
        // Only a route for CONNECT takes a request that has no path.
        let fits = |route: &&Route| match &path {
            _ if !proto => false,
            _ if route.connect => connect,
            Some(path) => path.starts_with(route.prefix.as_bytes()),
            None => false,
        };
        data.route = routes.iter().find(fits).map(|route| {
            let (cluster, direct) = match &route.to {
                Target::Cluster(name) => (Some(name.clone()), None),
                Target::DirectResponse { status, body } => (None, Some((*status, body.0.clone()))),
            };
            Routed { name: route.name.clone(), redirects: route.internal_redirects, cluster, direct }
        });
        data.route_stale = false;
    }

    /// The request, or a piece of it, has passed all filters.
    pub(crate) fn reach_router(&mut self, id: u64, frame: Frame) {
        match frame {
            Frame::Headers { end } => self.route(id, end),
            Frame::Data { bytes, end } => {
                let Some(stream) = self.streams.get_mut(&id) else { return };
                if stream.upstream.tunnel.is_some() {
                    return self.tunnel_gets(id, bytes);
                }
                if let Some(seen) = stream.upstream.seen.as_mut() {
                    seen.body_size += bytes.len();
                }
                stream.upstream.body.extend(bytes);
                if end {
                    self.request_complete(id);
                }
            }
            Frame::Trailers => {
                let Some(stream) = self.streams.get_mut(&id) else { return };
                let ToUpstream { seen, http2, .. } = &mut stream.upstream;
                // Towards HTTP/1 Envoy drops them.
                if let Some(seen) = seen.as_mut().filter(|_| *http2) {
                    seen.trailers = stream.data.borrow().request_trailers.as_ref().map(shown).unwrap_or_default();
                }
                self.request_complete(id);
            }
        }
    }

    fn route(&mut self, id: u64, end: bool) {
        let stale = self.streams.get(&id).is_some_and(|stream| stream.data.borrow().route_stale);
        if stale {
            self.look_up_route(id);
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let routed = stream.data.borrow().route.clone();
        let reply = |code, details: &str, body: Vec<u8>| LocalReply {
            code,
            details: details.as_bytes().to_vec(),
            body,
            ..LocalReply::default()
        };
        match routed {
            None => self.local_reply(id, &reply(404, "route_not_found", Vec::new()), &["NR"]),
            Some(Routed { direct: Some((status, body)), .. }) => {
                self.local_reply(id, &reply(status, "direct_response", body), &[]);
            }
            Some(Routed { cluster: Some(name), .. }) => self.forward_upstream(id, &name, end),
            Some(Routed { cluster: None, direct: None, .. }) => {}
        }
    }

    fn forward_upstream(&mut self, id: u64, name: &str, end: bool) {
        let process = std::sync::Arc::clone(&self.site.process);
        let Some(cluster) = process.settings.surroundings.clusters.get(name) else { return };
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let mut data = stream.data.borrow_mut();
        let Some(headers) = data.request_headers.as_mut() else { return };
        headers.replace(b"x-envoy-expected-rq-timeout-ms", b"15000");
        let text = |name: &[u8]| String::from_utf8_lossy(headers.get(name).unwrap_or_default()).into_owned();
        let mut fields = shown(headers);
        let http2 = cluster.http2;
        fields.0.retain(|(name, _)| !name.0.starts_with(b":") || (http2 || name.0 == b":authority"));
        if !http2 {
            for (name, _) in &mut fields.0 {
                if name.0 == b":authority" {
                    *name = Bytes::from("host");
                }
            }
        }
        let path = Bytes(headers.get(b":path").unwrap_or_default().to_vec());
        let seen = Seen { method: text(b":method"), path, headers: fields, body_size: 0, trailers: Fields::default() };
        let upstream = |step| Event::Upstream { stream: id, step };
        let fail = |details, flags| upstream(UpstreamStep::Fail { details, flags });
        let (reached, plan) = match &cluster.behaviour {
            Behaviour::Unreachable => (false, (Duration::ZERO, fail(upstream::REFUSED, "UF"))),
            Behaviour::Answer(answer) if answer.delay.0 < ROUTE_TIMEOUT => {
                (true, (answer.delay.0, upstream(UpstreamStep::Answer { answer: answer.clone(), half: false, http2 })))
            }
            Behaviour::ResetMidBody(answer) if answer.delay.0 < ROUTE_TIMEOUT => {
                (true, (answer.delay.0, upstream(UpstreamStep::Answer { answer: answer.clone(), half: true, http2 })))
            }
            Behaviour::Tunnel(answer) => (true, (answer.delay.0, upstream(UpstreamStep::Tunnel(answer.clone())))),
            Behaviour::ResetBeforeHeaders if http2 => (true, (Duration::ZERO, fail("remote reset", "UR"))),
            Behaviour::ResetBeforeHeaders => (true, (Duration::ZERO, fail("connection termination", "UC"))),
            Behaviour::Hang | Behaviour::Answer(_) | Behaviour::ResetMidBody(_) => {
                (true, (ROUTE_TIMEOUT, upstream(UpstreamStep::Timeout)))
            }
        };
        let metadata = cluster.endpoint_metadata.clone();
        data.upstream = Some(Upstream { address: "127.0.0.1:8080".to_owned(), metadata });
        drop(data);
        stream.upstream.seen = reached.then_some(seen);
        stream.upstream.http2 = http2;
        if reached {
            self.site.connect(name.as_bytes());
        }
        // What follows an upgrade or a CONNECT is for the tunnel: the upstream does not wait for it.
        if reached && !end && !stream.upgrade {
            stream.upstream.plan = Some(plan);
        } else {
            self.site.plan(plan.0, plan.1);
        }
    }

    /// The whole request is at the upstream, which now answers.
    fn request_complete(&mut self, id: u64) {
        let plan = self.streams.get_mut(&id).and_then(|stream| {
            let ToUpstream { seen, plan, .. } = &mut stream.upstream;
            // Where less has come than was announced, an upstream over HTTP/1 waits for the rest.
            let announced =
                seen.as_ref().filter(|seen| !seen.headers.0.iter().any(|(name, _)| name.0.starts_with(b":")));
            let length = announced.and_then(|seen| length(seen.headers.0.iter().map(|(n, v)| (&*n.0, &*v.0))));
            let short = seen.as_ref().is_some_and(|seen| length.is_some_and(|length| seen.body_size < length));
            plan.take().filter(|_| !short)
        });
        if let Some((after, event)) = plan {
            self.site.plan(after, event);
        }
    }

    /// An upstream acts.
    pub(crate) fn upstream_acts(&mut self, id: u64, step: UpstreamStep) {
        match step {
            UpstreamStep::Answer { answer, half, http2 } => self.upstream_answers(id, &answer, half, http2),
            UpstreamStep::Tunnel(answer) => self.tunnel_begins(id, &answer),
            UpstreamStep::TunnelEnds(line) => self.tunnel_ends(id, line),
            UpstreamStep::Fail { details, flags } => {
                let (body, details) = (upstream::failure(details).into_bytes(), upstream::failure_details(details));
                let reply = LocalReply { code: 503, details: details.into_bytes(), body, ..LocalReply::default() };
                self.local_reply(id, &reply, &[flags]);
            }
            UpstreamStep::SlowRequest => {
                if self.streams.get(&id).is_some_and(|stream| !stream.received_all) {
                    let (details, body) = (b"request_overall_timeout".to_vec(), b"request timeout".to_vec());
                    self.local_reply(id, &LocalReply { code: 408, details, body, ..LocalReply::default() }, &[]);
                }
            }
            UpstreamStep::Timeout => {
                let (details, body) = (b"upstream_response_timeout".to_vec(), b"upstream request timeout".to_vec());
                self.local_reply(id, &LocalReply { code: 504, details, body, ..LocalReply::default() }, &["UT"]);
            }
        }
        self.pump(id);
    }

    fn upstream_answers(&mut self, id: u64, answer: &Answer, half: bool, http2: bool) {
        let wall = self.site.process.clock.wall();
        if self.redirects_inside(id, answer) {
            return;
        }
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.encoding {
            return;
        }
        stream.encoding = true;
        let no_body = stream.head || answer.status == 204 || answer.status == 304;
        let (headers, trailers) = upstream::head(answer, wall);
        let whole = if no_body { &[] as &[u8] } else { answer.body.as_slice() };
        let body = if half { whole.get(..whole.len() / 2).unwrap_or_default() } else { whole };
        {
            let mut data = stream.data.borrow_mut();
            data.code = Some(answer.status);
            data.details = Some(b"via_upstream".to_vec());
            data.response_headers = Some(headers);
        }
        let end = body.is_empty() && trailers.is_none() && !half;
        self.enter_response(id, Frame::Headers { end });
        self.pump(id);
        // An upstream over HTTP/2 sends a body in two halves.
        let (first, second) = if http2 { body.split_at(body.len() / 2) } else { (body, &[] as &[u8]) };
        let last = trailers.is_none() && !half;
        for frame in chunks(first, last && second.is_empty(), http2).into_iter().chain(chunks(second, last, http2)) {
            self.enter_response(id, frame);
            self.pump(id);
        }
        if half {
            if let Some(stream) = self.streams.get_mut(&id) {
                let (reason, flag) = if http2 { ("remote_reset", "UR") } else { ("connection_termination", "UC") };
                stream.data.borrow_mut().flags.push(flag);
                self.reset(id, &format!("upstream_reset_after_response_started{{{reason}}}"), &[]);
            }
        } else if let Some(trailers) = trailers
            && let Some(stream) = self.streams.get_mut(&id)
        {
            stream.data.borrow_mut().response_trailers = Some(trailers);
            self.enter_response(id, Frame::Trailers);
        }
    }

    /// A piece of the response has passed all modules.
    pub(crate) fn reach_client(&mut self, id: u64, frame: Frame) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let frames = match stream.grpc_web.as_mut().filter(|_| !stream.over) {
            Some(web) => web.response(&mut stream.data.borrow_mut(), frame),
            None => vec![frame],
        };
        for frame in frames {
            self.send_to_client(id, frame);
        }
    }

    fn send_to_client(&mut self, id: u64, frame: Frame) {
        let process = std::sync::Arc::clone(&self.site.process);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.over {
            return;
        }
        let mut data = stream.data.borrow_mut();
        let http2 = data.http == Http::V2;
        let out = &mut stream.downstream;
        let end = match frame {
            Frame::Headers { end } => {
                data.response_sent = true;
                let Some(headers) = data.response_headers.as_mut() else { return };
                if headers.get(b"date").is_none() {
                    headers.add(b"date", crate::http::date::http(process.clock.wall() / 1_000_000_000).as_bytes());
                }
                headers.replace(b"server", b"envoy");
                let status = headers.get(b":status").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
                let mut fields = shown(headers);
                fields.0.retain(|(name, _)| !name.0.starts_with(b":"));
                if !http2 {
                    // The codec says what the filters do not: that there is no body, that no further request is read.
                    let bodiless = status.is_some_and(|status: u16| status == 204 || status == 304);
                    if end && !stream.head && !bodiless && headers.get(b"content-length").is_none() {
                        fields.0.push((Bytes::from("content-length"), Bytes::from("0")));
                    }
                    if !stream.received_all && stream.upstream.tunnel.is_none() {
                        fields.0.push((Bytes::from("connection"), Bytes::from("close")));
                    }
                }
                data.code = status;
                // Clients can read no other status.
                stream.unreadable = !status.is_some_and(|status| (100..=999).contains(&status));
                if stream.unreadable {
                    out.broken = true;
                } else {
                    (out.status, out.headers) = (status, fields);
                }
                end
            }
            Frame::Data { end, .. } if stream.unreadable => end,
            Frame::Data { bytes, end } => {
                data.sent += bytes.len() as u64;
                out.body.0.extend(bytes);
                if !http2 {
                    // What goes beyond the announced length does not belong to the response to an HTTP/1 client.
                    let length = data.response_headers.as_ref().and_then(|headers| length(headers.iter()));
                    out.body.0.truncate(length.unwrap_or(usize::MAX));
                    out.broken |= end && length.is_some_and(|length| out.body.0.len() < length);
                }
                end
            }
            Frame::Trailers => {
                // Towards HTTP/1 Envoy drops them.
                let trailers = data.response_trailers.as_ref().filter(|_| http2);
                out.trailers = trailers.map(shown).unwrap_or_default();
                true
            }
        };
        if end {
            drop(data);
            stream.over = true;
        }
    }

    /// Answers in the upstream's place. Goes through the filters unless a response is under way already; once that has
    /// reached the client there is only the reset.
    pub(crate) fn local_reply(&mut self, id: u64, reply: &LocalReply, flags: &[&'static str]) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.over {
            return;
        }
        stream.decode_over = true;
        if stream.data.borrow().response_sent {
            let details = String::from_utf8_lossy(&reply.details).into_owned();
            self.reset(id, &details, flags);
            return;
        }
        let direct = stream.encoding;
        stream.encoding = true;
        stream.clear_response();
        let (headers, body) = build(reply, stream.grpc, stream.head);
        {
            let mut data = stream.data.borrow_mut();
            data.code = headers.get(b":status").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            data.details = Some(reply.details.clone());
            data.flags.extend(flags);
            data.response_headers = Some(headers);
            data.response_trailers = None;
        }
        let mut frames = vec![Frame::Headers { end: body.is_empty() }];
        if !body.is_empty() {
            frames.push(Frame::Data { bytes: body, end: true });
        }
        for frame in frames {
            if direct { self.reach_client(id, frame) } else { self.enter_response(id, frame) }
        }
    }

    /// Ends a stream without (the rest of) a response.
    pub(crate) fn reset(&mut self, id: u64, details: &str, flags: &[&'static str]) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if stream.over {
            return;
        }
        (stream.over, stream.decode_over, stream.downstream.broken) = (true, true, true);
        let mut data = stream.data.borrow_mut();
        data.details = Some(details.as_bytes().to_vec());
        data.flags.extend(flags);
    }
}
