//! Other people's test tables, read where they lie: `WEIR_CASES`, or `shared/cases` beside the workspace.

use std::path::PathBuf;
use weir_config::Value;

fn directory() -> PathBuf {
    match std::env::var_os("WEIR_CASES") {
        Some(directory) => directory.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases"),
    }
}

/// A table as YAML. `None`, with a line on stderr, where there is none.
pub(crate) fn table(name: &str) -> Option<serde_yaml_ng::Value> {
    let file = directory().join(name);
    let Ok(text) = std::fs::read_to_string(&file) else {
        eprintln!("no {}: nothing to compare with", file.display());
        return None;
    };
    Some(serde_yaml_ng::from_str(&text).unwrap())
}

/// A YAML file beside the tables, as the JSON that a document would hold; `None` if JSON cannot hold it.
pub(crate) fn config(path: &str) -> Option<Value> {
    let text = std::fs::read_to_string(directory().join(path)).unwrap();
    json(&serde_yaml_ng::from_str(&text).ok()?)
}

/// YAML as JSON.
pub(crate) fn json(value: &serde_yaml_ng::Value) -> Option<Value> {
    let text = serde_json::to_string(value).ok()?;
    serde_json::from_str(&text).ok()
}
