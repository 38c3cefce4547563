//! A document that was found, and what of it is in the file.

use crate::compile::Standing;
use crate::plugin::Plugin;
use serde_json::{Value, json};
use weir_model::Node;

/// A Weir document, and the JSON path of it in its file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) document: Value,
    pub(crate) share: Share,
    /// The plugin that it configures.
    pub(crate) plugin: Option<Plugin>,
    /// The node of the bootstrap that it is in.
    pub(crate) node: Option<Node>,
}

/// What of a document is in the file; the rest was made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    Whole,
    /// One of its policies.
    Policy,
    /// The limits: an envoyproxy/ratelimit configuration.
    Limits,
    /// `rate_limits` and `apply`.
    Actions,
}

impl Found {
    pub(super) fn new(path: &str, document: Value) -> Self {
        Self { path: path.to_owned(), document, share: Share::Whole, plugin: None, node: None }
    }

    /// A policy.
    pub(super) fn policy(path: &str, object: &Value) -> Self {
        let document = json!({"schema": 1, "name": "validate", "policies": [object]});
        Self { share: Share::Policy, ..Self::new(path, document) }
    }

    /// An envoyproxy/ratelimit configuration.
    pub(super) fn limits(path: &str, config: &Value) -> Self {
        let document = json!({"schema": 1, "name": "validate", "local": {"config": config}});
        Self { share: Share::Limits, ..Self::new(path, document) }
    }

    /// `rate_limits` and `apply`.
    pub(super) fn actions(path: &str, actions: &Value) -> Self {
        let mut document = json!({"schema": 1, "name": "validate", "local": {"config": {"domain": "validate"}}});
        if let (Some(fields), Some(own)) = (document.as_object_mut(), actions.as_object()) {
            fields.extend(own.clone());
        }
        Self { share: Share::Actions, ..Self::new(path, document) }
    }

    /// A path of the document as it is in the file.
    pub(crate) fn location(&self, path: &str) -> String {
        let part = match self.share {
            Share::Whole | Share::Actions => "$",
            Share::Policy => "$.policies[0]",
            Share::Limits => "$.local.config",
        };
        format!("{}{}", self.path, path.strip_prefix(part).or(path.strip_prefix('$')).unwrap_or(path))
    }

    /// What is around the document.
    pub(crate) fn standing(&self) -> Standing {
        match &self.plugin {
            _ if self.share == Share::Policy => Standing::Policy,
            Some(_) => Standing::Plugin,
            None => Standing::Alone,
        }
    }

    /// Whether the whole document is in the file.
    pub(crate) fn is_whole(&self) -> bool {
        self.share == Share::Whole
    }
}
