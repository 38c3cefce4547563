//! Many connections to a TCP proxy, and what its access log has of each.

use std::time::Duration;

use weir_launch::wait_until;
use weir_scenario::{Failure, Record, Request, Response, Seen};

use crate::proxy::Proxy;

/// How long what was not to pass is waited for.
const AFTER_REFUSAL: Duration = Duration::from_millis(60);

impl Proxy {
    /// Makes connections one after the other, each of its own client, and finds each one's record.
    ///
    /// # Errors
    /// As [`dialer`](Self::dialer), and when a connection has no record.
    pub fn connect_all(&mut self, requests: &[Request]) -> Result<Vec<(Response, Record)>, Failure> {
        let mut made = Vec::with_capacity(requests.len());
        for request in requests {
            let mut wire = self.dialer(request)?.connect(request)?;
            self.forget_record(wire.port());
            made.push((wire.port(), wire.send(request)));
        }
        made.into_iter().map(|(port, response)| Ok((response, self.record_of(port)?))).collect()
    }

    /// A response with what the server of connections got since it had got `before` bytes.
    pub(crate) fn connection_seen(&self, before: usize, response: Response) -> Response {
        let got = || self.tcp_server.as_ref().map(|server| server.served() - before).filter(|got| *got > 0);
        // What was refused may still be on its way, if it passed.
        let body_size = wait_until(if response.broken { AFTER_REFUSAL } else { Duration::ZERO }, got);
        let seen = body_size.map(|body_size| Seen { body_size, ..Seen::default() });
        Response { seen, ..response }
    }
}
