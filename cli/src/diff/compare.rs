//! How two objects differ, but for what the API server writes into them.

use serde_json::{Map, Value};

/// Fields of `metadata` that are the API server's.
const SERVERS: [&str; 6] = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// Annotations that `kubectl apply` keeps for itself.
const KUBECTLS: [&str; 1] = ["kubectl.kubernetes.io/last-applied-configuration"];

/// Every place where `deployed` is not as `rendered`, with its path and both values.
pub(crate) fn differences(deployed: &Value, rendered: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(&plain(deployed), &plain(rendered), "$", &mut found);
    found
}

/// The object without what belongs to the API server.
fn plain(object: &Value) -> Value {
    let mut object = object.clone();
    let Some(fields) = object.as_object_mut().filter(|fields| fields.contains_key("kind")) else { return object };
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| !SERVERS.contains(&name.as_str()));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|name, _| !KUBECTLS.contains(&name.as_str()));
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    object
}

fn walk(deployed: &Value, rendered: &Value, path: &str, found: &mut Vec<String>) {
    match (deployed, rendered) {
        (Value::Object(deployed), Value::Object(rendered)) => fields(deployed, rendered, path, found),
        (Value::Array(deployed), Value::Array(rendered)) => match (named(deployed), named(rendered)) {
            // Items with names, such as policies, are compared by them: one more in the middle is one difference.
            (Some(deployed), Some(rendered)) => fields(&deployed, &rendered, path, found),
            _ => items(deployed, rendered, path, found),
        },
        _ if deployed != rendered => {
            found.push(format!("{path}: deployed is {}, described is {}", short(deployed), short(rendered)));
        }
        _ => {}
    }
}

fn fields(deployed: &Map<String, Value>, rendered: &Map<String, Value>, path: &str, found: &mut Vec<String>) {
    for (name, value) in deployed {
        let path = below(path, name);
        match rendered.get(name) {
            Some(other) => walk(value, other, &path, found),
            None => found.push(format!("{path}: is deployed, and not described")),
        }
    }
    for name in rendered.keys().filter(|name| !deployed.contains_key(*name)) {
        found.push(format!("{}: is described, and not deployed", below(path, name)));
    }
}

fn items(deployed: &[Value], rendered: &[Value], path: &str, found: &mut Vec<String>) {
    for (index, (deployed, rendered)) in deployed.iter().zip(rendered).enumerate() {
        walk(deployed, rendered, &format!("{path}[{index}]"), found);
    }
    if deployed.len() != rendered.len() {
        found.push(format!("{path}: deployed has {} items, described has {}", deployed.len(), rendered.len()));
    }
}

/// The items by namespace and name, if each has a name of its own.
fn named(items: &[Value]) -> Option<Map<String, Value>> {
    let name = |item: &Value| {
        let metadata = item.get("metadata")?;
        let text = |field| metadata.get(field).and_then(Value::as_str);
        Some(format!("{}/{}", text("namespace").unwrap_or_default(), text("name")?))
    };
    let named: Map<String, Value> =
        items.iter().map(|item| Some((name(item)?, item.clone()))).collect::<Option<_>>()?;
    (named.len() == items.len()).then_some(named)
}

fn below(path: &str, name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.bytes().all(is_plain) { format!("{path}.{name}") } else { format!("{path}[{name:?}]") }
}

/// A value as JSON, and only its beginning if it is long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("`{}...`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests;
