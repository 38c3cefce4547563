//! Who the proxy is: the static facts of its bootstrap node, given once per configuration.

use std::collections::BTreeMap;

/// Fields of a `google.protobuf.Struct`.
pub type Struct = BTreeMap<String, StructValue>;

/// A value of a `google.protobuf.Struct`.
#[derive(Clone, Debug, PartialEq)]
pub enum StructValue {
    /// JSON null.
    Null,
    /// JSON number.
    Number(f64),
    /// JSON string.
    Text(String),
    /// JSON boolean.
    Bool(bool),
    /// JSON array.
    List(Vec<StructValue>),
    /// JSON object.
    Map(Struct),
}

impl StructValue {
    /// The string, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if this is one.
    pub fn as_map(&self) -> Option<&Struct> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// The proxy's own identity, from `xds.node` (`envoy.config.core.v3.Node`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// `node.id`.
    pub id: String,
    /// `node.cluster`, the `--service-cluster`.
    pub cluster: String,
    /// `node.metadata`; Istio puts `NAMESPACE`, `WORKLOAD_NAME`, `LABELS`, `CLUSTER_ID` and more here.
    pub metadata: Struct,
}

impl Node {
    /// A metadata field that is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).and_then(StructValue::as_text)
    }

    /// The string-valued entries of the `LABELS` map.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.metadata.get("LABELS").and_then(StructValue::as_map);
        labels.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_text()?)))
    }

    /// One label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata.get("LABELS")?.as_map()?.get(key)?.as_text()
    }
}
