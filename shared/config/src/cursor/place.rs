//! Where a value is in its document.
//!
//! Reading notes no path: a document of ten thousand rules has a hundred thousand values, and few of them are ever spoken of.
//! The path of one that is spoken of is found by looking for that very value. What is spoken of next is mostly not far from it,
//! so the search begins there.

use crate::Value;
use std::fmt::Write as _;

/// What is known of places in a document.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Where the value was that was looked for last.
    last: Vec<usize>,
    /// Values that are packed in others, by their addresses, and the paths of those.
    packed: Vec<(usize, String)>,
}

impl Places {
    /// Notes that `root` is packed in the value at `path`.
    pub(super) fn pack(&mut self, root: &Value<'_>, path: String) {
        self.packed.push((address(root), path));
    }

    /// The path to `wanted`, which is in `root`.
    pub(super) fn path(&mut self, root: &Value<'_>, wanted: &Value<'_>) -> String {
        let mut steps = Vec::new();
        find(root, wanted, &self.last, &mut steps);
        // What was packed later may be where another was before.
        let base = self.packed.iter().rev().find(|(packed, _)| *packed == address(root));
        let path = written(base.map_or("$", |(_, path)| path), root, &steps);
        self.last = steps;
        path
    }
}

fn address(value: &Value<'_>) -> usize {
    std::ptr::from_ref(value).addr()
}

/// The path of the value that `steps` lead to.
fn written(base: &str, root: &Value<'_>, steps: &[usize]) -> String {
    let (mut path, mut at) = (base.to_owned(), root);
    for step in steps {
        // Writing to a String cannot fail.
        let (written, next) = match at {
            Value::Array(items) => (write!(path, "[{step}]"), items.get(*step)),
            Value::Object(entries) => match entries.get(*step) {
                Some((key, value)) if is_plain(key) => (write!(path, ".{key}"), Some(value)),
                Some((key, value)) => (write!(path, "[{key:?}]"), Some(value)),
                None => (Ok(()), None),
            },
            _ => (Ok(()), None),
        };
        let (Ok(()), Some(next)) = (written, next) else { break };
        at = next;
    }
    path
}

/// Whether `wanted` is in `at`; `steps` leads there then. Of the values on each level that at the beginning of `near` is looked
/// at first, and those before it last.
fn find(at: &Value, wanted: &Value, near: &[usize], steps: &mut Vec<usize>) -> bool {
    if std::ptr::eq(at, wanted) {
        return true;
    }
    let count = match at {
        Value::Array(items) => items.len(),
        Value::Object(entries) => entries.len(),
        _ => return false,
    };
    let first = near.first().copied().filter(|first| *first < count);
    let start = first.unwrap_or(0);
    for index in (start..count).chain(0..start) {
        let inner = match at {
            Value::Array(items) => items.get(index),
            Value::Object(entries) => entries.get(index).map(|(_, value)| value),
            _ => None,
        };
        let near = near.get(1..).filter(|_| first == Some(index)).unwrap_or_default();
        steps.push(index);
        if inner.is_some_and(|inner| find(inner, wanted, near, steps)) {
            return true;
        }
        steps.pop();
    }
    false
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;
    use weir_testing::Rows;

    /// All values with their paths.
    fn all<'v>(at: &'v Value<'v>, path: &str, out: &mut Vec<(String, &'v Value<'v>)>) {
        out.push((path.to_owned(), at));
        match at {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    all(item, &format!("{path}[{index}]"), out);
                }
            }
            Value::Object(entries) => {
                for (key, value) in entries {
                    let step = if is_plain(key) { format!(".{key}") } else { format!("[{key:?}]") };
                    all(value, &format!("{path}{step}"), out);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_value_is_found_wherever_the_last_one_was() {
        let text = r#"{"a": [1, [2, {"b": null, "c d": [], "": {}}], 1], "a": {"e": [[[true]]]}, "f-g_1": "x"}"#;
        let root: Value = serde_json::from_str(text).unwrap();
        let mut values = Vec::new();
        all(&root, "$", &mut values);
        assert_eq!(values.len(), 16);
        let mut rows = Rows::default();
        for (before, last) in &values {
            for (expected, value) in &values {
                let mut places = Places::default();
                places.path(&root, last);
                rows.check(format!("{expected} after {before}"), places.path(&root, value), expected.as_str());
            }
        }
        let mut places = Places { last: vec![7, 7, 7], ..Places::default() };
        rows.check("a place that is not there", places.path(&root, values[1].1), "$.a");
        places.pack(&root, "$.x".to_owned());
        rows.check("packed", places.path(&root, values[1].1), "$.x.a");
    }
}
