//! Where Weir documents are in a file: the file itself, an AuthorizationPolicy, or what an Envoy bootstrap, an EnvoyFilter
//! or a WasmPlugin gives its plugins; and what stands around them that bears on what they do.

use crate::filter_state::Writer;
use crate::plugin::{Around, Discovery, Plugin, Root};
use crate::routes::{self, PathOption};
use crate::{Failure, yaml};
use serde_json::{Value, json};
use std::path::Path;
use weir_model::Node;

/// A Weir document, and the JSON path of it in its file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) document: Value,
    /// What of the document is in the file, as a JSON path.
    pub(crate) part: &'static str,
    /// The plugin that it configures.
    pub(crate) plugin: Option<Plugin>,
    /// The node of the bootstrap that it is in.
    pub(crate) node: Option<Node>,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Contents {
    pub(crate) found: Vec<Found>,
    /// Whether routes are matched with path parameters, wherever the file shows it.
    pub(crate) path_options: Vec<PathOption>,
    /// Filters whose configuration is discovered.
    pub(crate) discoveries: Vec<Discovery>,
    /// What writes filter state.
    pub(crate) writers: Vec<Writer>,
}

impl Found {
    fn new(path: &str, document: Value) -> Self {
        Self { path: path.to_owned(), document, part: WHOLE, plugin: None, node: None }
    }

    /// A policy, or a list of them.
    fn policies(path: &str, object: &Value) -> Self {
        let document = json!({"schema": 1, "name": "validate", "policies": [object]});
        Self { path: path.to_owned(), document, part: "$.policies[0]", plugin: None, node: None }
    }

    /// Whether the whole document is in the file.
    pub(crate) fn is_whole(&self) -> bool {
        self.part == WHOLE
    }
}

const WHOLE: &str = "$";

/// Every document of a YAML or JSON file. What is not a Kubernetes object, has no plugin and is not Envoy's is taken for a
/// document itself.
///
/// # Errors
/// If the file cannot be read or is not YAML.
pub(crate) fn read_all(path: &Path) -> Result<Contents, Failure> {
    let text = read(path)?;
    find(&text).map_err(|error| Failure::No(format!("`{}`: {error}", path.display())))
}

/// The text of a file.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::Use(format!("`{}` cannot be read: {error}", path.display())))
}

fn find(text: &str) -> Result<Contents, String> {
    Contents::of_all(&yaml::all(text)?)
}

/// The path of one of several documents of a file.
fn root(index: usize, count: usize) -> String {
    if count > 1 { format!("document {}: $", index + 1) } else { "$".to_owned() }
}

impl Contents {
    /// What one tree holds, at the path `$`.
    ///
    /// # Errors
    /// A plugin's configuration that is a text and no JSON.
    pub(crate) fn of(tree: &Value) -> Result<Self, String> {
        let mut contents = Self::default();
        contents.add(tree, "$")?;
        Ok(contents)
    }

    /// What several trees of one file hold.
    ///
    /// # Errors
    /// As [`Contents::of`].
    pub(crate) fn of_all(trees: &[Value]) -> Result<Self, String> {
        let mut contents = Self::default();
        for (index, tree) in trees.iter().enumerate() {
            contents.add(tree, &root(index, trees.len()))?;
        }
        Ok(contents)
    }

    /// Whether there is nothing of Weir's or for Weir in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty() && self.path_options.is_empty()
    }

    fn add(&mut self, tree: &Value, root: &str) -> Result<(), String> {
        let before = self.found.len();
        self.plugins(tree, root, &Around::default())?;
        if self.found.len() > before {
            // Of a list, the policies that stand beside the plugins.
            for (index, item) in tree.get("items").and_then(Value::as_array).into_iter().flatten().enumerate() {
                if item.get("kind").and_then(Value::as_str) == Some("AuthorizationPolicy") {
                    self.found.push(Found::policies(&format!("{root}.items[{index}]"), item));
                }
            }
            return Ok(());
        }
        match tree.get("kind").map(Value::as_str) {
            None if routes::are_envoys(tree) => {}
            None => self.found.push(Found::new(root, tree.clone())),
            Some(Some("AuthorizationPolicy" | "AuthorizationPolicyList" | "List")) => {
                self.found.push(Found::policies(root, tree));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Adds the configurations of the plugins in `value`.
    fn plugins(&mut self, value: &Value, path: &str, around: &Around) -> Result<(), String> {
        match value {
            Value::Object(fields) => {
                let around = around.inside(value, path);
                self.path_options.extend(PathOption::of(value, path, &around));
                self.discoveries.extend(Discovery::of(value, path));
                self.writers.extend(Writer::of(value, path));
                if let Some((plugin, suffix)) = Plugin::of(value, path, &around) {
                    if let Root::Foreign = plugin.root {
                        return Ok(());
                    }
                    let path = format!("{path}.{suffix}");
                    let configured = value.pointer(&format!("/{}", suffix.replace('.', "/")));
                    let document = match configured {
                        Some(Value::String(text)) => yaml::json(text).map_err(|error| format!("{path}: {error}"))?,
                        Some(other) => other.clone(),
                        None => return Ok(()),
                    };
                    let node = around.node.clone();
                    self.found.push(Found { path, document, part: WHOLE, plugin: Some(plugin), node });
                    return Ok(());
                }
                fields.iter().try_for_each(|(name, value)| self.plugins(value, &format!("{path}.{name}"), &around))
            }
            Value::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| self.plugins(value, &format!("{path}[{index}]"), around)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
