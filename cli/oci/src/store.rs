//! Where images are: what a folder and a registry have in common, and reading an image as those who load it do.

use crate::{Descriptor, Digest, Error, Index, Manifest, media};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The most bytes of a manifest, as the distribution specification advises registries.
pub(crate) const MANIFEST_LIMIT: u64 = 4 << 20;

/// The most bytes of a layer that are read: as many as Istio's agent unpacks.
pub(crate) const BLOB_LIMIT: u64 = 256 << 20;

/// How deep indexes are followed.
const DEPTH: usize = 4;

/// The bytes of a manifest, an index or a configuration, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// What they call themselves, or are by their fields.
    pub media_type: String,
    /// The bytes, which the digest is of.
    pub bytes: Vec<u8>,
}

impl Raw {
    /// Takes the bytes of a manifest or index; one that does not say what it is, is what its fields say.
    ///
    /// # Errors
    /// When they are not JSON.
    pub fn of(bytes: Vec<u8>, place: &str) -> Result<Self, Error> {
        let value: Value = parse(&bytes, place)?;
        let said = value.get("mediaType").and_then(Value::as_str);
        let implied = if value.get("manifests").is_some() { media::OCI_INDEX } else { media::OCI_MANIFEST };
        Ok(Self { media_type: said.unwrap_or(implied).to_owned(), bytes })
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is neither a manifest nor an index.
    pub fn document(&self, place: &str) -> Result<Document, Error> {
        if media::DOCKER_SCHEMA_1.contains(&self.media_type.as_str()) {
            return Err(Error::malformed(
                place,
                format!(
                    "is a `{}`, which none of those who load modules reads: push it with a newer client",
                    self.media_type
                ),
            ));
        }
        if media::is_index(&self.media_type) {
            Ok(Document::Index(parse(&self.bytes, place)?))
        } else {
            Ok(Document::Manifest(parse(&self.bytes, place)?))
        }
    }
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], place: &str) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::malformed(place, format!("is not what it should be: {error}")))
}

/// What a reference leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// Images by platform.
    Index(Index),
}

/// A place that has an image: a folder, or a reference to a registry.
pub trait Store {
    /// What the place is called in messages: the folder or the reference.
    fn place(&self) -> &str;

    /// The digest by which the image was asked for, if it was.
    fn asked_for(&self) -> Option<&Digest>;

    /// The manifest or index that the place leads to.
    ///
    /// # Errors
    /// When there is none, or it cannot be had.
    fn root(&self) -> Result<Raw, Error>;

    /// A manifest or index that an index names.
    ///
    /// # Errors
    /// When it cannot be had, or is not the one that was named.
    fn manifest(&self, descriptor: &Descriptor) -> Result<Raw, Error>;

    /// A configuration or layer, of at most `limit` bytes.
    ///
    /// # Errors
    /// When it cannot be had, is larger, or is not the one that was named.
    fn blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, Error>;
}

/// Which child of an index is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// As `go-containerregistry` does for Istio and its copies: the first child for linux/amd64 on every machine, and a child
    /// without a platform counts as one.
    Agent,
    /// As containerd does on a linux/amd64 node: a child for it before one without a platform.
    Node,
}

/// An image in a store, read part by part and each part once.
pub struct Image<'a> {
    store: &'a dyn Store,
    root: Raw,
    blobs: RefCell<BTreeMap<Digest, Rc<Vec<u8>>>>,
    manifests: RefCell<BTreeMap<Digest, Raw>>,
}

/// The manifest that somebody takes, and its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) digest: Digest,
    pub(crate) manifest: Manifest,
}

impl<'a> Image<'a> {
    /// Asks a store for its image.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn open(store: &'a dyn Store) -> Result<Self, Error> {
        Ok(Self { store, root: store.root()?, blobs: RefCell::default(), manifests: RefCell::default() })
    }

    /// Where the image is.
    #[must_use]
    pub fn place(&self) -> &str {
        self.store.place()
    }

    /// The digest of the manifest or index that the place leads to.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.root.digest()
    }

    /// The module that Istio's agent would take out of the image.
    ///
    /// # Errors
    /// When it would take none, or a part of the image cannot be had.
    pub fn module(&self) -> Result<Vec<u8>, Error> {
        let missing = || Error::malformed(self.place(), "no module can be taken out of it: `weir verify` says why");
        crate::consumers::module_of(self)?.ok_or_else(missing)
    }

    /// The digest by which it was asked for.
    pub(crate) fn asked_for(&self) -> Option<&Digest> {
        self.store.asked_for()
    }

    /// The manifest or index that the place leads to.
    pub(crate) fn root(&self) -> &Raw {
        &self.root
    }

    /// The manifest or index that the place leads to, read.
    pub(crate) fn document(&self) -> Result<Document, Error> {
        self.root.document(self.place())
    }

    /// The manifest that somebody takes, or nothing if an index has none for linux/amd64.
    pub(crate) fn choose(&self, choice: Choice) -> Result<Option<Chosen>, Error> {
        let mut raw = self.root.clone();
        for _ in 0..DEPTH {
            let index = match raw.document(self.place())? {
                Document::Manifest(manifest) => return Ok(Some(Chosen { digest: raw.digest(), manifest })),
                Document::Index(index) => index,
            };
            let Some(child) = child(&index, choice) else { return Ok(None) };
            raw = self.manifest(child)?;
        }
        Err(Error::malformed(self.place(), format!("indexes lie in each other more than {DEPTH} deep")))
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        if let Some(found) = self.manifests.borrow().get(&descriptor.digest) {
            return Ok(found.clone());
        }
        let raw = self.store.manifest(descriptor)?;
        self.manifests.borrow_mut().insert(descriptor.digest.clone(), raw.clone());
        Ok(raw)
    }

    /// The bytes of a configuration or layer.
    pub(crate) fn blob(&self, descriptor: &Descriptor) -> Result<Rc<Vec<u8>>, Error> {
        if let Some(found) = self.blobs.borrow().get(&descriptor.digest) {
            return Ok(Rc::clone(found));
        }
        let bytes = Rc::new(self.store.blob(descriptor, BLOB_LIMIT)?);
        self.blobs.borrow_mut().insert(descriptor.digest.clone(), Rc::clone(&bytes));
        Ok(bytes)
    }
}

fn child(index: &Index, choice: Choice) -> Option<&Descriptor> {
    let fits = |child: &&Descriptor| child.platform.as_ref().is_some_and(crate::Platform::is_linux_amd64);
    let mut children = index.manifests.iter();
    match choice {
        Choice::Agent => children.find(|child| child.platform.is_none() || fits(child)),
        Choice::Node => children.clone().find(fits).or_else(|| children.find(|child| child.platform.is_none())),
    }
}

/// Checks that bytes are those that a descriptor promises.
pub(crate) fn check(bytes: &[u8], descriptor: &Descriptor, place: &str) -> Result<(), Error> {
    let found = Digest::of(bytes);
    if found == descriptor.digest && bytes.len() as u64 == descriptor.size {
        return Ok(());
    }
    if found == descriptor.digest {
        let reason = format!("has {} bytes, and its descriptor says {}", bytes.len(), descriptor.size);
        return Err(Error::malformed(format!("{place} {found}"), reason));
    }
    Err(Error::WrongDigest { place: place.to_owned(), expected: descriptor.digest.clone(), found })
}

/// Where an image can be put.
pub trait Sink {
    /// Keeps a configuration or layer.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn put_blob(&mut self, descriptor: &Descriptor, bytes: Vec<u8>) -> Result<(), Error>;

    /// Keeps a manifest or index, and if it is the root, calls the image by it.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn put_manifest(&mut self, raw: &Raw, is_root: bool) -> Result<(), Error>;
}

/// Copies an image with everything that it names, unchanged, and returns its digest.
///
/// # Errors
/// When a part cannot be had or kept, or is not the one that was named. The root is kept last, so that half
/// an image is never found.
pub fn copy(from: &dyn Store, to: &mut dyn Sink) -> Result<Digest, Error> {
    let root = from.root()?;
    copy_below(from, to, &root, DEPTH)?;
    to.put_manifest(&root, true)?;
    Ok(root.digest())
}

fn copy_below(from: &dyn Store, to: &mut dyn Sink, raw: &Raw, depth: usize) -> Result<(), Error> {
    match raw.document(from.place())? {
        Document::Manifest(manifest) => {
            for part in std::iter::once(&manifest.config).chain(&manifest.layers) {
                to.put_blob(part, from.blob(part, BLOB_LIMIT)?)?;
            }
        }
        Document::Index(_) if depth == 0 => {
            return Err(Error::malformed(from.place(), format!("indexes lie in each other more than {DEPTH} deep")));
        }
        Document::Index(index) => {
            for child in &index.manifests {
                let raw = from.manifest(child)?;
                copy_below(from, to, &raw, depth - 1)?;
                to.put_manifest(&raw, false)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
