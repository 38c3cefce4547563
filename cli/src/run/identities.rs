//! Who sends a request: certificates with SPIFFE identities, by an authority that lives as long as the run, over TLS to a second
//! filter chain of the first listener. Policies see them as they see the workloads of a mesh.

use super::requests::Planned;
use crate::Failure;
use crate::bootstrap::Bootstrap;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use weir_launch::{Authority, Client, ClientError, Connection, Protocol, Tls};

/// The DNS name in the certificate of the listener, which clients ask for.
const SERVER: &str = "weir-run";

/// The identity of the listener, which no client looks at.
const OWN: &str = "spiffe://cluster.local/ns/default/sa/weir-run";

/// A client for each identity.
#[derive(Debug, Default)]
pub(super) struct Identities(BTreeMap<String, Tls>);

impl Identities {
    /// Those of the requests. If there are any, the first listener takes TLS beside what it takes without.
    ///
    /// # Errors
    /// A listener that has no room for it.
    pub(super) fn of(planned: &[Planned], bootstrap: &mut Bootstrap) -> Result<Self, Failure> {
        let mut clients = BTreeMap::new();
        if planned.iter().all(|request| request.principal.is_none()) {
            return Ok(Self(clients));
        }
        let failed = |error: &dyn Display| Failure::Use(error.to_string());
        let authority = Authority::new().map_err(|error| failed(&error))?;
        let server = authority.issue_named(&[OWN], &[SERVER]).map_err(|error| failed(&error))?;
        bootstrap.take_tls(&server.certificate_pem, &server.key_pem, &authority.pem()).map_err(Failure::Use)?;
        for principal in planned.iter().filter_map(|request| request.principal.as_ref()) {
            let identity = authority.issue(&[&format!("spiffe://{principal}")]).map_err(|error| failed(&error))?;
            let client = Tls::new(&identity, &authority, SERVER).map_err(|error| failed(&error))?;
            clients.insert(principal.clone(), client);
        }
        Ok(Self(clients))
    }

    /// A connection of that identity, or without any.
    pub(super) fn connect(
        &self,
        client: &Client,
        to: SocketAddr,
        principal: Option<&String>,
    ) -> Result<Connection, ClientError> {
        match principal.and_then(|principal| self.0.get(principal)) {
            Some(tls) => client.connect_tls(to, Protocol::Http1, tls),
            None => client.connect(to, Protocol::Http1),
        }
    }
}
