//! Who loads modules, and what each of them takes.
//!
//! The rules are those of the loaders' own sources, or of the documentation where the source is closed; none of them is
//! about Weir's images. A rule that is not known to be applied is a note, not a refusal.

mod agent;
mod envoy;
mod google;
mod image_volume;

use crate::store::Choice;
use crate::{Digest, Error, Image};
use serde::Serialize;
use std::fmt;

/// Something that loads modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consumer {
    /// Istio's agent, for a WasmPlugin or TrafficExtension with `url: oci://...`, and for an EnvoyFilter with such a URI.
    Istio,
    /// Envoy Gateway's controller, for an EnvoyExtensionPolicy with `type: Image`.
    EnvoyGateway,
    /// Higress's agent, for its own WasmPlugin.
    Higress,
    /// A Kubernetes node that mounts the image as a volume (`volumes[].image`), for a module that Envoy loads as a file.
    ImageVolume,
    /// Envoy itself, which pulls no image: it loads the `plugin.wasm` of it, from a file or over HTTP.
    Envoy,
    /// Google's Service Extensions plugins.
    Gcp,
}

impl Consumer {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Istio, Self::EnvoyGateway, Self::Higress, Self::ImageVolume, Self::Envoy, Self::Gcp];

    /// Those that can run what Weir's modules do.
    pub const USUAL: [Self; 5] = [Self::Istio, Self::EnvoyGateway, Self::Higress, Self::ImageVolume, Self::Envoy];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Istio => "istio",
            Self::EnvoyGateway => "envoy-gateway",
            Self::Higress => "higress",
            Self::ImageVolume => "image-volume",
            Self::Envoy => "envoy",
            Self::Gcp => "gcp",
        }
    }

    /// Its name in a sentence.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Istio => "Istio's agent",
            Self::EnvoyGateway => "Envoy Gateway",
            Self::Higress => "Higress's agent",
            Self::ImageVolume => "a node",
            Self::Envoy => "Envoy",
            Self::Gcp => "Service Extensions",
        }
    }

    /// Where its own words are found when it refuses something.
    #[must_use]
    pub fn speaks_in(self) -> &'static str {
        match self {
            Self::Istio => "the log of the container istio-proxy, scope `wasm`",
            Self::EnvoyGateway => "the conditions of the EnvoyExtensionPolicy, and the log of envoy-gateway",
            Self::Higress => "the log of the gateway's container, scope `wasm`",
            Self::ImageVolume => "the events of the pod",
            Self::Envoy => "Envoy's log",
            Self::Gcp => "the answer of `gcloud service-extensions wasm-plugins create`",
        }
    }

    /// What it says of an image, which somebody pins to `pin` in the place where this consumer takes a pin.
    ///
    /// # Errors
    /// When a part of the image cannot be had, or is not the one that was promised: then none of them can load it.
    pub fn judge(self, image: &Image<'_>, pin: Option<&Digest>) -> Result<Verdict, Error> {
        match self {
            Self::Istio | Self::EnvoyGateway | Self::Higress => agent::judge(self, image, pin),
            Self::ImageVolume => image_volume::judge(image, pin),
            Self::Envoy => envoy::judge(image, pin),
            Self::Gcp => google::judge(image, pin),
        }
    }
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a consumer says of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Who says so.
    pub consumer: Consumer,
    /// Whether it loads the module.
    pub is_accepted: bool,
    /// What it takes out of the image, if it comes that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<String>,
    /// Why it does not load the module.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
    /// What works and may surprise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Why a consumer does not load a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// What is wrong.
    pub why: String,
    /// How to mend it.
    pub mend: String,
    /// The consumer's own words, as far as they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_its_words: Option<String>,
}

impl Refusal {
    fn new(why: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { why: why.into(), mend: mend.into(), in_its_words: None }
    }

    fn saying(self, words: impl Into<String>) -> Self {
        Self { in_its_words: Some(words.into()), ..self }
    }
}

impl Verdict {
    fn new(consumer: Consumer, takes: Option<String>, refusals: Vec<Refusal>, notes: Vec<String>) -> Self {
        Self { consumer, is_accepted: refusals.is_empty(), takes, refusals, notes }
    }
}

/// What to do about an image that is not one of a module.
const PACK: &str = "make the image with `weir pack`, or from a Dockerfile of `FROM scratch` and `COPY plugin.wasm /plugin.wasm` \
                    with `docker buildx build --platform linux/amd64 --provenance=false`";

/// The module that Istio's agent would take out of an image, if it would take one.
pub(crate) fn module_of(image: &Image<'_>) -> Result<Option<Vec<u8>>, Error> {
    let Some(chosen) = image.choose(Choice::Agent)? else { return Ok(None) };
    let found = agent::module_of(Consumer::Istio, image, &chosen.manifest, agent::UNPACKED_LIMIT)?;
    Ok(found.ok().map(|found| found.module))
}

#[cfg(test)]
mod tests;
