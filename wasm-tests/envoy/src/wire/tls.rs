//! TLS of a client with a SPIFFE identity.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use weir_launch::Identity;
use weir_scenario::{Failure, Protocol, Request};

/// Client certificate and the authorities that the server is checked by.
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: ClientConfig,
    /// What is offered with ALPN; absent for the protocol of the request.
    offered: Option<Vec<Vec<u8>>>,
}

impl ClientTls {
    /// A client of that identity, for servers whose certificate is by one of the authorities.
    ///
    /// # Errors
    /// When certificate, key or an authority cannot be read, or there is no authority.
    pub fn new(identity: &Identity, authorities_pem: &str) -> Result<Self, Failure> {
        let failed = |error: &dyn fmt::Display| Failure(format!("no TLS client: {error}"));
        let pem = |text: &str| CertificateDer::from_pem_slice(text.as_bytes()).map_err(|error| failed(&error));
        let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(|error| failed(&error))?;
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(authorities_pem.as_bytes()) {
            roots.add(authority.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
        }
        let provider = Arc::new(default_provider());
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        let verifier = SpiffeVerifier(inner.map_err(|error| failed(&error))?);
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder
            .map_err(|error| failed(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(vec![pem(&identity.certificate_pem)?], key);
        Ok(Self { config: config.map_err(|error| failed(&error))?, offered: None })
    }

    /// The same that offers these protocols with ALPN for every request.
    #[must_use]
    pub fn offering(mut self, protocols: &[&str]) -> Self {
        self.offered = Some(protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect());
        self
    }

    pub(crate) async fn connect(&self, tcp: TcpStream, request: &Request) -> io::Result<TlsStream<TcpStream>> {
        let mut config = self.config.clone();
        let own: &[u8] = if request.protocol == Protocol::H2 { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = self.offered.clone().unwrap_or_else(|| vec![own.to_vec()]);
        let name = if request.sni.is_empty() { "proxy" } else { &request.sni };
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }
}

/// Checks chain and signatures, but not the name: a SPIFFE certificate has a URI, no host name.
#[derive(Debug)]
struct SpiffeVerifier(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for SpiffeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
