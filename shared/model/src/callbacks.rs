//! Which of the host's callbacks a filter needs besides those for request headers and for time, which every module has.
//!
//! Envoy enters the VM for each callback that a module exports, for 1,500 to 1,900 instructions each, so a module exports
//! what its filter needs and no more. A filter says so in [`crate::Filter::CALLBACKS`]; its module carries the answer in a
//! custom section, and the link step refuses a module whose exports differ.

/// Whether a callback is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// No configuration needs it.
    Never,
    /// Some configurations do. A module without it warns them.
    Some,
    /// It must be there.
    Always,
}

impl Need {
    const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Some, _) | (_, Self::Some) => Self::Some,
            (Self::Never, Self::Never) => Self::Never,
        }
    }

    pub(crate) const fn letter(self) -> u8 {
        match self {
            Self::Never => b'-',
            Self::Some => b'?',
            Self::Always => b'+',
        }
    }

    pub(crate) fn read(letter: u8) -> Option<Self> {
        [Self::Never, Self::Some, Self::Always].into_iter().find(|need| need.letter() == letter)
    }
}

/// The callbacks that a filter needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callbacks {
    /// Response headers: [`crate::Filter::response`].
    pub response: Need,
    /// The end of a stream: [`crate::Filter::end`].
    pub end: Need,
    /// Answers of callouts: [`crate::Filter::called`].
    pub calls: Need,
    /// The orderly end of a configuration, in which [`crate::Filter::finish`] may still call out. Costs every stream a
    /// callback.
    pub finish: Need,
}

impl Callbacks {
    /// The custom section of a module that carries its callbacks.
    pub const SECTION: &str = "weir.callbacks";

    /// Request headers only.
    pub const NONE: Self = Self { response: Need::Never, end: Need::Never, calls: Need::Never, finish: Need::Never };

    /// What two parts of a composition need together.
    pub const fn union(self, other: Self) -> Self {
        Self {
            response: self.response.or(other.response),
            end: self.end.or(other.end),
            calls: self.calls.or(other.calls),
            finish: self.finish.or(other.finish),
        }
    }

    /// The content of [`Callbacks::SECTION`]: a letter for each, `-` never, `?` some, `+` always.
    pub const fn encode(self) -> [u8; 4] {
        let Self { response, end, calls, finish } = self;
        [response.letter(), end.letter(), calls.letter(), finish.letter()]
    }

    /// Reads what [`Callbacks::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let &[response, end, calls, finish] = bytes else { return None };
        Some(Self {
            response: Need::read(response)?,
            end: Need::read(end)?,
            calls: Need::read(calls)?,
            finish: Need::read(finish)?,
        })
    }
}

#[cfg(test)]
mod tests;
