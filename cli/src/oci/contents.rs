//! What an image of a module of Weir has besides the module: licences, what was linked into it, and annotations.

use crate::Failure;
use std::collections::BTreeMap;
use weir_launch::SUPPORTED;
use weir_oci::Package;

const LICENSE: &[u8] = include_bytes!("../../../LICENSE");

/// The image of `module`, whose bytes are `plugin`.
pub(super) fn package<'a>(module: &str, plugin: &'a [u8]) -> Result<Package<'a>, Failure> {
    let envoys: Vec<&str> = SUPPORTED.iter().map(|entry| entry.version).collect();
    let annotations = [
        ("org.opencontainers.image.title", format!("weir {module}")),
        ("org.opencontainers.image.description", format!("The {module} module of Weir, a filter for Envoy")),
        ("org.opencontainers.image.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("org.opencontainers.image.licenses", "Apache-2.0".to_owned()),
        ("weir.module", module.to_owned()),
        ("weir.tested-envoy", envoys.join(" ")),
    ];
    Ok(Package {
        plugin,
        files: vec![("LICENSE", LICENSE.to_vec())],
        annotations: BTreeMap::from(annotations.map(|(key, value)| (key.to_owned(), value))),
    })
}
