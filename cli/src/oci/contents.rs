//! What an image of a module of Weir has besides the module: licences, what was linked into it, and annotations.

use super::inventory::Linked;
use super::schema;
use crate::compile::Module;
use crate::{Failure, modules};
use std::collections::BTreeMap;
use weir_launch::SUPPORTED;
use weir_oci::{Digest, Package};

const LICENSE: &[u8] = include_bytes!("../../../LICENSE");

/// The image of `module`, whose bytes are `plugin`. What is linked into it is known only of the module inside this binary.
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
    let mut files = vec![("LICENSE", LICENSE.to_vec())];
    if let Some(module) = Module::named(module) {
        files.push(("config.schema.json", schema::of(module)?));
    }
    if modules::find(&format!("{module}.wasm")) == Some(plugin) {
        let linked = Linked::into(module)?;
        files.push(("sbom.cdx.json", linked.sbom(&Digest::of(plugin))));
        files.push(("licenses.txt", linked.licenses()));
    } else {
        note!("weir: this is not the {module} module of this weir: the image gets no sbom.cdx.json and licenses.txt");
    }
    Ok(Package { plugin, files, annotations: BTreeMap::from(annotations.map(|(key, value)| (key.to_owned(), value))) })
}
