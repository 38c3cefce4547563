//! What is in a registry, of which no more is read than was asked for.
//!
//! `oci-client` reads a manifest, and the body of an error, to its end: a registry that sends without end would take all memory.

use super::{Access, Error, PATIENCE, no_certificates};
use crate::media;
use oci_client::Reference;
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use reqwest::header::ACCEPT;
use reqwest::{Certificate, Client, Response, StatusCode};
use std::cell::Cell;

pub(super) const USER_AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));

/// The most bytes of an error that are read.
const ERROR_LIMIT: u64 = 64 << 10;

/// A client that reads.
#[derive(Debug)]
pub(super) struct Get {
    client: Client,
    scheme: &'static str,
    is_refused: Cell<bool>,
}

/// What came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    /// The digest that the registry says it has.
    pub(super) digest: Option<String>,
}

impl Get {
    /// # Errors
    /// When the certificates cannot be used.
    pub(super) fn new(is_plain: bool, access: &Access) -> Result<Self, Error> {
        let certificates = access.ca.iter().map(|pem| Certificate::from_pem(pem)).collect::<Result<Vec<_>, _>>();
        let client = certificates.and_then(|certificates| {
            let client = Client::builder().user_agent(USER_AGENT).read_timeout(PATIENCE).connect_timeout(PATIENCE);
            client.tls_certs_merge(certificates).build()
        });
        let client = client.map_err(|error| no_certificates(&error))?;
        let scheme = if is_plain { "http" } else { "https" };
        Ok(Self { client, scheme, is_refused: Cell::new(false) })
    }

    /// Whether the last answer was that a login is needed.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused.get()
    }

    /// What is at a path of a repository; `None` if it has more than `limit` bytes.
    pub(super) async fn answer(
        &self,
        reference: &Reference,
        path: &str,
        token: Option<&str>,
        auth: &RegistryAuth,
        limit: u64,
    ) -> Result<Option<Answer>, OciDistributionError> {
        let (registry, repository) = (reference.resolve_registry(), reference.repository());
        let url = format!("{}://{registry}/v2/{repository}/{path}", self.scheme);
        let request = self.client.get(&url).header(ACCEPT, media::MANIFESTS.join(", "));
        let request = match (token, auth) {
            (Some(token), _) => request.bearer_auth(token),
            (None, RegistryAuth::Basic(user, password)) => request.basic_auth(user, Some(password)),
            (None, _) => request,
        };
        let response = request.send().await?;
        let status = response.status();
        self.is_refused.set(status == StatusCode::UNAUTHORIZED);
        if status != StatusCode::OK {
            return Err(refusal(status, url, response).await?);
        }
        let digest = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
        let digest = digest.map(str::to_owned);
        Ok(body(response, limit).await?.map(|bytes| Answer { bytes, digest }))
    }
}

async fn body(mut response: Response, limit: u64) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await? {
        if (bytes.len() + part.len()) as u64 > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&part);
    }
    Ok(Some(bytes))
}

async fn refusal(
    status: StatusCode,
    url: String,
    response: Response,
) -> Result<OciDistributionError, OciDistributionError> {
    if status == StatusCode::UNAUTHORIZED {
        return Ok(OciDistributionError::UnauthorizedError { url });
    }
    let body = body(response, ERROR_LIMIT).await?.unwrap_or_default();
    Ok(match serde_json::from_slice(&body) {
        Ok(envelope) if status.is_client_error() => OciDistributionError::RegistryError { envelope, url },
        _ => {
            let message = String::from_utf8_lossy(&body).into_owned();
            OciDistributionError::ServerError { code: status.as_u16(), url, message }
        }
    })
}
