//! A Kubernetes node that mounts the image (`volumes[].image`), so that Envoy loads the module as a file.
//!
//! After `core/images`, `core/unpack` and `client/image.go` of containerd, which is stricter than CRI-O: CRI-O also mounts
//! artifacts.

use super::{Consumer, PACK, Refusal, Verdict, agent, envoy};
use crate::layer::{self, Listing, Packing};
use crate::store::{self, Choice, Document};
use crate::{Config, Descriptor, Digest, Error, Image, Manifest, media};

const CONSUMER: Consumer = Consumer::ImageVolume;

/// The bit that lets everybody read a file. Istio's proxy runs as user 1337, who does not own it.
const READABLE_BY_ALL: u32 = 0o004;

pub(super) fn judge(image: &Image<'_>, pin: Option<&Digest>) -> Result<Verdict, Error> {
    let Some(chosen) = image.choose(Choice::Node)? else {
        let refusal = Refusal::new(
            "the index has no image for linux/amd64",
            "WebAssembly is the same for all machines: push one plain manifest, which every node takes",
        );
        let refusal = refusal.saying("no match for platform in manifest");
        return Ok(Verdict::new(CONSUMER, None, vec![refusal], Vec::new()));
    };
    let mut refusals = Vec::new();
    let pin = pin.or(image.asked_for());
    if let Some(pin) = pin.filter(|pin| **pin != chosen.digest && **pin != image.root().digest()) {
        refusals.push(Refusal::new(
            format!("the pin {pin} is the digest of no manifest of this image"),
            format!("write `reference: ...@{}`", image.root().digest()),
        ));
    }
    let notes = match image.document()? {
        Document::Manifest(_) => Vec::new(),
        Document::Index(_) => {
            vec!["it is an index: nodes that are not in it (arm64, for one) cannot mount the image".to_owned()]
        }
    };
    let takes = match mounted(image, &chosen.manifest)? {
        Ok(takes) => {
            refusals.extend(takes.refusal);
            Some(takes.words)
        }
        Err(refusal) => {
            refusals.push(refusal);
            None
        }
    };
    Ok(Verdict::new(CONSUMER, takes, refusals, notes))
}

/// What Envoy finds below the mount.
struct Takes {
    words: String,
    refusal: Option<Refusal>,
}

/// A layer that a node unpacks, and this does not.
fn not_looked_into(why: &str) -> Takes {
    Takes { words: format!("a layer that is {why}: what it has is not known here"), refusal: None }
}

fn mounted(image: &Image<'_>, manifest: &Manifest) -> Result<Result<Takes, Refusal>, Error> {
    let layers: Vec<(&Descriptor, Packing)> =
        manifest.layers.iter().filter_map(|layer| Some((layer, Packing::of(&layer.media_type)?))).collect();
    if layers.is_empty() {
        return Ok(Err(Refusal::new("none of the layers is an archive, so there is nothing to unpack", PACK)));
    }
    if !media::is_image_config(&manifest.config.media_type) {
        let why = format!("the configuration is a `{}`, and a node mounts images only", manifest.config.media_type);
        return Ok(Err(Refusal::new(why, PACK).saying("mismatched image rootfs and manifest layers")));
    }
    let Ok(config) = store::parse::<Config>(&image.blob(&manifest.config)?, image.place()) else {
        return Ok(
            Err(Refusal::new("the configuration is not one of an image", PACK).saying("unmarshal image config")),
        );
    };
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != layers.len() {
        let why = format!(
            "`rootfs.diff_ids` of the configuration has {} digests, and there are {} layers to unpack",
            diff_ids.len(),
            layers.len()
        );
        let words = format!("number of layers and diffIDs don't match: {} != {}", layers.len(), diff_ids.len());
        return Ok(Err(Refusal::new(why, PACK).saying(words)));
    }
    // A later layer replaces the files of those below it.
    let mut found = None;
    for ((layer, packing), diff_id) in layers.iter().zip(diff_ids) {
        let listing = match image.blob(layer).and_then(|bytes| layer::list(&bytes, *packing, image.place())) {
            Ok(Some(listing)) => listing,
            Ok(None) => return Ok(Ok(not_looked_into("packed with zstd"))),
            Err(Error::TooLarge { .. }) => return Ok(Ok(not_looked_into("too large to be looked into"))),
            Err(Error::Malformed { reason, .. }) => {
                return Ok(Err(Refusal::new(format!("the archive of a layer cannot be read: {reason}"), PACK)));
            }
            Err(error) => return Err(error),
        };
        if listing.diff_id != *diff_id {
            let why = format!("a layer unpacks to {}, and the configuration says {diff_id}", listing.diff_id);
            return Ok(Err(Refusal::new(why, PACK).saying("wrong diff id")));
        }
        found = plugin(&listing).map(|(path, mode)| (path, mode, *layer, *packing)).or(found);
    }
    let Some((path, mode, layer, packing)) = found else {
        return Ok(Err(Refusal::new("no layer has a file named `plugin.wasm`", PACK)));
    };
    let refusal = if mode & READABLE_BY_ALL == 0 {
        let why = format!("`{path}` has mode {mode:04o}: Envoy, which runs as another user, cannot read it");
        Some(Refusal::new(why, "pack the file with mode 0644"))
    } else {
        let module = layer::module_of(&image.blob(layer)?, packing, agent::UNPACKED_LIMIT);
        module.ok().and_then(|module| envoy::refusal_of(CONSUMER, &module))
    };
    Ok(Ok(Takes { words: format!("{path} below the mount"), refusal }))
}

fn plugin(listing: &Listing) -> Option<(String, u32)> {
    let entry = listing.entries.iter().find(|entry| entry.is_file && entry.name() == layer::PLUGIN)?;
    Some((below_the_mount(&entry.path), entry.mode))
}

/// Where a node puts a file of an archive: containerd and CRI-O clean its path as if the mount were the root of all.
fn below_the_mount(path: &str) -> String {
    let mut steps = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.join("/")
}
