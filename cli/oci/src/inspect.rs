//! The digests of an image, and who wants which: they are mixed up easily, and each consumer compares another.

use crate::layer::{self, Packing};
use crate::store::{Choice, Document};
use crate::{Config, Digest, Error, Image, Listing, Module, consumers, store};
use serde::Serialize;

/// What is inside an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The folder or reference.
    pub image: String,
    /// Whether it is one manifest, an index of several, or something else.
    pub media_type: String,
    /// The digests, the one of the manifest first.
    pub digests: Vec<Named>,
    /// The files of the layers.
    pub files: Vec<FileOf>,
    /// The proxy-wasm ABI of the module, if one can be taken out of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abi: Option<String>,
    /// The annotations of the manifest.
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// A digest, what it is of, and who wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// The digest.
    pub digest: Digest,
    /// What it is of.
    pub of: What,
    /// Where it is written.
    pub wanted_by: Vec<&'static str>,
}

/// What a digest is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// An index of images by platform.
    Index,
    /// The image manifest.
    Manifest,
    /// `plugin.wasm`.
    Plugin,
    /// A layer as it is stored, compressed.
    Layer,
    /// The configuration of the image.
    Config,
    /// The archive of a layer before it was compressed.
    Archive,
}

impl What {
    /// It in a sentence.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Index => "the index",
            Self::Manifest => "the image manifest",
            Self::Plugin => "plugin.wasm",
            Self::Layer => "the layer",
            Self::Config => "the configuration",
            Self::Archive => "the layer's archive before it was compressed",
        }
    }

    fn wanted_by(self) -> Vec<&'static str> {
        match self {
            Self::Manifest => vec![
                "WasmPlugin and TrafficExtension with `url: oci://...`: `sha256`, or `@sha256:` in the URL",
                "EnvoyExtensionPolicy with `type: Image`: `image.sha256`",
                "image volume: `reference: ...@sha256:`",
                "signatures and admission policies",
            ],
            Self::Plugin => vec![
                "Envoy: `remote.sha256`",
                "EnvoyExtensionPolicy with `type: HTTP`: `http.sha256`",
                "WasmPlugin with `url: https://...`: `sha256`",
            ],
            Self::Index => vec!["nothing that loads modules; an image volume takes it as well"],
            Self::Layer | Self::Config | Self::Archive => Vec::new(),
        }
    }
}

/// A file of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileOf {
    /// Its path.
    pub path: String,
    /// How many bytes it has.
    pub size: u64,
}

/// Reads an image.
///
/// # Errors
/// When it cannot be had, or has no image for linux/amd64.
pub fn inspect(image: &Image<'_>) -> Result<Inspection, Error> {
    let Some(chosen) = image.choose(Choice::Agent)? else {
        return Err(Error::malformed(image.place(), "the index has no image for linux/amd64"));
    };
    let module = consumers::module_of(image)?;
    let mut files = Vec::new();
    for listing in listings(image)? {
        files.extend(listing.entries.into_iter().filter(|entry| entry.is_file));
    }
    let named = |(digest, of): (Digest, What)| Named { digest, of, wanted_by: of.wanted_by() };
    let shown = |(_, of): &(Digest, What)| !matches!(of, What::Config | What::Archive);
    Ok(Inspection {
        image: image.place().to_owned(),
        media_type: image.root().media_type.clone(),
        digests: digests(image)?.into_iter().filter(shown).map(named).collect(),
        files: files.into_iter().map(|entry| FileOf { path: entry.path, size: entry.size }).collect(),
        abi: module.and_then(|bytes| Module::read(&bytes).ok()).map(|module| module.abi),
        annotations: chosen.manifest.annotations,
    })
}

/// What `digest` is of, if it is of something in the image.
pub(crate) fn what_is(image: &Image<'_>, digest: &Digest) -> Result<Option<&'static str>, Error> {
    Ok(digests(image)?.into_iter().find(|(found, _)| found == digest).map(|(_, what)| what.title()))
}

fn digests(image: &Image<'_>) -> Result<Vec<(Digest, What)>, Error> {
    let mut digests = Vec::new();
    if let Some(chosen) = image.choose(Choice::Agent)? {
        digests.push((chosen.digest, What::Manifest));
        digests.extend(consumers::module_of(image)?.map(|module| (Digest::of(&module), What::Plugin)));
        digests.extend(chosen.manifest.layers.iter().map(|layer| (layer.digest.clone(), What::Layer)));
        digests.push((chosen.manifest.config.digest.clone(), What::Config));
        // Only a node reads it, and says itself what is wrong with it.
        let config =
            image.blob(&chosen.manifest.config).and_then(|bytes| store::parse::<Config>(&bytes, image.place()));
        let archives = config.map(|config| config.rootfs.diff_ids).unwrap_or_default();
        digests.extend(archives.into_iter().map(|digest| (digest, What::Archive)));
    }
    if let Document::Index(_) = image.document()? {
        digests.push((image.root().digest(), What::Index));
    }
    Ok(digests)
}

/// What the layers have that can be unpacked here.
pub(crate) fn listings(image: &Image<'_>) -> Result<Vec<Listing>, Error> {
    let mut listings = Vec::new();
    if let Some(chosen) = image.choose(Choice::Agent)? {
        for layer in &chosen.manifest.layers {
            if let Some(packing) = Packing::of(&layer.media_type) {
                listings.extend(layer::list(&image.blob(layer)?, packing, image.place())?);
            }
        }
    }
    Ok(listings)
}

#[cfg(test)]
mod tests;
