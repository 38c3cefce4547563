//! One upstream per cluster of a scenario's world.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use weir_launch::{Broken, Reply};
use weir_scenario::{Answer, Behaviour, Bytes, Fields, Seen, Surroundings, Target};

use crate::elsewhere::Elsewhere;
use crate::group::{Group, Replies};

/// Nothing listens on port 1, and no ephemeral port is that low.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Longer than any client waits.
const FOREVER: Duration = Duration::from_secs(3600);

/// The running upstreams of a world. They end when dropped.
#[derive(Debug)]
pub struct Upstreams {
    kind: Kind,
    /// The clusters that a route leads to.
    routed: BTreeSet<String>,
}

#[derive(Debug)]
enum Kind {
    Here(Group),
    There(Elsewhere),
}

impl Upstreams {
    /// Starts one for every cluster that can be reached, on 127.0.0.1.
    ///
    /// # Errors
    /// When the system refuses a port or a thread.
    pub fn start(world: &Surroundings) -> io::Result<Self> {
        let group = Group::start(Ipv4Addr::LOCALHOST, replies(world))?;
        Ok(Self { kind: Kind::Here(group), routed: routed(world) })
    }

    /// The same on the machine that serves [`control`](crate::control) at that address.
    ///
    /// # Errors
    /// When it does not answer, or its system refuses something.
    pub fn start_elsewhere(control: SocketAddr, world: &Surroundings) -> io::Result<Self> {
        let elsewhere = Elsewhere::start(control, replies(world))?;
        Ok(Self { kind: Kind::There(elsewhere), routed: routed(world) })
    }

    /// Where the cluster of that name is; somewhere nothing listens if it is unreachable or unknown.
    #[must_use]
    pub fn address(&self, cluster: &str) -> SocketAddr {
        let found = match &self.kind {
            Kind::Here(group) => group.address(cluster),
            Kind::There(elsewhere) => elsewhere.address(cluster),
        };
        found.unwrap_or(NOWHERE)
    }

    /// Forgets what was seen so far.
    ///
    /// # Errors
    /// When another machine was asked and did not answer.
    pub fn forget(&self) -> io::Result<()> {
        match &self.kind {
            Kind::Here(group) => {
                group.forget();
                Ok(())
            }
            Kind::There(elsewhere) => elsewhere.forget(),
        }
    }

    /// The last request that any of them saw since [`forget`](Self::forget).
    ///
    /// # Errors
    /// When another machine was asked and did not answer.
    pub fn seen(&self) -> io::Result<Option<Seen>> {
        match &self.kind {
            Kind::Here(group) => Ok(group.seen(&self.routed)),
            Kind::There(elsewhere) => elsewhere.seen(&self.routed),
        }
    }
}

fn routed(world: &Surroundings) -> BTreeSet<String> {
    let clusters = world.routes.iter().filter_map(|route| match &route.to {
        Target::Cluster(name) => Some(name.clone()),
        Target::DirectResponse { .. } => None,
    });
    clusters.collect()
}

fn replies(world: &Surroundings) -> Replies {
    world.clusters.iter().map(|(name, cluster)| (name.clone(), reply(&cluster.behaviour))).collect()
}

/// What an upstream with that behaviour answers; `None` if it does not listen.
#[must_use]
pub fn reply(behaviour: &Behaviour) -> Option<Reply> {
    match behaviour {
        Behaviour::Unreachable => None,
        Behaviour::Hang => Some(Reply { status: 200, delay: FOREVER, ..Reply::default() }),
        Behaviour::ResetBeforeHeaders => Some(Reply { broken: Some(Broken::BeforeHeaders), ..Reply::default() }),
        Behaviour::Answer(answer) => Some(answered(answer)),
        Behaviour::Tunnel(answer) => Some(Reply { tunnel: true, ..answered(answer) }),
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
        tunnel: false,
    }
}

#[cfg(test)]
mod tests;
