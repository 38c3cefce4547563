//! An image in a registry.
//!
//! `oci-client` logs in and pushes. What is pulled is read here, since it reads a manifest of any size; and it is believed only
//! after its size and digest were checked, since a reference with a tag promises neither. Requests are asynchronous; a runtime
//! of one thread runs each to its end, for as long as its size allows.

mod credentials;
mod get;
mod trouble;

use crate::store::{self, BLOB_LIMIT, MANIFEST_LIMIT, Raw, Sink, Store};
use crate::{Descriptor, Digest, Error, without_login};
use get::{Answer, Get};
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use std::cell::RefCell;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long to wait for a connection, and for each part of an answer. A whole request may take twice as long, and longer by its
/// size.
const PATIENCE: Duration = Duration::from_secs(30);

/// The fewest bytes in a second with which a request goes on.
const SLOWEST: u64 = 64 << 10;

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
    get: Get,
    auth: RegistryAuth,
    /// The token that the registry gave, if it gives some.
    token: RefCell<Option<String>>,
    patience: Duration,
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
        // Another part of the process may have chosen one already; then it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let is_plain = access.plain_http || access.ca.is_none() && is_loopback(reference.resolve_registry());
        let (client, get) = (client(is_plain, access)?, Get::new(is_plain, access)?);
        let (token, patience) = (RefCell::new(None), PATIENCE);
        Ok(Self { runtime, client, get, auth, token, patience, reference, place, asked_for })
    }

    /// The reference by digest, without a tag.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> String {
        format!("{}/{}@{digest}", self.reference.registry(), self.reference.repository())
    }

    /// Logs in, so that a refusal is reported as one. Later requests use the token.
    fn log_in(&self, operation: RegistryOperation) -> Result<(), Error> {
        let token = self.ask(0, self.client.auth(&self.reference, &self.auth, operation))?;
        *self.token.borrow_mut() = token;
        Ok(())
    }

    /// Runs a request that moves that many bytes at most.
    fn ask<T>(&self, bytes: u64, request: impl Future<Output = Result<T, OciDistributionError>>) -> Result<T, Error> {
        let limit = 2 * self.patience + Duration::from_secs(bytes / SLOWEST);
        match self.runtime.block_on(async { tokio::time::timeout(limit, request).await }) {
            Ok(answer) => answer.map_err(|error| trouble::explain(&self.place, &error)),
            Err(_) => {
                let reason = format!("the registry was not done after {} s: try again later", limit.as_secs());
                Err(Error::Registry { reference: self.place.clone(), reason })
            }
        }
    }

    /// What is at a path of the repository, of at most `limit` bytes; `None` if it is larger.
    fn fetch(&self, path: &str, limit: u64) -> Result<Option<Answer>, Error> {
        let get = || {
            let token = self.token.borrow().clone();
            self.ask(limit, async { self.get.answer(&self.reference, path, token.as_deref(), &self.auth, limit).await })
        };
        match get() {
            // The token has expired, or is of another repository.
            Err(Error::Registry { .. }) if self.get.is_refused() => {
                self.log_in(RegistryOperation::Pull)?;
                get()
            }
            answer => answer,
        }
    }

    fn pull_manifest(&self, tag_or_digest: &str) -> Result<Vec<u8>, Error> {
        let place = || self.place.clone();
        let answer = self.fetch(&format!("manifests/{tag_or_digest}"), MANIFEST_LIMIT)?;
        let answer = answer.ok_or_else(|| Error::TooLarge { place: place(), limit: MANIFEST_LIMIT })?;
        let found = Digest::of(&answer.bytes);
        match answer.digest.and_then(|said| said.parse::<Digest>().ok()).filter(|said| *said != found) {
            Some(expected) => Err(Error::WrongDigest { place: place(), expected, found }),
            None => Ok(answer.bytes),
        }
    }
}

/// Reads a reference. Others take one without a host for one of Docker's registry; a mistyped folder would end there.
fn reference(text: &str) -> Result<Reference, Error> {
    let host = text.split_once('/').map_or("", |(host, _)| host);
    let shown = without_login(text);
    if !(host.contains(['.', ':']) || host == "localhost") {
        return Err(Error::Usage(format!(
            "`{shown}` is neither a folder that is there nor a reference with a host: write `./FOLDER`, or \
             `registry.example.com/NAME:TAG` (`docker.io/...` for Docker's registry)"
        )));
    }
    text.parse().map_err(|error| {
        Error::Usage(format!("`{shown}` is not a reference like `registry.example.com/NAME:TAG`: {error}"))
    })
}

fn client(is_plain: bool, access: &Access) -> Result<Client, Error> {
    let certificates =
        access.ca.iter().map(|pem| Certificate { encoding: CertificateEncoding::Pem, data: pem.clone() });
    let config = ClientConfig {
        protocol: if is_plain { ClientProtocol::Http } else { ClientProtocol::Https },
        extra_root_certificates: certificates.collect(),
        read_timeout: Some(PATIENCE),
        connect_timeout: Some(PATIENCE),
        user_agent: get::USER_AGENT,
        ..ClientConfig::default()
    };
    Client::try_from(config).map_err(|error| no_certificates(&error))
}

fn no_certificates(error: &dyn std::error::Error) -> Error {
    let why = trouble::chain(error);
    Error::Usage(format!("the certificates cannot be used: {why}: give PEM, `-----BEGIN CERTIFICATE-----`"))
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
        let tag = self.reference.tag().unwrap_or("latest");
        let bytes = self.pull_manifest(self.reference.digest().unwrap_or(tag))?;
        if let Some(expected) = &self.asked_for {
            let found = Digest::of(&bytes);
            if found != *expected {
                return Err(Error::WrongDigest { place: self.place.clone(), expected: expected.clone(), found });
            }
        }
        Raw::of(bytes, &self.place)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        let bytes = self.pull_manifest(&descriptor.digest.to_string())?;
        store::check(&bytes, descriptor, &self.place)?;
        Raw::of(bytes, &self.place)
    }

    fn blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, Error> {
        // More than was promised is not waited for.
        let limit = limit.min(BLOB_LIMIT).min(descriptor.size);
        let place = format!("{} {}", self.place, descriptor.digest);
        let answer = self.fetch(&format!("blobs/{}", descriptor.digest), limit)?;
        let bytes = answer.ok_or_else(|| Error::TooLarge { place: place.clone(), limit })?.bytes;
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
        if self.0.ask(0, client.blob_exists(reference, &digest))? {
            return Ok(());
        }
        self.0.ask(descriptor.size, client.push_blob(reference, bytes, &digest)).map(|_| ())
    }

    fn put_manifest(&mut self, raw: &Raw, is_root: bool) -> Result<(), Error> {
        let Registry { client, reference, place, .. } = self.0;
        let digest = raw.digest();
        let by_digest = reference.clone_with_digest(digest.to_string());
        let reference = if is_root { reference } else { &by_digest };
        let media_type =
            raw.media_type.parse().map_err(|error| Error::malformed(place, format!("`mediaType`: {error}")))?;
        self.0.ask(MANIFEST_LIMIT, client.push_manifest_raw(reference, raw.bytes.clone(), media_type))?;
        // A registry may rewrite what it is given. Then the digest that was printed would name nothing.
        let kept = self.0.pull_manifest(&digest.to_string())?;
        let found = Digest::of(&kept);
        if found == digest { Ok(()) } else { Err(Error::WrongDigest { place: place.clone(), expected: digest, found }) }
    }
}

#[cfg(test)]
mod tests;
