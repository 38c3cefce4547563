//! What a file of WebAssembly is to an Envoy: a module of the proxy-wasm ABI, or something that it cannot load.

use std::fmt;
use wasmparser::{Encoding, Parser, Payload};

/// How the name of the function begins by which a module says which ABI it speaks.
const ABI_PREFIX: &str = "proxy_abi_version_";

/// The ABI versions that every supported line of Envoy knows.
pub(crate) const ENVOY_ABIS: [&str; 3] = ["0.1.0", "0.2.0", "0.2.1"];

/// A module of the proxy-wasm ABI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The version of the ABI that it speaks: `0.2.1`.
    pub abi: String,
    /// The names of the functions that it imports.
    pub imports: Vec<String>,
}

/// Why no proxy can load a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleError {
    /// It does not begin as WebAssembly does.
    NotWasm,
    /// It is a component, not a core module.
    Component,
    /// It cannot be read to its end.
    Damaged(String),
    /// It does not say which ABI it speaks.
    NoAbi,
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWasm => f.write_str("does not begin with `\\0asm`, so it is not WebAssembly"),
            Self::Component => f.write_str("is a component, and proxies load core modules only"),
            Self::Damaged(reason) => write!(f, "is a damaged module: {reason}"),
            Self::NoAbi => write!(f, "exports no `{ABI_PREFIX}...`, so it is not a module for a proxy"),
        }
    }
}

impl std::error::Error for ModuleError {}

/// Whether Istio's agent and its copies let these bytes pass: they look only at the first four, of at least eight.
pub(crate) fn has_magic(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes.starts_with(b"\0asm")
}

impl Module {
    /// Reads a module.
    ///
    /// # Errors
    /// When no proxy could load it.
    pub fn read(bytes: &[u8]) -> Result<Self, ModuleError> {
        if !has_magic(bytes) {
            return Err(ModuleError::NotWasm);
        }
        let damaged = |error: wasmparser::BinaryReaderError| ModuleError::Damaged(error.to_string());
        let (mut imports, mut abi) = (Vec::new(), None);
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(damaged)? {
                Payload::Version { encoding: Encoding::Component, .. } => return Err(ModuleError::Component),
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        imports.push(import.map_err(damaged)?.name.to_owned());
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let name = export.map_err(damaged)?.name;
                        abi = abi.or_else(|| Some(name.strip_prefix(ABI_PREFIX)?.replace('_', ".")));
                    }
                }
                _ => {}
            }
        }
        Ok(Self { abi: abi.ok_or(ModuleError::NoAbi)?, imports })
    }
}

#[cfg(test)]
mod tests;
