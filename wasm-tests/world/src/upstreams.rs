//! One upstream per cluster of a scenario's world.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use weir_launch::{Broken, Received, Reply, Upstream};
use weir_scenario::{Answer, Behaviour, Bytes, Fields, Seen, Surroundings};

/// Nothing listens on port 1, and no ephemeral port is that low.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Longer than any client waits.
const FOREVER: Duration = Duration::from_secs(3600);

/// The running upstreams of a world. They end when dropped.
#[derive(Debug)]
pub struct Upstreams(BTreeMap<String, Option<Upstream>>);

impl Upstreams {
    /// Starts one for every cluster that can be reached.
    ///
    /// # Errors
    /// When the system refuses a port or a thread.
    pub fn start(world: &Surroundings) -> io::Result<Self> {
        let mut upstreams = BTreeMap::new();
        for (name, cluster) in &world.clusters {
            let upstream = match reply(&cluster.behaviour) {
                Some(reply) => Some(Upstream::start(0, move |_| reply.clone())?),
                None => None,
            };
            upstreams.insert(name.clone(), upstream);
        }
        Ok(Self(upstreams))
    }

    /// Where the cluster of that name is; somewhere nothing listens if it is unreachable or unknown.
    #[must_use]
    pub fn address(&self, cluster: &str) -> SocketAddr {
        self.0.get(cluster).and_then(Option::as_ref).map_or(NOWHERE, Upstream::address)
    }

    /// Forgets what was seen so far.
    pub fn forget(&self) {
        self.0.values().flatten().for_each(Upstream::forget);
    }

    /// The last request that any of them saw since [`forget`](Self::forget).
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        self.0.values().flatten().filter_map(|upstream| upstream.received().pop()).next_back().map(seen)
    }
}

fn seen(received: Received) -> Seen {
    let authority = received.authority.map(|authority| (":authority".to_owned(), authority.into_bytes()));
    let headers = authority.into_iter().chain(received.headers);
    Seen {
        method: received.method,
        path: Bytes(received.path.into_bytes()),
        headers: Fields(headers.map(|(name, value)| (Bytes(name.into_bytes()), Bytes(value))).collect()),
        body_size: received.body.len(),
    }
}

/// What an upstream with that behaviour answers; `None` if nothing is to listen.
#[must_use]
pub fn reply(behaviour: &Behaviour) -> Option<Reply> {
    match behaviour {
        Behaviour::Unreachable => None,
        Behaviour::Hang => Some(Reply { status: 200, delay: FOREVER, ..Reply::default() }),
        Behaviour::ResetBeforeHeaders => Some(Reply { broken: Some(Broken::BeforeHeaders), ..Reply::default() }),
        Behaviour::Answer(answer) => Some(answered(answer)),
        Behaviour::ResetMidBody(answer) => Some(Reply { broken: Some(Broken::InBody), ..answered(answer) }),
    }
}

fn answered(answer: &Answer) -> Reply {
    let pairs = |fields: &Fields| {
        let pair = |(name, value): &(Bytes, Bytes)| (String::from_utf8_lossy(&name.0).into_owned(), value.0.clone());
        fields.0.iter().map(pair).collect()
    };
    Reply {
        status: answer.status,
        headers: pairs(&answer.headers),
        body: answer.body.0.clone(),
        trailers: pairs(&answer.trailers),
        delay: answer.delay.0,
        broken: None,
    }
}

#[cfg(test)]
mod tests;
