//! Istio's agent, and those that copied its reader: Envoy Gateway and Higress.
//!
//! After `pkg/wasm/imagefetcher.go` and `cache.go` of Istio, `internal/wasm` of Envoy Gateway, and `pkg/remote` of
//! go-containerregistry, which chooses the child of an index. The configuration of the image is never read.

use super::{Consumer, PACK, Refusal, Verdict, envoy};
use crate::inspect::what_is;
use crate::layer::{self, Missing, Packing};
use crate::module::has_magic;
use crate::store::{BLOB_LIMIT, Choice, Chosen, Document};
use crate::{Descriptor, Digest, Error, Image, Manifest, media};

/// The most bytes of an archive that are unpacked, unless `ISTIO_WASM_MAX_BINARY_SIZE_BYTES` says otherwise.
pub(super) const UNPACKED_LIMIT: u64 = 256 << 20;

pub(super) fn judge(consumer: Consumer, image: &Image<'_>, pin: Option<&Digest>) -> Result<Verdict, Error> {
    let mut notes = Vec::new();
    let Some(chosen) = image.choose(Choice::Agent)? else {
        let refusal = Refusal::new(
            format!(
                "the index has no image for linux/amd64, which is what {} asks for on every machine",
                consumer.title()
            ),
            "WebAssembly is the same for all machines: push one plain manifest, as `weir pack` makes it",
        );
        let refusal = refusal.saying("no child with platform linux/amd64 in index");
        return Ok(Verdict::new(consumer, None, vec![refusal], notes));
    };
    if let Document::Index(_) = image.document()? {
        notes.push(format!(
            "it is an index, and {} takes the image for linux/amd64 out of it: pin that one, {}, not the index",
            consumer.title(),
            chosen.digest
        ));
    }
    let mut refusals = Vec::new();
    if let Some(pin) = pin.or(image.asked_for()).filter(|pin| **pin != chosen.digest) {
        refusals.push(wrong_pin(consumer, image, pin, &chosen)?);
    }
    let takes = match module_of(consumer, image, &chosen.manifest, UNPACKED_LIMIT)? {
        Ok(found) => {
            refusals.extend(refusal_of(consumer, &found.module));
            Some(found.takes)
        }
        Err(refusal) => {
            refusals.push(refusal);
            None
        }
    };
    Ok(Verdict::new(consumer, takes, refusals, notes))
}

fn wrong_pin(consumer: Consumer, image: &Image<'_>, pin: &Digest, chosen: &Chosen) -> Result<Refusal, Error> {
    let what = what_is(image, pin)?.unwrap_or("nothing in this image");
    let refusal = Refusal::new(
        format!(
            "the pin {pin} is the digest of {what}; {} compares it with that of the image manifest",
            consumer.title()
        ),
        format!("pin {}, the digest of the image manifest", chosen.digest),
    );
    Ok(refusal.saying(format!("has checksum {}, which does not match: {}", chosen.digest.hex(), pin.hex())))
}

/// Whether the agent, and the proxy after it, would load these bytes.
fn refusal_of(consumer: Consumer, module: &[u8]) -> Option<Refusal> {
    if has_magic(module) {
        return envoy::refusal_of(consumer, module);
    }
    let refusal = Refusal::new(
        "`plugin.wasm` does not begin with `\\0asm`, so it is not WebAssembly",
        "pack the file that the linker wrote, neither compressed nor as text (`.wat`)",
    );
    Some(refusal.saying("fetched Wasm binary from ... is invalid"))
}

/// A module that was taken out of an image, and how.
pub(super) struct Found {
    pub(super) module: Vec<u8>,
    pub(super) takes: String,
}

/// Takes the module out of an image in one of the three ways that the agent knows.
pub(super) fn module_of(
    consumer: Consumer,
    image: &Image<'_>,
    manifest: &Manifest,
    limit: u64,
) -> Result<Result<Found, Refusal>, Error> {
    let is_docker = manifest.media_type.as_deref() == Some(media::DOCKER_MANIFEST);
    let wanted = if is_docker { media::DOCKER_TAR_GZIP } else { media::OCI_TAR_GZIP };
    let Some(last) = manifest.layers.last() else {
        let refusal = Refusal::new("the image has no layers", PACK);
        return Ok(Err(refusal.saying("number of layers must be greater than zero")));
    };
    let artifact = artifact(manifest).filter(|_| !is_docker);
    if last.media_type == wanted {
        let count = manifest.layers.len();
        let found = from_archive(consumer, image, last, limit)?;
        // An archive without the module is tried as an artifact, as a layer of any other type is.
        if found.is_ok() || artifact.is_none() {
            return Ok(found.map(|module| Found {
                takes: format!("plugin.wasm ({} bytes) of layer {count} of {count}", module.len()),
                module,
            }));
        }
    }
    if let Some(module) = artifact {
        if module.size > limit {
            return Ok(Err(too_large(consumer, limit)));
        }
        let bytes = image.blob(module)?;
        return Ok(Ok(Found {
            takes: format!("the module of an artifact of two layers ({} bytes)", bytes.len()),
            module: bytes.to_vec(),
        }));
    }
    Ok(Err(wrong_layers(consumer, manifest, last, wanted)))
}

/// The module of Solo's artifact: one of exactly two layers.
fn artifact(manifest: &Manifest) -> Option<&Descriptor> {
    let layers = manifest.layers.as_slice();
    layers.iter().find(|layer| layers.len() == 2 && layer.media_type == media::SOLO_MODULE)
}

fn from_archive(
    consumer: Consumer,
    image: &Image<'_>,
    layer: &Descriptor,
    limit: u64,
) -> Result<Result<Vec<u8>, Refusal>, Error> {
    if layer.size > BLOB_LIMIT {
        return Ok(Err(too_large(consumer, limit)));
    }
    let bytes = image.blob(layer)?;
    Ok(layer::module_of(&bytes, Packing::TarGzip, limit).map_err(|missing| match missing {
        Missing::TooLarge => too_large(consumer, limit),
        Missing::NoModule => Refusal::new("the last layer has no file named `plugin.wasm`, in any folder", PACK)
            .saying("plugin.wasm not found in the archive"),
        Missing::NotGzip => {
            Refusal::new(format!("the last layer says `{}` and is not gzipped", layer.media_type), PACK)
                .saying("failed to parse layer as tar.gz")
        }
        Missing::Damaged(reason) => {
            Refusal::new(format!("the archive of the last layer cannot be read: {reason}"), PACK)
                .saying("could not extract wasm binary")
        }
    }))
}

fn too_large(consumer: Consumer, limit: u64) -> Refusal {
    let refusal = Refusal::new(
        format!("{} unpacks at most {limit} bytes, and the module does not end before that", consumer.title()),
        "put less into the image: a module has a few hundred thousand bytes",
    );
    refusal.saying("unexpected EOF")
}

fn wrong_layers(consumer: Consumer, manifest: &Manifest, last: &Descriptor, wanted: &str) -> Refusal {
    let who = consumer.title();
    let count = manifest.layers.len();
    let mut words = format!("invalid media type {} (expect {wanted})", last.media_type);
    let why = if let Some(place) = manifest.layers.iter().position(|layer| layer.media_type == wanted) {
        format!("the archive is layer {} of {count}, and {who} reads the last layer only", place + 1)
    } else if last.media_type.ends_with("zstd") {
        format!("the last layer is compressed with zstd, and {who} unpacks gzip only")
    } else if matches!(last.media_type.as_str(), media::OCI_TAR | media::DOCKER_TAR) {
        format!("the last layer is not compressed, and {who} takes gzipped archives only")
    } else if matches!(last.media_type.as_str(), media::OCI_TAR_GZIP | media::DOCKER_TAR_GZIP) {
        format!(
            "the last layer is a `{}` and the manifest wants a `{wanted}`: Docker's and OCI's types are mixed",
            last.media_type
        )
    } else if last.media_type == media::CNCF_MODULE || manifest.config.media_type == media::CNCF_CONFIG {
        "it is a CNCF Wasm artifact, for runtimes of WebAssembly: no control plane of Envoy reads it".to_owned()
    } else if last.media_type == media::WASM_TO_OCI_MODULE {
        format!("it is an artifact of `wasm-to-oci`, whose layer type {who} does not know")
    } else if last.media_type == media::SOLO_MODULE {
        words = format!("number of layers must be 2 but got {count}");
        format!(
            "the module lies in the image as it is; then {who} wants exactly two layers, it and a configuration, not {count}"
        )
    } else {
        format!("the last layer is a `{}`, and {who} takes a `{wanted}`", last.media_type)
    };
    Refusal::new(why, PACK).saying(words)
}
