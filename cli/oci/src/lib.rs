//! A module as an OCI image: how it is made, where it is kept, who would load it and which digest each of them wants.
//!
//! Everything that pulls a proxy-wasm module has rules of its own about the image around it, and each rule was learned from
//! the source or the documentation of the one that has it ([`consumers`]). So one image is made that all of them take
//! ([`Package`]): a plain manifest, no index, and one gzipped layer with `plugin.wasm` and what belongs to it.
//!
//! Images lie in a folder ([`Layout`]) or in a registry ([`Registry`]). Both are a [`Store`], so that they are read,
//! copied and judged by the same code.

pub mod consumers;
mod digest;
mod error;
mod image;
mod inspect;
mod layer;
mod layout;
mod media;
mod module;
mod package;
#[cfg(feature = "registry")]
mod registry;
mod store;
#[cfg(test)]
mod testing;

pub use digest::Digest;
pub use error::{Error, without_login};
pub use image::{Config, Descriptor, Execution, Index, Manifest, Platform, RootFs};
pub use inspect::{Inspection, inspect};
pub use layer::{Entry, Listing};
pub use layout::{Layout, NewLayout};
pub use module::{Module, ModuleError};
pub use package::{Package, Packed};
#[cfg(feature = "registry")]
pub use registry::{Access, Push, Registry};
pub use store::{Document, Image, Raw, Sink, Store, copy};
