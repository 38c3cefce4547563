//! Ports of the loopback interface.

use std::fmt;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Above the ports that services are usually given by hand.
const LOWEST: u32 = 10_240;

/// Where the range of Linux begins that clients get their ports from (`net.ipv4.ip_local_port_range`).
const FIRST_OF_CLIENTS: u32 = 32_768;

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
            Self::InUse(address) => write!(f, "port {} is in use on {}", address.port(), address.ip()),
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

/// A port of 127.0.0.1 that nothing listens on, a different one each time. It lies below those that the system gives to
/// clients: a client that connects in the meantime cannot get it. Where Envoy may choose, port 0 and [`Envoy::listeners`]
/// are safer.
///
/// [`Envoy::listeners`]: crate::Envoy::listeners
///
/// # Errors
/// When none is free.
pub fn free_port() -> Result<u16, PortError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = FIRST_OF_CLIENTS - LOWEST;
    let mut last = None;
    for _ in 0..count {
        // Processes that start together begin at different places.
        let offset = std::process::id().wrapping_mul(997).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count;
        let port = u16::try_from(LOWEST + offset).unwrap_or(u16::MAX);
        match check_free(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
            Ok(()) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(PortError::InUse(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))))
}

#[cfg(test)]
mod tests {
    use super::{FIRST_OF_CLIENTS, LOWEST, check_free, free_port};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    #[test]
    fn a_free_port_is_another_each_time_and_none_that_a_client_gets() {
        let ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        let distinct: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), ports.len(), "{ports:?}");
        assert!(ports.iter().all(|port| (LOWEST..FIRST_OF_CLIENTS).contains(&u32::from(*port))), "{ports:?}");
    }

    #[test]
    fn a_port_in_use_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let error = check_free(listener.local_addr().unwrap()).unwrap_err();
        assert!(error.to_string().contains("is in use on 127.0.0.1"), "{error}");
        drop(listener);
        assert!(check_free(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port().unwrap()))).is_ok());
    }
}
