//! Media types, as the OCI image specification, Docker and the Wasm image specification of Solo write them.

/// An OCI image manifest.
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image index: manifests by platform.
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The configuration of an OCI image.
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer of an OCI image, neither compressed nor encrypted.
pub(crate) const OCI_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// A gzipped layer of an OCI image.
pub(crate) const OCI_TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Docker's image manifest, version 2 schema 2.
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's list of manifests by platform.
pub(crate) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// The configuration of a Docker image.
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// A layer of a Docker image that is not compressed.
pub(crate) const DOCKER_TAR: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// A gzipped layer of a Docker image.
pub(crate) const DOCKER_TAR_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker's first manifest format, and the same signed. None of those who load modules reads it.
pub(crate) const DOCKER_SCHEMA_1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];
/// A module as it is, in a layer of the *oci* variant of the Wasm image specification.
pub(crate) const SOLO_MODULE: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
/// A module or component as it is, in the one layer of a CNCF Wasm artifact.
pub(crate) const CNCF_MODULE: &str = "application/wasm";
/// The configuration of a CNCF Wasm artifact.
pub(crate) const CNCF_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// A module as it is, as `wasm-to-oci` pushed it.
pub(crate) const WASM_TO_OCI_MODULE: &str = "application/vnd.wasm.content.layer.v1+wasm";

/// Every kind of manifest that a registry is asked for.
#[cfg(feature = "registry")]
pub(crate) const MANIFESTS: [&str; 4] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX];

/// Whether it is a list of manifests by platform.
pub(crate) fn is_index(media_type: &str) -> bool {
    matches!(media_type, OCI_INDEX | DOCKER_INDEX)
}

/// Whether it is the configuration of an image, not of an artifact.
pub(crate) fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, OCI_CONFIG | DOCKER_CONFIG)
}
