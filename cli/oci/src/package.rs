//! Making an image that everybody who loads modules takes.
//!
//! It is a plain manifest, since Istio and its copies take one child of an index and compare pins with that child, not with
//! the index. It has one layer, since Istio takes the last, and a mounted image shows all: what belongs to a module lies
//! beside it. Its configuration is that of an image for linux/amd64 with the digest of the layer, without which no node
//! mounts it. WebAssembly itself runs on any machine, and a manifest without an index is taken on any.

use crate::image::Execution;
use crate::store::{Raw, Sink};
use crate::{Config, Descriptor, Digest, Error, Manifest, Module, ModuleError, RootFs, layer, media};
use std::collections::BTreeMap;

/// The annotation that marks an image as the *compat* variant of the Wasm image specification.
const VARIANT: (&str, &str) = ("module.wasm.image/variant", "compat");

/// What goes into an image.
pub struct Package<'a> {
    /// The module, which becomes `plugin.wasm`.
    pub plugin: &'a [u8],
    /// The files beside it.
    pub files: Vec<(&'a str, Vec<u8>)>,
    /// Annotations of the manifest, which also become labels.
    pub annotations: BTreeMap<String, String>,
}

/// An image that has been made.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Its manifest.
    pub manifest: Raw,
    config: (Descriptor, Vec<u8>),
    layer: (Descriptor, Vec<u8>),
}

impl Package<'_> {
    /// Makes the image. The same contents give the same bytes.
    ///
    /// # Errors
    /// When `plugin` is nothing that an Envoy loads, or a name does not fit an archive.
    pub fn pack(&self) -> Result<Packed, Error> {
        let place = layer::PLUGIN;
        let module = Module::read(self.plugin).map_err(|error: ModuleError| Error::malformed(place, error))?;
        let mut files: Vec<(&str, &[u8])> = vec![(layer::PLUGIN, self.plugin)];
        files.extend(self.files.iter().map(|(name, bytes)| (*name, bytes.as_slice())));
        let packed = layer::pack(&files)?;

        let mut annotations = self.annotations.clone();
        let own = [
            VARIANT,
            ("weir.plugin-sha256", Digest::of(self.plugin).hex()),
            ("weir.proxy-wasm-abi", module.abi.as_str()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        annotations.extend(own);

        let config = Config {
            architecture: "amd64".to_owned(),
            os: "linux".to_owned(),
            config: Execution { labels: annotations.clone() },
            rootfs: RootFs { kind: "layers".to_owned(), diff_ids: vec![packed.diff_id] },
        };
        let config = serde_json::to_vec(&config).map_err(|error| Error::malformed("config", error))?;
        let config = (Descriptor::of(media::OCI_CONFIG, &config), config);
        let layer = (Descriptor::of(media::OCI_TAR_GZIP, &packed.bytes), packed.bytes);
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(media::OCI_MANIFEST.to_owned()),
            config: config.0.clone(),
            layers: vec![layer.0.clone()],
            annotations,
        };
        let manifest = serde_json::to_vec(&manifest).map_err(|error| Error::malformed("manifest", error))?;
        Ok(Packed { manifest: Raw { media_type: media::OCI_MANIFEST.to_owned(), bytes: manifest }, config, layer })
    }
}

impl Packed {
    /// Writes the image.
    ///
    /// # Errors
    /// When it cannot be kept there.
    pub fn put(self, sink: &mut dyn Sink) -> Result<(), Error> {
        sink.put_blob(&self.config.0, self.config.1)?;
        sink.put_blob(&self.layer.0, self.layer.1)?;
        sink.put_manifest(&self.manifest, true)
    }
}

#[cfg(test)]
mod tests;
