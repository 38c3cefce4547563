//! Files of the operator's as trees with positions: folders, standard input, several documents in a file, YAML as kubectl
//! reads it, JSON as Envoy reads it.

mod files;
mod kustomization;
mod path;
mod scalar;
mod separator;
mod template;
mod tree;
mod yaml;

#[cfg(not(target_family = "wasm"))]
pub(crate) use files::has_ending;
pub(crate) use files::{STDIN, Source, files_of, open, read_all, read_text, root, trees};
pub(crate) use kustomization::Kustomizations;
pub(crate) use path::{field, in_any_item, in_document};
pub(crate) use template::is_template;
pub(crate) use tree::Position;
pub(crate) use yaml::{Document, Fault, json, one};
