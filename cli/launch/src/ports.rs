//! Ports of the loopback interface.

use std::fmt;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Why a port cannot be used.
#[derive(Debug)]
pub enum PortError {
    /// Something listens there already.
    InUse(SocketAddr),
    /// The system refuses it.
    Refused(SocketAddr, std::io::Error),
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(address) => write!(f, "port {} is in use on {}: choose another", address.port(), address.ip()),
            Self::Refused(address, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl std::error::Error for PortError {}

/// Whether `address` is free to listen on. Envoy itself does not always notice: it shares a port with another Envoy of
/// the same user (`SO_REUSEPORT`), and the two would then split the requests.
///
/// # Errors
/// When something listens there, or the system refuses the port.
pub fn check_free(address: SocketAddr) -> Result<(), PortError> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(PortError::InUse(address)),
        Err(error) => Err(PortError::Refused(address, error)),
    }
}

/// A port of 127.0.0.1 that was free a moment ago. Where Envoy may choose, port 0 and [`Envoy::listeners`] are safer.
///
/// [`Envoy::listeners`]: crate::Envoy::listeners
///
/// # Errors
/// When the system has none.
pub fn free_port() -> Result<u16, PortError> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let refused = |error| PortError::Refused(any, error);
    Ok(TcpListener::bind(any).map_err(refused)?.local_addr().map_err(refused)?.port())
}
