//! How two objects differ, but for what the API server writes into them.

use serde_json::{Map, Value};

/// Fields of `metadata` that are the API server's.
const SERVERS: [&str; 6] = ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// Annotations that `kubectl apply` keeps for itself.
const KUBECTLS: [&str; 1] = ["kubectl.kubernetes.io/last-applied-configuration"];

/// What the sides of a comparison are called: what is on one "is `left`" or "is `right`".
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides {
    pub(crate) left: &'static str,
    pub(crate) right: &'static str,
}

/// Every place where two objects differ, with its path and both values.
pub(crate) fn differences(left: &Value, right: &Value, sides: Sides) -> Vec<String> {
    let mut walk = Walk { sides, found: Vec::new() };
    walk.value(&plain(left), &plain(right), "$");
    walk.found
}

/// A walk through two objects.
struct Walk {
    sides: Sides,
    found: Vec<String>,
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

impl Walk {
    fn value(&mut self, left: &Value, right: &Value, path: &str) {
        let sides = self.sides;
        match (left, right) {
            (Value::Object(left), Value::Object(right)) => self.fields(left, right, path),
            (Value::Array(left), Value::Array(right)) => match (named(left), named(right)) {
                // Items with names, such as policies, are compared by them: one more in the middle is one difference.
                (Some(left), Some(right)) => self.fields(&left, &right, path),
                _ => self.items(left, right, path),
            },
            _ if left != right => {
                let (left, right) = (short(left), short(right));
                self.found.push(format!("{path}: {} is {left}, {} is {right}", sides.left, sides.right));
            }
            _ => {}
        }
    }

    fn fields(&mut self, left: &Map<String, Value>, right: &Map<String, Value>, path: &str) {
        let Sides { left: here, right: there } = self.sides;
        for (name, value) in left {
            let path = below(path, name);
            match right.get(name) {
                Some(other) => self.value(value, other, &path),
                None => self.found.push(format!("{path}: is {here}, and not {there}")),
            }
        }
        for name in right.keys().filter(|name| !left.contains_key(*name)) {
            self.found.push(format!("{}: is {there}, and not {here}", below(path, name)));
        }
    }

    fn items(&mut self, left: &[Value], right: &[Value], path: &str) {
        let sides = self.sides;
        for (index, (left, right)) in left.iter().zip(right).enumerate() {
            self.value(left, right, &format!("{path}[{index}]"));
        }
        let counts = (left.len(), right.len());
        if counts.0 != counts.1 {
            let line = format!("{path}: {} items are {}, {} are {}", counts.0, sides.left, counts.1, sides.right);
            self.found.push(line);
        }
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
