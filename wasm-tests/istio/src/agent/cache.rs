//! The agent's cache of modules: when it fetches, what it checks, and where it puts them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What a registry or a server gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The module, out of its image or archive.
    pub module: Vec<u8>,
    /// Of an image, the digest of its manifest: 64 hexadecimal digits. `None` for a file.
    pub manifest: Option<String>,
}

/// Asks registries and servers. Implement it with a real client, or with a table.
pub trait Fetch {
    /// The image at `oci://HOST/PATH[:TAG|@DIGEST]`, or the file at an `http` or `https` address. `secret` is a Docker
    /// configuration.
    ///
    /// # Errors
    /// Why there is none.
    fn fetch(&mut self, url: &str, secret: Option<&str>) -> Result<Fetched, String>;
}

impl<F: FnMut(&str, Option<&str>) -> Result<Fetched, String>> Fetch for F {
    fn fetch(&mut self, url: &str, secret: Option<&str>) -> Result<Fetched, String> {
        self(url, secret)
    }
}

/// When a module that is in the cache is fetched again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// As [`Always`](Self::Always) for an image whose tag is written as `latest`, else as
    /// [`IfNotPresent`](Self::IfNotPresent).
    #[default]
    Unspecified,
    /// Never.
    IfNotPresent,
    /// When the object that asks for it has changed. The agent never polls.
    Always,
}

/// What a plugin asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) url: &'a str,
    /// Empty where any will do.
    pub(super) checksum: &'a str,
    /// The name of the resource.
    pub(super) resource: &'a str,
    /// The version of the object.
    pub(super) version: &'a str,
    pub(super) policy: PullPolicy,
    pub(super) secret: Option<&'a str>,
}

/// Modules by name and checksum, and which checksum an address had.
#[derive(Debug, Default)]
pub(super) struct Cache {
    directory: PathBuf,
    modules: BTreeMap<(String, String), PathBuf>,
    checksums: BTreeMap<String, Known>,
}

/// What is known of an address that may lead to another module later.
#[derive(Debug, Default)]
struct Known {
    checksum: String,
    /// The version of each resource's object when it asked last.
    versions: BTreeMap<String, String>,
}

impl Cache {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, ..Self::default() }
    }

    /// The file of a module: that in the cache, or one that is fetched now. The checksum is that of the image's manifest
    /// or, for a file, of the module.
    pub(super) fn get(&mut self, wanted: &Wanted<'_>, fetch: &mut dyn Fetch) -> Result<PathBuf, String> {
        let (found, checksum) = self.look_up(wanted, wanted.checksum, ignores_version(wanted));
        if let Some(file) = found {
            return Ok(file);
        }
        let scheme = wanted.url.split_once(':').map_or("", |(scheme, _)| scheme);
        if !["http", "https", "oci"].contains(&scheme) {
            return Err(format!("unsupported scheme `{scheme}`"));
        }
        let Fetched { module, manifest } = fetch.fetch(wanted.url, wanted.secret)?;
        let own = manifest.filter(|_| scheme == "oci").unwrap_or_else(|| sha256(&module));
        if checksum.is_empty() {
            if let (Some(file), _) = self.look_up(wanted, &own, true) {
                return Ok(file);
            }
        } else if checksum != own {
            return Err(format!(
                "module downloaded from {} has checksum {own}, which does not match: {checksum}",
                wanted.url
            ));
        }
        if module.len() < 8 || !module.starts_with(b"\0asm") {
            return Err(format!("fetched Wasm binary from {} is invalid", wanted.url));
        }
        self.keep(wanted, &own, &module)
    }

    /// The file in the cache, and the checksum that is to be fetched if there is none.
    fn look_up(&mut self, wanted: &Wanted<'_>, checksum: &str, ignore_version: bool) -> (Option<PathBuf>, String) {
        let mut checksum = checksum.to_owned();
        if checksum.is_empty() && wanted.url.starts_with(OCI) {
            checksum = wanted.url.split_once("@sha256:").map_or(String::new(), |(_, digest)| digest.to_owned());
        }
        if checksum.is_empty()
            && let Some(known) = self.checksums.get_mut(wanted.url)
        {
            if ignore_version || known.versions.get(wanted.resource).map_or("", String::as_str) == wanted.version {
                checksum.clone_from(&known.checksum);
            }
            known.versions.insert(wanted.resource.to_owned(), wanted.version.to_owned());
        }
        let found = self.modules.get(&(name(wanted.url), checksum.clone())).cloned();
        if found.is_some() {
            self.remember(wanted, &checksum);
        }
        (found, checksum)
    }

    fn remember(&mut self, wanted: &Wanted<'_>, checksum: &str) {
        if wanted.url.starts_with(OCI) && wanted.url.contains('@') {
            return;
        }
        let known = self.checksums.entry(wanted.url.to_owned()).or_default();
        checksum.clone_into(&mut known.checksum);
        known.versions.insert(wanted.resource.to_owned(), wanted.version.to_owned());
    }

    fn keep(&mut self, wanted: &Wanted<'_>, checksum: &str, module: &[u8]) -> Result<PathBuf, String> {
        self.remember(wanted, checksum);
        let key = (name(wanted.url), checksum.to_owned());
        if let Some(file) = self.modules.get(&key) {
            return Ok(file.clone());
        }
        let file = self.directory.join(sha256(key.0.as_bytes())).join(format!("{checksum}.wasm"));
        let written =
            fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).and_then(|()| fs::write(&file, module));
        written.map_err(|error| format!("{}: {error}", file.display()))?;
        self.modules.insert(key, file.clone());
        Ok(file)
    }
}

const OCI: &str = "oci://";

/// The name of a module: an address, of an image without tag and digest.
fn name(url: &str) -> String {
    let Some(image) = url.strip_prefix(OCI) else { return url.to_owned() };
    let image = image.split_once('@').map_or(image, |(image, _)| image);
    let tag = image.rfind(':').filter(|colon| image.rfind('/').is_none_or(|slash| slash < *colon));
    format!("{OCI}{}", tag.and_then(|colon| image.get(..colon)).unwrap_or(image))
}

/// Whether a module that is in the cache will do, also if the object has changed.
fn ignores_version(wanted: &Wanted<'_>) -> bool {
    match wanted.policy {
        PullPolicy::Always => false,
        PullPolicy::IfNotPresent => true,
        PullPolicy::Unspecified => !(wanted.url.starts_with(OCI) && wanted.url.ends_with(":latest")),
    }
}

/// SHA-256 in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
