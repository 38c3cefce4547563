//! Who calls, what is decided of each, and clients that keep their old connections beside new ones.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use weir_scenario::{Failure, Fields, Protocol, Request, Span};
use weir_test_envoy::{Authority, CertificateError, ClientTls, Dialer, Wire};

/// One identity, and what the policies of [`crate::mesh`] say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) san: &'static str,
    pub(crate) status: u16,
    /// Filter state `wasm.weir.policy`: it names the rule, and so who Weir took the peer for.
    pub(crate) decision: &'static str,
}

const fn caller(san: &'static str, status: u16, decision: &'static str) -> Caller {
    Caller { san, status, decision }
}

/// The trust domain of the mesh is on its way from the old one to the new one; the other one is of another mesh.
pub(crate) const CALLERS: [Caller; 6] = [
    caller("spiffe://old.example/ns/web/sa/front", 200, "allow shop/callers[0]"),
    caller("spiffe://old.example/ns/jobs/sa/batch", 403, "deny shop/no-batch[0]"),
    caller("spiffe://other.example/ns/web/sa/front", 403, "deny -"),
    caller("spiffe://new.example/ns/ops/sa/admin", 200, "allow shop/callers[1]"),
    caller("spiffe://new.example/ns/jobs/sa/batch", 403, "deny shop/no-batch[0]"),
    caller("spiffe://new.example/ns/web/sa/front", 200, "allow shop/callers[0]"),
];

/// How many connections a client keeps: its first one, and the latest.
const KEPT: usize = 7;
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(1);

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) id: String,
    /// Who sent it, where that is known before it is sent.
    pub(crate) caller: Option<Caller>,
    /// What the server's certificate said, on the connection that it was sent on.
    pub(crate) server: Option<String>,
    /// The status; `None` if there was no whole response.
    pub(crate) status: Option<u16>,
}

/// Certificates of all callers by one authority: those that are current, and their number.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) generation: usize,
    clients: Arc<[ClientTls]>,
}

impl Credentials {
    /// By `issuer`, for servers whose certificate is by one of `trusted`.
    pub(crate) fn new(generation: usize, issuer: &Authority, trusted: &[&Authority]) -> Result<Self, Failure> {
        let failed = |error: CertificateError| Failure(error.to_string());
        let bundle: String = trusted.iter().map(|authority| authority.pem()).collect();
        let client = |caller: &Caller| ClientTls::new(&issuer.issue(&[caller.san]).map_err(failed)?, &bundle);
        let clients: Vec<ClientTls> = CALLERS.iter().map(client).collect::<Result<_, _>>()?;
        Ok(Self { generation, clients: clients.into() })
    }

    /// The caller of that number, with its certificate.
    pub(crate) fn caller(&self, number: usize) -> (Caller, &ClientTls) {
        let number = number % CALLERS.len();
        (CALLERS[number], &self.clients[number])
    }
}

/// What clients share with who rotates.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) address: SocketAddr,
    /// A client reads them until its first response is there, so that no certificate is withdrawn in its handshake.
    credentials: RwLock<Credentials>,
    /// The name in each certificate that the server has had, by the certificate.
    servers: Mutex<BTreeMap<Vec<u8>, String>>,
}

impl Shared {
    pub(crate) fn new(address: SocketAddr, credentials: Credentials) -> Self {
        Self { address, credentials: RwLock::new(credentials), servers: Mutex::default() }
    }

    pub(crate) fn credentials(&self) -> RwLockReadGuard<'_, Credentials> {
        self.credentials.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on clients connect with these.
    pub(crate) fn set_credentials(&self, credentials: Credentials) {
        *self.credentials.write().unwrap_or_else(PoisonError::into_inner) = credentials;
    }

    /// The server is going to have a certificate with that name.
    pub(crate) fn add_server(&self, certificate: Vec<u8>, name: &str) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).insert(certificate, name.to_owned());
    }

    fn server(&self, wire: &Wire) -> Option<String> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).get(wire.server_certificate()).cloned()
    }
}

/// A request with a number of its own.
pub(crate) fn request(id: &str, protocol: Protocol) -> Request {
    Request {
        protocol,
        path: "/cart".into(),
        headers: Fields(vec![("x-id".into(), id.into())]),
        timeout: Some(Span(Duration::from_secs(20))),
        ..Request::default()
    }
}

/// A connection of one caller.
#[derive(Debug)]
pub(crate) struct Held {
    caller: Caller,
    protocol: Protocol,
    server: Option<String>,
    wire: Wire,
}

impl Held {
    /// Connects as a caller.
    pub(crate) fn open(
        shared: &Shared,
        (caller, tls): (Caller, &ClientTls),
        protocol: Protocol,
    ) -> Result<Self, Failure> {
        let wire = Dialer::new(shared.address, Some(tls.clone())).connect(&request("", protocol))?;
        Ok(Self { caller, protocol, server: shared.server(&wire), wire })
    }

    /// Sends one request.
    pub(crate) fn send(&mut self, id: String) -> Sent {
        let response = self.wire.send(&request(&id, self.protocol));
        let status = response.status.filter(|_| !response.broken);
        Sent { id, caller: Some(self.caller), server: self.server.clone(), status }
    }
}

/// Sends on old and new connections in turn until `ended`. With each new set of certificates it opens one more connection, as
/// the next caller.
pub(crate) fn keep_calling(shared: &Shared, client: usize, ended: &AtomicBool) -> Result<Vec<Sent>, Failure> {
    let (mut held, mut sent, mut known) = (VecDeque::<Held>::new(), Vec::new(), None);
    let id = |number: usize| format!("{client}-{number}");
    while !ended.load(Ordering::Relaxed) {
        let credentials = shared.credentials();
        let generation = credentials.generation;
        if known != Some(generation) {
            known = Some(generation);
            let protocol = if (client + generation).is_multiple_of(2) { Protocol::H1 } else { Protocol::H2 };
            let mut fresh = Held::open(shared, credentials.caller(client + generation), protocol)?;
            sent.push(fresh.send(id(sent.len())));
            held.push_back(fresh);
        }
        drop(credentials);
        if held.len() > KEPT {
            held.remove(1);
        }
        for one in &mut held {
            sent.push(one.send(id(sent.len())));
            thread::sleep(PAUSE);
        }
    }
    Ok(sent)
}

/// Sends in plain text to the sidecar of a caller, which has one identity after the other, until `ended`.
pub(crate) fn call_through(sidecar: SocketAddr, client: usize, ended: &AtomicBool) -> Result<Vec<Sent>, Failure> {
    let dialer = Dialer::new(sidecar, None);
    let mut wire = dialer.connect(&request("", Protocol::H1))?;
    let mut sent = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let id = format!("sidecar-{client}-{}", sent.len());
        let response = wire.send(&request(&id, Protocol::H1));
        let status = response.status.filter(|_| !response.broken);
        sent.push(Sent { id, caller: None, server: None, status });
        thread::sleep(PAUSE);
    }
    Ok(sent)
}
