//! For tests: an image in memory that can be made wrong in every way, and modules of a few bytes.

use crate::store::{self, Raw, Store};
use crate::{Config, Descriptor, Digest, Error, Index, Manifest, Platform, RootFs, layer, media};
use std::collections::BTreeMap;

/// A module that imports what `imports` names, of the ABI that Weir's modules speak.
pub(crate) fn module(imports: &[&str]) -> Vec<u8> {
    let imports: String =
        imports.iter().map(|name| format!("(import \"env\" \"{name}\" (func (param i32) (result i32)))")).collect();
    wat::parse_str(format!("(module {imports} (func (export \"proxy_abi_version_0_2_1\")))")).unwrap()
}

/// A gzipped layer with these files.
pub(crate) fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    layer::pack(files).unwrap().bytes
}

/// An archive with one entry of any name, kind and mode, not compressed.
pub(crate) fn archive(name: &str, kind: tar::EntryType, mode: u32, bytes: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    // A name that begins with `./` is kept so.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, bytes).unwrap();
    builder.into_inner().unwrap()
}

/// Bytes, gzipped.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A store in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) bytes: BTreeMap<Digest, Vec<u8>>,
    pub(crate) root: Option<Descriptor>,
    pub(crate) asked_for: Option<Digest>,
}

impl Memory {
    /// An image of one module, as `weir pack` makes it.
    pub(crate) fn good() -> Self {
        Self::image(media::OCI_MANIFEST, media::OCI_CONFIG, &[(media::OCI_TAR_GZIP, good_layer())])
    }

    /// An image of any layers, with a configuration that fits those that are archives.
    pub(crate) fn image(manifest: &str, config: &str, layers: &[(&str, Vec<u8>)]) -> Self {
        let archives = layers.iter().filter_map(|(media_type, bytes)| {
            let listing = layer::list(bytes, layer::Packing::of(media_type)?, "layer").ok()??;
            Some(listing.diff_id)
        });
        let rootfs = RootFs { kind: "layers".to_owned(), diff_ids: archives.collect() };
        let config_file =
            Config { architecture: "amd64".to_owned(), os: "linux".to_owned(), rootfs, ..Config::default() };
        Self::with_config(manifest, config, &serde_json::to_vec(&config_file).unwrap(), layers)
    }

    /// An image of any layers and any configuration.
    pub(crate) fn with_config(manifest: &str, media_type: &str, config: &[u8], layers: &[(&str, Vec<u8>)]) -> Self {
        let mut memory = Self::default();
        let config = memory.keep(media_type, config.to_vec());
        let layers = layers.iter().map(|(media_type, bytes)| memory.keep(media_type, bytes.clone())).collect();
        let document = Manifest {
            schema_version: 2,
            media_type: Some(manifest.to_owned()),
            config,
            layers,
            annotations: BTreeMap::new(),
        };
        memory.root = Some(memory.keep(manifest, serde_json::to_vec(&document).unwrap()));
        memory
    }

    /// An index of images, each for a platform (`linux/arm64`) or for none.
    pub(crate) fn index(children: &[(Option<&str>, Self)]) -> Self {
        let mut memory = Self::default();
        let mut manifests = Vec::new();
        for (platform, child) in children {
            memory.bytes.extend(child.bytes.clone());
            let mut descriptor = child.root.clone().unwrap();
            descriptor.platform = platform.map(|text| {
                let (os, architecture) = text.split_once('/').unwrap();
                Platform { architecture: architecture.to_owned(), os: os.to_owned() }
            });
            manifests.push(descriptor);
        }
        let index = Index { schema_version: 2, media_type: Some(media::OCI_INDEX.to_owned()), manifests };
        memory.root = Some(memory.keep(media::OCI_INDEX, serde_json::to_vec(&index).unwrap()));
        memory
    }

    fn keep(&mut self, media_type: &str, bytes: Vec<u8>) -> Descriptor {
        let descriptor = Descriptor::of(media_type, &bytes);
        self.bytes.insert(descriptor.digest.clone(), bytes);
        descriptor
    }

    /// The manifest, which must not be an index.
    pub(crate) fn manifest_document(&self) -> Manifest {
        serde_json::from_slice(&self.bytes[&self.digest()]).unwrap()
    }

    /// The digest of the manifest or index.
    pub(crate) fn digest(&self) -> Digest {
        self.root.clone().unwrap().digest
    }
}

/// The layer of a good image.
pub(crate) fn good_layer() -> Vec<u8> {
    tar_gz(&[("LICENSE", b"Apache"), ("plugin.wasm", &module(&[]))])
}

impl Store for Memory {
    fn place(&self) -> &str {
        "memory"
    }

    fn asked_for(&self) -> Option<&Digest> {
        self.asked_for.as_ref()
    }

    fn root(&self) -> Result<Raw, Error> {
        self.manifest(self.root.as_ref().unwrap())
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        Raw::of(self.blob(descriptor, u64::MAX)?, "memory")
    }

    fn blob(&self, descriptor: &Descriptor, _limit: u64) -> Result<Vec<u8>, Error> {
        let bytes = self.bytes.get(&descriptor.digest);
        let bytes = bytes.ok_or_else(|| Error::Missing(format!("{} is not there", descriptor.digest)))?;
        store::check(bytes, descriptor, "memory")?;
        Ok(bytes.clone())
    }
}
