//! Connections of a scenario whose proxy is a TCP proxy.

use super::InProcessSession;
use crate::error::Error;
use crate::http::stream_data::Connection;
use crate::process::settings::TcpServer;
use crate::worker::tcp::TcpSeen;
use weir_scenario::{Bytes, Proxy, Request, Response, Seen, TcpServer as OfScenario};

/// What the server does that connections go to.
pub(super) fn server(proxy: &Proxy) -> TcpServer {
    match proxy.tcp {
        Some(OfScenario::Greets) => TcpServer::Greets,
        Some(OfScenario::Echo) | None => TcpServer::Echo,
    }
}

impl InProcessSession {
    /// Makes a connection and does what its request says until its end.
    pub(super) fn connect(&mut self, request: &Request, worker: usize, from: Connection) -> Result<Response, Error> {
        let proxy = &self.proxy;
        let id = proxy.tcp_open_from(worker, from)?;
        let goes_on = |awaited: usize| -> Result<bool, Error> {
            let seen = proxy.tcp_seen(worker, id)?;
            Ok(!seen.closed && seen.received.len() >= awaited)
        };
        let is_greeted = goes_on(request.greeting.0.len())?;
        if is_greeted && !request.raw.0.is_empty() {
            proxy.tcp_send(worker, id, &request.raw.0, false)?;
        }
        let mut broken = !is_greeted || !goes_on(request.awaited())?;
        if broken {
            proxy.tcp_abort(worker, id)?;
        } else {
            proxy.tcp_send(worker, id, b"", true)?;
        }
        let TcpSeen { received, served, record, costs, .. } = proxy.tcp_seen(worker, id)?;
        broken |= received.len() < request.awaited();
        self.bill.streams += 1;
        self.bill.in_streams.add(&costs);
        self.record = record;
        let seen = (served > 0).then(|| Seen { body_size: served, ..Seen::default() });
        Ok(Response { body: Bytes(received), broken, seen, ..Response::default() })
    }
}
