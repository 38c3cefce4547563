//! One keep-alive HTTP/1.1 connection that sends the same request again and again, and the upstream that answers it.
//! The load generator is as small as possible, so that what is measured is Envoy.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// What a request of the benchmark is unless its variant has another one: it matches the last rule, and carries the key of the
/// limits.
pub(crate) const REQUEST: &[u8] = b"GET /bench/last HTTP/1.1\r\nhost: shop.example.com\r\nuser-agent: bench\r\n\
x-user: ann\r\nx-tenant: blue\r\n\r\n";

/// The body of every response, by whose arrival the end of a response is known.
pub(crate) const BODY: &str = "weir-bench-ok";

/// A certificate with its key and the authority that issued it, as PEM.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate_pem: String,
    pub(crate) key_pem: String,
    pub(crate) authority_pem: String,
}

/// Certificates of a server and of a client, by one authority.
///
/// # Errors
/// When no key can be made.
pub(crate) fn identities() -> Result<[Identity; 2], String> {
    let failed = |error: rcgen::Error| format!("cannot make a certificate: {error}");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "weir benchmark authority");
    let key = KeyPair::generate().map_err(failed)?;
    let authority = CertifiedIssuer::self_signed(params, key).map_err(failed)?;
    let issue = |uri: &str| {
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(SanType::URI(uri.try_into()?));
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        Ok(Identity {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            authority_pem: authority.pem(),
        })
    };
    let [server, client] =
        ["spiffe://cluster.local/ns/shop/sa/cart", "spiffe://cluster.local/ns/web/sa/front"].map(issue);
    Ok([server.map_err(failed)?, client.map_err(failed)?])
}

/// How to speak TLS to the servers of the benchmark.
///
/// # Errors
/// A certificate that cannot be read.
pub(crate) fn tls(client: &Identity) -> Result<Arc<ClientConfig>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("no TLS client: {error}");
    let pem = |text: &str| CertificateDer::from_pem_slice(text.as_bytes()).map_err(|error| failed(&error));
    let key = PrivateKeyDer::from_pem_slice(client.key_pem.as_bytes()).map_err(|error| failed(&error))?;
    let mut roots = RootCertStore::empty();
    roots.add(pem(&client.authority_pem)?).map_err(|error| failed(&error))?;
    let provider = Arc::new(default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder
        .map_err(|error| failed(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyName(inner.map_err(|error| failed(&error))?)))
        .with_client_auth_cert(vec![pem(&client.certificate_pem)?], key);
    Ok(Arc::new(config.map_err(|error| failed(&error))?))
}

/// Trusts a server of this process by its signature alone: its certificate has a URI and no host name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// A connection that stays open, and the request that is sent on it.
pub(crate) struct Connection {
    stream: Stream,
    request: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    /// Connects to a port of this machine, with TLS if `tls` says how.
    ///
    /// # Errors
    /// When nothing listens there or the handshake fails.
    pub(crate) fn open(port: u16, tls: Option<&Arc<ClientConfig>>, request: &[u8]) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(failed)?;
        let request = request.to_vec();
        let Some(config) = tls else { return Ok(Self { stream: Stream::Plain(stream), request }) };
        let name = ServerName::try_from("proxy").map_err(|error| error.to_string())?;
        let session = ClientConnection::new(config.clone(), name).map_err(|error| error.to_string())?;
        Ok(Self { stream: Stream::Tls(Box::new(StreamOwned::new(session, stream))), request })
    }

    /// Sends `count` requests, each after the response to the one before, and checks that each is answered with 200.
    ///
    /// # Errors
    /// When the connection breaks or a response is another one.
    pub(crate) fn send(&mut self, count: usize) -> Result<(), String> {
        let Self { stream, request } = self;
        match stream {
            Stream::Plain(stream) => exchange(stream, request, count),
            Stream::Tls(stream) => exchange(stream, request, count),
        }
    }
}

fn failed(error: std::io::Error) -> String {
    format!("the load connection failed: {error}")
}

fn exchange(stream: &mut (impl Read + Write), request: &[u8], count: usize) -> Result<(), String> {
    let mut chunk = [0u8; 4096];
    let mut response = Vec::with_capacity(4096);
    for _ in 0..count {
        stream.write_all(request).map_err(failed)?;
        response.clear();
        while !response.ends_with(BODY.as_bytes()) {
            let read = stream.read(&mut chunk).map_err(failed)?;
            response.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if read == 0 || !response.starts_with(b"HTTP/1.1 200") {
                let text = String::from_utf8_lossy(&response);
                return Err(format!("expected 200 from every request, got {:?}", text.lines().next().unwrap_or("")));
            }
        }
    }
    Ok(())
}

/// Starts an upstream that answers every request the same. It lives as long as the process.
///
/// # Errors
/// When no port is free.
pub(crate) fn upstream() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    Ok(port)
}

/// Answers requests without a body until the connection ends.
fn answer(mut stream: TcpStream) {
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
    let (mut seen, mut chunk) = (Vec::new(), [0u8; 4096]);
    let _ = stream.set_nodelay(true);
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        seen.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if seen.ends_with(b"\r\n\r\n") {
            seen.clear();
            if stream.write_all(response.as_bytes()).is_err() {
                return;
            }
        }
    }
}
