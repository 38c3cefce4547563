//! What is linked into a module, as the files of an image that say so: a CycloneDX SBOM, and the licences.
//!
//! The list is in `cli/inventory/crates.json`, which a test keeps current, so that nothing is asked of cargo or the network
//! here.

use crate::Failure;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use weir_oci::Digest;

const CRATES: &str = include_str!("../../inventory/crates.json");
const TOOLCHAIN: &str = include_str!("../../inventory/toolchain.txt");

/// The crates of all modules, by name and version.
#[derive(Deserialize)]
struct Inventory {
    /// The version of the toolchain, and so of the standard library.
    rust: String,
    crates: BTreeMap<String, Crate>,
}

/// A crate.
#[derive(Deserialize)]
struct Crate {
    /// Its licence, as an SPDX expression.
    license: String,
    /// The digest of its archive; nothing for those of Weir itself.
    sha256: Option<String>,
    /// The texts of its licences, without that of the Apache License.
    #[serde(default)]
    texts: Vec<String>,
    /// The crates that it is linked with.
    uses: BTreeSet<String>,
}

/// What is linked into one module.
pub(super) struct Linked {
    module: String,
    inventory: Inventory,
    /// The crates, by name and version.
    names: BTreeSet<String>,
    root: String,
}

impl Linked {
    /// What is linked into a module, by the name of its file: `suite-lean`.
    pub(super) fn into(module: &str) -> Result<Self, Failure> {
        let inventory: Inventory =
            serde_json::from_str(CRATES).map_err(|error| Failure::Use(format!("the inventory of crates: {error}")))?;
        let crate_name = module.trim_end_matches("-lean").trim_end_matches("-response").trim_end_matches("-audit");
        let root = format!("weir-{crate_name}-module {}", env!("CARGO_PKG_VERSION"));
        let (mut names, mut next) = (BTreeSet::new(), vec![root.clone()]);
        while let Some(name) = next.pop() {
            let Some(found) = inventory.crates.get(&name) else {
                return Err(Failure::Use(format!("the inventory of crates lacks {name}: run `make inventory`")));
            };
            if names.insert(name) {
                next.extend(found.uses.iter().cloned());
            }
        }
        Ok(Self { module: module.to_owned(), inventory, names, root })
    }

    fn crates(&self) -> impl Iterator<Item = (&String, &Crate)> {
        self.inventory.crates.iter().filter(|(name, _)| self.names.contains(*name))
    }

    /// The software bill of materials of the module whose bytes have that digest, in
    /// [CycloneDX 1.6](https://cyclonedx.org/docs/1.6/json/).
    pub(super) fn sbom(&self, plugin: &Digest) -> Vec<u8> {
        let mut components: Vec<Value> = self.crates().filter(|(name, _)| **name != self.root).map(component).collect();
        components.push(json!({
            "type": "library", "bom-ref": "rust-std", "name": "rust-std", "version": self.inventory.rust,
            "description": "The Rust standard library",
            "licenses": [{"expression": "MIT OR Apache-2.0"}],
        }));
        components.push(json!({
            "type": "library", "bom-ref": "wasi-libc", "name": "wasi-libc",
            "description": "The C library of wasm32-wasip1, as the Rust toolchain brings it",
            "licenses": [{"expression": "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT"}],
        }));
        let mut dependencies: Vec<Value> = self
            .crates()
            .map(|(name, found)| {
                let mut uses: Vec<String> = found.uses.iter().map(|name| reference(name)).collect();
                if *name == self.root {
                    uses.push("rust-std".to_owned());
                }
                json!({"ref": reference(name), "dependsOn": uses})
            })
            .collect();
        dependencies.push(json!({"ref": "rust-std", "dependsOn": ["wasi-libc"]}));
        let bom = json!({
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {"component": {
                "type": "application",
                "bom-ref": reference(&self.root),
                "name": format!("weir {}", self.module),
                "version": env!("CARGO_PKG_VERSION"),
                "licenses": [{"expression": "Apache-2.0"}],
                "hashes": [{"alg": "SHA-256", "content": plugin.hex()}],
            }},
            "components": components,
            "dependencies": dependencies,
        });
        format!("{bom:#}\n").into_bytes()
    }

    /// The licences of all that is linked into the module, and whose they are. A text that several crates have is there once.
    pub(super) fn licenses(&self) -> Vec<u8> {
        let mut text = format!(
            "This is linked into plugin.wasm, the {} module of Weir {}. Weir is licensed under the Apache License, Version 2.0: \
             see the file LICENSE beside this one. Where a crate offers that licence among others, it is taken.\n",
            self.module,
            env!("CARGO_PKG_VERSION")
        );
        let others: Vec<(&String, &Crate)> = self.crates().filter(|(_, found)| found.sha256.is_some()).collect();
        for (name, found) in &others {
            text.push_str(&format!("\n{name}: {}", found.license));
        }
        let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, found) in &others {
            for text in &found.texts {
                texts.entry(text).or_default().push(name);
            }
        }
        let mut texts: Vec<(Vec<&str>, &str)> = texts.into_iter().map(|(text, names)| (names, text)).collect();
        texts.sort_unstable();
        for (names, licence) in texts {
            let title = names.join(", ");
            text.push_str(&format!("\n\n{title}\n{}\n\n{licence}", "=".repeat(title.chars().count())));
        }
        text.push_str("\n\n");
        text.push_str(TOOLCHAIN);
        text.into_bytes()
    }
}

fn reference(name: &str) -> String {
    name.replace(' ', "@")
}

fn component((name, found): (&String, &Crate)) -> Value {
    let (crate_name, version) = name.split_once(' ').unwrap_or((name, ""));
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(name),
        "name": crate_name,
        "version": version,
        "licenses": [{"expression": found.license}],
    });
    if let (Some(sha256), Some(fields)) = (&found.sha256, component.as_object_mut()) {
        fields.insert("purl".to_owned(), json!(format!("pkg:cargo/{crate_name}@{version}")));
        fields.insert("hashes".to_owned(), json!([{"alg": "SHA-256", "content": sha256}]));
    }
    component
}
