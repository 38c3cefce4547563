//! Upstreams on another machine: the control that it serves, and the side that asks it.
//!
//! The control is an upstream itself, which answers `POST /start` with a number and the ports, and to that number
//! `/forget/N`, `/seen/N` and `/stop/N`. What each side says is JSON; header values and bodies are lists of bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use weir_launch::{Broken, Client, Protocol, Received, Reply, Request, Upstream};
use weir_scenario::{Bytes, Fields, Seen};

use crate::group::{Group, Replies};

/// Serves the control of upstreams on this machine: a client of that address can start some, and ask what they saw.
///
/// # Errors
/// When the address is in use or the system refuses threads.
pub fn control(at: SocketAddr) -> io::Result<Upstream> {
    let worlds = Mutex::new(Worlds::default());
    Upstream::start_at(at, move |request| {
        let done = worlds.lock().unwrap_or_else(PoisonError::into_inner).answer(request);
        let (status, body) = match done {
            Ok(body) => (200, body),
            Err(error) => (500, error.to_string().into_bytes()),
        };
        Reply { status, body, ..Reply::default() }
    })
}

/// The worlds that a control started, by number.
#[derive(Default)]
struct Worlds {
    last: u64,
    running: BTreeMap<u64, Group>,
}

impl Worlds {
    fn answer(&mut self, request: &Received) -> io::Result<Vec<u8>> {
        if request.path == "/start" {
            let replies: BTreeMap<String, Option<ReplyAsSent>> = serde_json::from_slice(&request.body)?;
            let replies = replies.into_iter().map(|(name, reply)| (name, reply.map(Reply::from))).collect();
            let group = Group::start(Ipv4Addr::UNSPECIFIED, replies)?;
            self.last += 1;
            let started = StartedAsSent { number: self.last, ports: group.ports() };
            self.running.insert(self.last, group);
            return Ok(serde_json::to_vec(&started)?);
        }
        let unknown = || io::Error::other(format!("nothing is at `{}`", request.path));
        let (what, number) = request.path.rsplit_once('/').ok_or_else(unknown)?;
        let number = number.parse().map_err(|_| unknown())?;
        let group = self.running.get(&number).ok_or_else(unknown)?;
        match what {
            "/forget" => group.forget(),
            "/seen" => {
                let routed = serde_json::from_slice(&request.body)?;
                return Ok(serde_json::to_vec(&group.seen(&routed).map(SeenAsSent::from))?);
            }
            "/stop" => {
                self.running.remove(&number);
            }
            _ => return Err(unknown()),
        }
        Ok(b"null".to_vec())
    }
}

/// The upstreams of one world on another machine. They end when dropped.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    client: Client,
    control: SocketAddr,
    started: StartedAsSent,
}

impl Elsewhere {
    pub(crate) fn start(control: SocketAddr, replies: Replies) -> io::Result<Self> {
        let client = Client::new().map_err(io::Error::other)?;
        let replies = replies.into_iter().map(|(name, reply)| (name, reply.map(ReplyAsSent::from)));
        let body = serde_json::to_vec(&replies.collect::<BTreeMap<_, _>>())?;
        let started = ask(&client, control, "/start", body)?;
        Ok(Self { client, control, started })
    }

    pub(crate) fn address(&self, cluster: &str) -> Option<SocketAddr> {
        self.started.ports.get(cluster).map(|port| SocketAddr::new(self.control.ip(), *port))
    }

    pub(crate) fn forget(&self) -> io::Result<()> {
        self.ask("forget", Vec::new())
    }

    pub(crate) fn seen(&self, routed: &BTreeSet<String>) -> io::Result<Option<Seen>> {
        let seen: Option<SeenAsSent> = self.ask("seen", serde_json::to_vec(routed)?)?;
        Ok(seen.map(Seen::from))
    }

    fn ask<T: DeserializeOwned>(&self, what: &str, body: Vec<u8>) -> io::Result<T> {
        ask(&self.client, self.control, &format!("/{what}/{}", self.started.number), body)
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        if let Err(error) = self.ask::<()>("stop", Vec::new()) {
            eprintln!("weir: {error}");
        }
    }
}

fn ask<T: DeserializeOwned>(client: &Client, control: SocketAddr, path: &str, body: Vec<u8>) -> io::Result<T> {
    let request = Request { body, ..Request::new("POST", "upstreams", path) };
    let failed = |what: String| io::Error::other(format!("the upstreams at {control} ({path}): {what}"));
    let response = client.send(control, Protocol::Http1, &request).map_err(|error| failed(error.to_string()))?;
    if response.status != 200 {
        return Err(failed(response.text()));
    }
    Ok(serde_json::from_slice(&response.body)?)
}

#[derive(Debug, Serialize, Deserialize)]
struct StartedAsSent {
    number: u64,
    ports: BTreeMap<String, u16>,
}

type Pairs<N> = Vec<(N, Vec<u8>)>;

#[derive(Serialize, Deserialize)]
struct ReplyAsSent {
    status: u16,
    headers: Pairs<String>,
    body: Vec<u8>,
    trailers: Pairs<String>,
    delay: Duration,
    broken: Option<BrokenAsSent>,
    tunnel: bool,
}

#[derive(Serialize, Deserialize)]
enum BrokenAsSent {
    BeforeHeaders,
    InBody,
}

#[derive(Serialize, Deserialize)]
struct SeenAsSent {
    method: String,
    path: Vec<u8>,
    headers: Pairs<Vec<u8>>,
    body_size: usize,
    trailers: Pairs<Vec<u8>>,
}

impl From<Reply> for ReplyAsSent {
    fn from(reply: Reply) -> Self {
        let Reply { status, headers, body, trailers, delay, broken, tunnel } = reply;
        let broken = broken.map(|broken| match broken {
            Broken::BeforeHeaders => BrokenAsSent::BeforeHeaders,
            Broken::InBody => BrokenAsSent::InBody,
        });
        Self { status, headers, body, trailers, delay, broken, tunnel }
    }
}

impl From<ReplyAsSent> for Reply {
    fn from(sent: ReplyAsSent) -> Self {
        let ReplyAsSent { status, headers, body, trailers, delay, broken, tunnel } = sent;
        let broken = broken.map(|broken| match broken {
            BrokenAsSent::BeforeHeaders => Broken::BeforeHeaders,
            BrokenAsSent::InBody => Broken::InBody,
        });
        Self { status, headers, body, trailers, delay, broken, tunnel }
    }
}

impl From<Seen> for SeenAsSent {
    fn from(seen: Seen) -> Self {
        let Seen { method, path, headers, body_size, trailers } = seen;
        let pairs = |fields: Fields| fields.0.into_iter().map(|(name, value)| (name.0, value.0)).collect();
        Self { method, path: path.0, headers: pairs(headers), body_size, trailers: pairs(trailers) }
    }
}

impl From<SeenAsSent> for Seen {
    fn from(sent: SeenAsSent) -> Self {
        let SeenAsSent { method, path, headers, body_size, trailers } = sent;
        let fields = |pairs: Pairs<Vec<u8>>| {
            Fields(pairs.into_iter().map(|(name, value)| (Bytes(name), Bytes(value))).collect())
        };
        Self { method, path: Bytes(path), headers: fields(headers), body_size, trailers: fields(trailers) }
    }
}
