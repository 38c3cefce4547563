//! What the page of `weir serve` asks: the command line, on files that the page has.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wasm_bindgen::prelude::wasm_bindgen;

/// A command, and the files that it may read, by name.
#[derive(Deserialize)]
struct Question {
    files: BTreeMap<String, String>,
    /// The words after `weir`.
    words: Vec<String>,
}

#[derive(Serialize)]
struct Answer {
    output: String,
    notes: String,
    /// Files that it wrote, by name.
    files: BTreeMap<String, String>,
    code: u8,
}

/// Runs a command. `{"files": {NAME: TEXT}, "words": [WORD]}` gives `{"output", "notes", "files", "code"}`.
///
/// # Errors
/// If the question is another JSON.
#[wasm_bindgen]
pub fn answer(question: &str) -> Result<String, String> {
    let Question { files, words } = serde_json::from_str(question).map_err(|error| error.to_string())?;
    let weir_cli::Answer { output, notes, files, code } = weir_cli::answer(files, words);
    serde_json::to_string(&Answer { output, notes, files, code }).map_err(|error| error.to_string())
}
