//! What every document begins with: `schema`, `name`, `mode`.

use crate::{Cursor, Fields};

/// The schema this build writes. A module reads its own schema and the one before.
pub const SCHEMA: u64 = 1;

/// What a filter does with its decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing at all.
    Off,
    /// Decides and counts beside Envoy's own filter; never replies.
    Observe,
    /// Decides and records; never replies.
    Shadow,
    /// Decides and replies.
    #[default]
    Enforce,
}

impl Mode {
    /// The word in the document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Observe => "observe",
            Self::Shadow => "shadow",
            Self::Enforce => "enforce",
        }
    }
}

/// Reads `schema`, which must be there and be one that this build knows.
pub fn document_header(fields: &mut Fields<'_>) {
    if let Some(at) = fields.require("schema") {
        at.integer(SCHEMA, SCHEMA);
    }
}

/// Reads `name` (required; 1 to 63 of letters, digits, `-`, `_` and `.`) and `mode` (default `enforce`).
pub fn name_and_mode(fields: &mut Fields<'_>) -> (Option<String>, Option<Mode>) {
    let name = fields.require("name").and_then(|at| name(&at));
    (name, section_mode(fields, Mode::default()))
}

/// Reads the `mode` of a section of a larger document; absent means `default`, the mode of the whole.
pub fn section_mode(fields: &mut Fields<'_>, default: Mode) -> Option<Mode> {
    let Some(at) = fields.take("mode") else { return Some(default) };
    at.word(&[("off", Mode::Off), ("observe", Mode::Observe), ("shadow", Mode::Shadow), ("enforce", Mode::Enforce)])
}

fn name(at: &Cursor<'_>) -> Option<String> {
    let text = at.text()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if plain && text.len() <= 63 {
        return Some(text.to_owned());
    }
    at.problem("a name is 1 to 63 letters, digits, `-`, `_` and `.`")
}
