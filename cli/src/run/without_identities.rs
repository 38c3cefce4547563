//! A build without TLS, which sends no request that has an identity.

use super::requests::Planned;
use crate::Failure;
use crate::bootstrap::Bootstrap;
use std::net::SocketAddr;
use weir_launch::{Client, ClientError, Connection, Protocol};

/// No identities.
#[derive(Debug)]
pub(super) struct Identities;

impl Identities {
    /// None, which is an error if a request has one.
    pub(super) fn of(planned: &[Planned], _: &mut Bootstrap) -> Result<Self, Failure> {
        match planned.iter().any(|request| request.principal.is_some()) {
            true => Err(Failure::Use("this build of weir has no TLS, so no request can have a `principal`".to_owned())),
            false => Ok(Self),
        }
    }

    /// A connection.
    pub(super) fn connect(
        &self,
        client: &Client,
        to: SocketAddr,
        _: Option<&String>,
    ) -> Result<Connection, ClientError> {
        client.connect(to, Protocol::Http1)
    }
}
