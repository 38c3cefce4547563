//! Requests over mutual TLS, with a certificate that says who sends them.

use crate::{Authority, Client, ClientError, Connection, Identity, Protocol};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Why there is no client with that certificate.
#[derive(Debug)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no TLS client: {}", self.0)
    }
}

impl std::error::Error for TlsError {}

/// A client's certificate, and the server that it expects.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

impl Tls {
    /// A client of that identity, for a server whose certificate is the authority's and has that DNS name.
    ///
    /// # Errors
    /// When certificate, key, authority or name cannot be read.
    pub fn new(identity: &Identity, authority: &Authority, server: &str) -> Result<Self, TlsError> {
        let failed = |error: &dyn fmt::Display| TlsError(error.to_string());
        let pem = |text: &str| CertificateDer::from_pem_slice(text.as_bytes()).map_err(|error| failed(&error));
        let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(|error| failed(&error))?;
        let mut roots = RootCertStore::empty();
        roots.add(pem(&authority.pem())?).map_err(|error| failed(&error))?;
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| failed(&error))?;
        let builder = builder.with_root_certificates(roots);
        let config = builder.with_client_auth_cert(vec![pem(&identity.certificate_pem)?], key);
        let server = ServerName::try_from(server.to_owned()).map_err(|error| failed(&error))?;
        Ok(Self { config: Arc::new(config.map_err(|error| failed(&error))?), server })
    }
}

impl Client {
    /// A connection over mutual TLS.
    ///
    /// # Errors
    /// When it cannot be made, also because the server refuses the certificate.
    pub fn connect_tls(&self, to: SocketAddr, protocol: Protocol, tls: &Tls) -> Result<Connection, ClientError> {
        let Tls { config, server } = tls.clone();
        self.connect_over(protocol, async move {
            let tcp: TcpStream = TcpStream::connect(to).await?;
            TlsConnector::from(config).connect(server, tcp).await.map_err(io::Error::other)
        })
    }
}
