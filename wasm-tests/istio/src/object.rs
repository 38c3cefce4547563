//! Objects as they lie in a cluster, reduced to what istiod reads of their metadata.

use serde_json::Value;

use crate::error::ApplyError;

/// A Kubernetes object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// `creationTimestamp`, in UTC, so that the order of the texts is the order of the times. Empty before all others.
    pub(crate) created: String,
    pub(crate) resource_version: String,
    pub(crate) body: Value,
}

impl Object {
    /// `EnvoyFilter shop/weir`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    /// A field below `spec`; null where it is absent.
    pub(crate) fn spec(&self, field: &str) -> &Value {
        self.body.pointer("/spec").and_then(|spec| spec.get(field)).unwrap_or(&Value::Null)
    }

    /// An error at a path of this object.
    pub(crate) fn shape(&self, path: &str, expected: impl Into<String>) -> ApplyError {
        ApplyError::Shape { object: self.title(), path: path.to_owned(), expected: expected.into() }
    }

    /// A refusal at a path of this object.
    pub(crate) fn unsupported(&self, path: &str, what: impl Into<String>) -> ApplyError {
        ApplyError::Unsupported { object: self.title(), path: path.to_owned(), what: what.into() }
    }
}

/// Reads objects; a `List` stands for its items. An object without a namespace is in `default`.
pub(crate) fn read(objects: &[Value]) -> Result<Vec<Object>, ApplyError> {
    let mut all = Vec::new();
    for object in objects {
        add(object, &mut all)?;
    }
    Ok(all)
}

fn add(object: &Value, all: &mut Vec<Object>) -> Result<(), ApplyError> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = text("/kind");
    if kind == "List" {
        let items = object.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        return items.iter().try_for_each(|item| add(item, all));
    }
    let namespace = Some(text("/metadata/namespace")).filter(|text| !text.is_empty());
    let read = Object {
        kind,
        name: text("/metadata/name"),
        namespace: namespace.unwrap_or_else(|| "default".to_owned()),
        created: text("/metadata/creationTimestamp"),
        resource_version: text("/metadata/resourceVersion"),
        body: object.clone(),
    };
    if read.kind.is_empty() {
        return Err(read.shape("kind", "the kind of a Kubernetes object"));
    }
    if read.name.is_empty() {
        return Err(read.shape("metadata.name", "a name"));
    }
    all.push(read);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::read;
    use serde_json::json;

    #[test]
    fn a_list_stands_for_its_items_and_a_namespace_defaults() {
        let policy = json!({"kind": "WasmPlugin", "metadata": {"name": "a", "namespace": "shop"}});
        let other = json!({"kind": "EnvoyFilter", "metadata": {"name": "b"}});
        let objects = read(&[json!({"kind": "List", "items": [policy, other]})]).unwrap();
        let titles: Vec<_> = objects.iter().map(super::Object::title).collect();
        assert_eq!(titles, ["WasmPlugin shop/a", "EnvoyFilter default/b"]);
    }

    #[test]
    fn an_object_without_a_name_is_refused() {
        let error = read(&[json!({"kind": "WasmPlugin", "metadata": {}})]).unwrap_err();
        assert_eq!(error.to_string(), "WasmPlugin default/: `metadata.name`: expected a name");
    }
}
