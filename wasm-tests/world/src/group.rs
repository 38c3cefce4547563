//! The upstreams of one world on this machine, and what they saw.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use weir_launch::{Received, Reply, Upstream};
use weir_scenario::{Bytes, Fields, Seen};

/// What each cluster's upstream answers; `None` if it does not listen.
pub(crate) type Replies = BTreeMap<String, Option<Reply>>;

/// The upstreams of one world on this machine.
#[derive(Debug)]
pub(crate) struct Group(BTreeMap<String, Upstream>);

impl Group {
    pub(crate) fn start(at: Ipv4Addr, replies: Replies) -> io::Result<Self> {
        let start = |(name, reply): (String, Option<Reply>)| {
            let reply = reply?;
            let upstream = Upstream::start_at((at, 0).into(), move |_| reply.clone());
            Some(upstream.map(|upstream| (name, upstream)))
        };
        replies.into_iter().filter_map(start).collect::<io::Result<_>>().map(Self)
    }

    pub(crate) fn address(&self, cluster: &str) -> Option<SocketAddr> {
        self.0.get(cluster).map(Upstream::address)
    }

    pub(crate) fn ports(&self) -> BTreeMap<String, u16> {
        self.0.iter().map(|(name, upstream)| (name.clone(), upstream.address().port())).collect()
    }

    pub(crate) fn forget(&self) {
        self.0.values().for_each(Upstream::forget);
    }

    /// What the last of these clusters saw last. Others answer callouts.
    pub(crate) fn seen(&self, routed: &BTreeSet<String>) -> Option<Seen> {
        let routed = self.0.iter().filter(|(name, _)| routed.contains(*name));
        routed.filter_map(|(_, upstream)| upstream.received().pop()).next_back().map(seen)
    }
}

fn seen(received: Received) -> Seen {
    let authority = received.authority.map(|authority| (":authority".to_owned(), authority.into_bytes()));
    let headers = authority.into_iter().chain(received.headers);
    let field = |(name, value): (String, Vec<u8>)| (Bytes(name.into_bytes()), Bytes(value));
    Seen {
        method: received.method,
        path: Bytes(received.path.into_bytes()),
        headers: Fields(headers.map(field).collect()),
        body_size: received.body.len(),
        trailers: Fields(received.trailers.into_iter().map(field).collect()),
    }
}
