//! Internal redirects: an upstream's 302 that the client never sees. The router sends the request through the filters once
//! more, to the new location; each pass has contexts and a line of the access log of its own.
//! (Envoy: `Router::Filter::setupRedirect`, `ActiveStream::recreateStream`.)

use crate::http::headers::HeaderMap;
use crate::http::message::Downstream;
use crate::http::stream_data::StreamData;
use crate::http::upstream;
use crate::worker::Worker;
use crate::worker::stream::{Frame, ToUpstream};
use std::cell::RefCell;
use std::rc::Rc;
use weir_scenario::Answer;

/// An absolute URL: its scheme, its host and port, and its path with query.
fn parts(url: &[u8]) -> Option<(&str, &str, String)> {
    let (scheme, rest) = std::str::from_utf8(url).ok()?.split_once("://")?;
    let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(at)?;
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    (!host.is_empty()).then_some((scheme, host, path))
}

/// The request's headers for the next pass; `None` where the location cannot be followed.
fn moved(headers: &HeaderMap, location: &[u8]) -> Option<HeaderMap> {
    let (scheme, host, path) = parts(location)?;
    if headers.get(b":scheme")? != scheme.as_bytes() {
        return None;
    }
    let old = [scheme.as_bytes(), b"://", headers.get(b":authority")?, headers.get(b":path")?].concat();
    let mut new = headers.clone();
    new.replace(b":authority", host.as_bytes());
    new.replace(b":path", path.as_bytes());
    new.replace(b"x-envoy-original-url", &old);
    Some(new)
}

impl Worker {
    /// Sends the request on instead of the answer, if the route says so and it can be done.
    pub(crate) fn redirects_inside(&mut self, id: u64, answer: &Answer) -> bool {
        let Some(stream) = self.streams.get(&id) else { return false };
        let data = Rc::clone(&stream.data);
        let most = data.borrow().route.as_ref().map_or(0, |route| route.redirects);
        if answer.status != 302 || stream.redirects >= most || !stream.received_all || stream.encoding {
            return false;
        }
        let Some(location) = answer.headers.values("location").next() else { return false };
        let before = data.borrow().request_headers.clone().unwrap_or_default();
        let Some(headers) = moved(&before, location.as_slice()) else { return false };
        data.borrow_mut().request_headers = Some(headers.clone());
        self.look_up_route(id);
        if data.borrow().route.is_none() {
            data.borrow_mut().request_headers = Some(before);
            return false;
        }
        {
            let mut data = data.borrow_mut();
            data.code = Some(answer.status);
            data.details = Some(b"internal_redirect".to_vec());
            data.response_headers = Some(upstream::head(answer, self.site.process.clock.wall()).0);
        }
        self.log_stream(id);
        self.begin_again(id, headers);
        true
    }

    /// One more pass of a request, with what Envoy keeps of the first.
    fn begin_again(&mut self, id: u64, headers: HeaderMap) {
        let slots = self.new_slots();
        let clock = &self.site.process.clock;
        let started = (clock.wall(), clock.monotonic());
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let new = {
            let old = stream.data.borrow();
            StreamData {
                http: old.http,
                connection: old.connection.clone(),
                connection_id: old.connection_id,
                remote: old.remote.clone(),
                started,
                filter_state: stream.first_state.clone(),
                dynamic_metadata: old.dynamic_metadata.clone(),
                request_headers: Some(headers),
                ..StreamData::default()
            }
        };
        stream.data = Rc::new(RefCell::new(new));
        stream.slots = slots;
        stream.redirects += 1;
        (stream.decode_over, stream.encoding) = (false, false);
        stream.downstream = Downstream::default();
        let ToUpstream { body, .. } = std::mem::take(&mut stream.upstream);
        self.look_up_route(id);
        self.enter_request(id, Frame::Headers { end: body.is_empty() });
        if !body.is_empty() {
            self.enter_request(id, Frame::Data { bytes: body, end: true });
        }
    }
}

#[cfg(test)]
mod tests;
