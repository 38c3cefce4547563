//! What every document begins with: `schema`, `name`, `listener`, `accessLogState`, `mode`.

use crate::{Cursor, Fields};
use weir_model::Direction;

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

/// For which requests a filter keeps its decision in filter state, where Envoy's access log finds it. Setting it costs a
/// request about 5,000 instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLogState {
    /// For all.
    Always,
    /// For those that are refused, or would be in mode `enforce`.
    #[default]
    Refused,
    /// For none.
    Never,
}

impl AccessLogState {
    /// Whether a decision is kept that refuses, or one that does not.
    #[must_use]
    pub fn keeps(self, refuses: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Refused => refuses,
            Self::Never => false,
        }
    }
}

/// What all filters of a document have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// Labels metrics, and keeps the state of several plugins apart.
    pub name: String,
    /// What happens to decisions.
    pub mode: Mode,
    /// Which decisions the access log gets.
    pub access_log_state: AccessLogState,
    /// The direction of the listener; `None` if it is to be read for each stream.
    pub listener: Option<Direction>,
}

impl Common {
    /// Reads `schema` (required), `name` (required; 1 to 63 of letters, digits, `-`, `_` and `.`), `listener` (`inbound` or
    /// `outbound`), `accessLogState` (default `refused`) and `mode` (default `enforce`). A field with a problem has its
    /// default, so that the rest of the document is read too.
    #[inline(never)]
    pub fn read(fields: &mut Fields<'_>) -> Self {
        if let Some(at) = fields.require("schema") {
            at.integer(SCHEMA, SCHEMA);
        }
        let name = fields.require("name").and_then(|at| name(&at)).unwrap_or_default();
        let directions = [("inbound", Direction::Inbound), ("outbound", Direction::Outbound)];
        let listener = fields.take("listener").and_then(|at| at.word(&directions));
        Self { name, listener, ..Self::default() }.of_section(fields)
    }

    /// Reads `mode` and `accessLogState` of a section of a larger document; what is absent is as in the whole.
    #[must_use]
    #[inline(never)]
    pub fn of_section(&self, fields: &mut Fields<'_>) -> Self {
        let modes = [Mode::Off, Mode::Observe, Mode::Shadow, Mode::Enforce].map(|mode| (mode.word(), mode));
        let states = [
            ("always", AccessLogState::Always),
            ("refused", AccessLogState::Refused),
            ("never", AccessLogState::Never),
        ];
        let mode = fields.take("mode").and_then(|at| at.word(&modes));
        let access_log_state = fields.take("accessLogState").and_then(|at| at.word(&states));
        Self {
            mode: mode.unwrap_or(self.mode),
            access_log_state: access_log_state.unwrap_or(self.access_log_state),
            ..self.clone()
        }
    }
}

fn name(at: &Cursor<'_>) -> Option<String> {
    let text = at.text()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if plain && text.len() <= 63 {
        return Some(text.to_owned());
    }
    at.problem("a name is 1 to 63 letters, digits, `-`, `_` and `.`")
}
