//! An image in a registry.
//!
//! `oci-client` speaks the protocol. What it hands over is believed only after its size and digest were checked here, since a
//! reference with a tag promises neither. It is asynchronous; a runtime of one thread runs each request to its end.

mod credentials;
mod trouble;

use crate::store::{self, BLOB_LIMIT, MANIFEST_LIMIT, Raw, Sink, Store};
use crate::{Descriptor, Digest, Error, media};
use futures_util::TryStreamExt as _;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long to wait for a connection, and for each part of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Without TLS. A registry on a loopback address is reached so anyway, unless `ca` is given.
    pub plain_http: bool,
    /// Certificates in PEM of authorities that are trusted besides the system's.
    pub ca: Option<Vec<u8>>,
    /// User and password. Without them those are used that `docker login` or `podman login` left, and none if there are none.
    pub login: Option<(String, String)>,
}

/// An image in a registry, by tag or digest.
pub struct Registry {
    runtime: Runtime,
    client: Client,
    auth: RegistryAuth,
    reference: Reference,
    place: String,
    asked_for: Option<Digest>,
}

impl Registry {
    /// Finds the way to the image `HOST/NAME:TAG` or `HOST/NAME@sha256:DIGEST`, which may begin with `oci://` as in a
    /// WasmPlugin. Nothing is asked yet.
    ///
    /// # Errors
    /// When the reference, the certificates or the credentials cannot be used.
    pub fn open(text: &str, access: &Access) -> Result<Self, Error> {
        let place = text.strip_prefix("oci://").unwrap_or(text).to_owned();
        let reference = reference(&place)?;
        let asked_for = reference.digest().map(str::parse).transpose().map_err(Error::Usage)?;
        let auth = match &access.login {
            Some((user, password)) => RegistryAuth::Basic(user.clone(), password.clone()),
            None => credentials::find(reference.resolve_registry())?,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::Usage(format!("no runtime for requests can be made: {error}")))?;
        Ok(Self { runtime, client: client(&reference, access)?, auth, reference, place, asked_for })
    }

    /// The reference by digest, without a tag.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> String {
        format!("{}/{}@{digest}", self.reference.registry(), self.reference.repository())
    }

    /// Logs in, so that a refusal is reported as one. Later requests use the token.
    fn log_in(&self, operation: RegistryOperation) -> Result<(), Error> {
        self.ask(self.client.auth(&self.reference, &self.auth, operation)).map(|_| ())
    }

    fn ask<T>(&self, request: impl Future<Output = Result<T, OciDistributionError>>) -> Result<T, Error> {
        self.runtime.block_on(request).map_err(|error| trouble::explain(&self.place, &error))
    }

    fn pull_manifest(&self, reference: &Reference) -> Result<Vec<u8>, Error> {
        let (bytes, _) = self.ask(self.client.pull_manifest_raw(reference, &self.auth, &media::MANIFESTS))?;
        if bytes.len() as u64 > MANIFEST_LIMIT {
            return Err(Error::TooLarge { place: self.place.clone(), limit: MANIFEST_LIMIT });
        }
        Ok(bytes.to_vec())
    }

    async fn pull_blob(&self, digest: &str, limit: u64) -> Result<Option<Vec<u8>>, OciDistributionError> {
        let mut blob = self.client.pull_blob_stream(&self.reference, digest).await?;
        let mut bytes = Vec::new();
        while let Some(part) = blob.try_next().await? {
            if (bytes.len() + part.len()) as u64 > limit {
                return Ok(None);
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Some(bytes))
    }
}

/// Reads a reference. Others take one without a host for one of Docker's registry; a mistyped folder would end there.
fn reference(text: &str) -> Result<Reference, Error> {
    let host = text.split_once('/').map_or("", |(host, _)| host);
    if !(host.contains(['.', ':']) || host == "localhost") {
        return Err(Error::Usage(format!(
            "`{text}` is neither a folder that is there nor a reference with a host: write `./FOLDER`, or \
             `registry.example.com/NAME:TAG` (`docker.io/...` for Docker's registry)"
        )));
    }
    text.parse().map_err(|error| {
        Error::Usage(format!("`{text}` is not a reference like `registry.example.com/NAME:TAG`: {error}"))
    })
}

fn client(reference: &Reference, access: &Access) -> Result<Client, Error> {
    // Another part of the process may have chosen one already; then it is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let is_plain = access.plain_http || access.ca.is_none() && is_loopback(reference.resolve_registry());
    let certificates =
        access.ca.iter().map(|pem| Certificate { encoding: CertificateEncoding::Pem, data: pem.clone() });
    let config = ClientConfig {
        protocol: if is_plain { ClientProtocol::Http } else { ClientProtocol::Https },
        extra_root_certificates: certificates.collect(),
        read_timeout: Some(PATIENCE),
        connect_timeout: Some(PATIENCE),
        user_agent: concat!("weir/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    Client::try_from(config).map_err(|error| {
        Error::Usage(format!(
            "the certificates cannot be used: {}: give PEM, `-----BEGIN CERTIFICATE-----`",
            trouble::chain(&error)
        ))
    })
}

/// Whether a registry is on this machine, by the same addresses as for Istio's agent.
fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" || host == "[::1]"
}

impl Store for Registry {
    fn place(&self) -> &str {
        &self.place
    }

    fn asked_for(&self) -> Option<&Digest> {
        self.asked_for.as_ref()
    }

    fn root(&self) -> Result<Raw, Error> {
        self.log_in(RegistryOperation::Pull)?;
        let bytes = self.pull_manifest(&self.reference)?;
        if let Some(expected) = &self.asked_for {
            let found = Digest::of(&bytes);
            if found != *expected {
                return Err(Error::WrongDigest { place: self.place.clone(), expected: expected.clone(), found });
            }
        }
        Raw::of(bytes, &self.place)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        let bytes = self.pull_manifest(&self.reference.clone_with_digest(descriptor.digest.to_string()))?;
        store::check(&bytes, descriptor, &self.place)?;
        Raw::of(bytes, &self.place)
    }

    fn blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, Error> {
        let limit = limit.min(BLOB_LIMIT);
        let digest = descriptor.digest.to_string();
        // More than was promised is not waited for.
        let bytes = self.ask(self.pull_blob(&digest, limit.min(descriptor.size)))?;
        let place = format!("{} {digest}", self.place);
        let bytes = bytes.ok_or_else(|| Error::TooLarge { place: place.clone(), limit: limit.min(descriptor.size) })?;
        store::check(&bytes, descriptor, &place)?;
        Ok(bytes)
    }
}

/// A registry that an image is pushed to.
pub struct Push<'a>(&'a Registry);

impl<'a> Push<'a> {
    /// Logs in for pushing.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or a digest was given in place of a tag.
    pub fn begin(registry: &'a Registry) -> Result<Self, Error> {
        if registry.asked_for.is_some() {
            let place = &registry.place;
            return Err(Error::Usage(format!("`{place}`: push to a tag; the digest comes of what is pushed")));
        }
        registry.log_in(RegistryOperation::Push)?;
        Ok(Self(registry))
    }
}

impl Sink for Push<'_> {
    fn put_blob(&mut self, descriptor: &Descriptor, bytes: Vec<u8>) -> Result<(), Error> {
        let Registry { client, reference, .. } = self.0;
        let digest = descriptor.digest.to_string();
        if self.0.ask(client.blob_exists(reference, &digest))? {
            return Ok(());
        }
        self.0.ask(client.push_blob(reference, bytes, &digest)).map(|_| ())
    }

    fn put_manifest(&mut self, raw: &Raw, is_root: bool) -> Result<(), Error> {
        let Registry { client, reference, place, .. } = self.0;
        let digest = raw.digest();
        let by_digest = reference.clone_with_digest(digest.to_string());
        let reference = if is_root { reference } else { &by_digest };
        let media_type =
            raw.media_type.parse().map_err(|error| Error::malformed(place, format!("`mediaType`: {error}")))?;
        self.0.ask(client.push_manifest_raw(reference, raw.bytes.clone(), media_type))?;
        // A registry may rewrite what it is given. Then the digest that was printed would name nothing.
        let kept = self.0.pull_manifest(&by_digest)?;
        let found = Digest::of(&kept);
        if found == digest { Ok(()) } else { Err(Error::WrongDigest { place: place.clone(), expected: digest, found }) }
    }
}

#[cfg(test)]
mod tests;
