//! Other people's test tables, where they are.

use weir_config::Value;
use weir_testing::{find, read};

/// A table as YAML. `None`, with a line on stderr, where there is none.
pub(crate) fn table(name: &str) -> Option<serde_yaml_ng::Value> {
    read(name)
}

/// The rows of a section of a table; none where the table lacks it.
pub(crate) fn rows(table: &serde_yaml_ng::Value, section: &str) -> Vec<serde_yaml_ng::Value> {
    table[section].as_sequence().cloned().unwrap_or_default()
}

/// A value as text; one that is none, as JSON writes it.
pub(crate) fn text(value: &serde_yaml_ng::Value) -> String {
    value.as_str().map_or_else(|| line(value), ToOwned::to_owned)
}

/// A row in one line.
pub(crate) fn line(row: &serde_yaml_ng::Value) -> String {
    serde_json::to_string(row).unwrap_or_else(|_| format!("{row:?}"))
}

/// A YAML file beside the tables, as the JSON that a document would hold; `None` if JSON cannot hold it.
pub(crate) fn config(path: &str) -> Option<Value<'static>> {
    let file = find(path).expect("a file that a row names is there");
    let text = std::fs::read_to_string(file).unwrap();
    json(&serde_yaml_ng::from_str(&text).ok()?)
}

/// YAML as JSON.
pub(crate) fn json(value: &serde_yaml_ng::Value) -> Option<Value<'static>> {
    // A value is of a text, and here it outlives the function.
    serde_json::from_str(serde_json::to_string(value).ok()?.leak()).ok()
}
