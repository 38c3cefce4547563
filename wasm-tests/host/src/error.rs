//! Failures of the machinery itself, and what ends a whole Envoy. A module's own failures are not among them: a trap or a
//! refused configuration is an outcome that callers ask for.

use std::fmt;

/// Why the host could not do what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A plugin was refused at load, start or configuration; the text names the plugin and the cause.
    Refused(String),
    /// The caller asked for something that is not there, such as a worker beyond the last.
    Usage(String),
    /// A module did what real Envoy does not survive. The proxy answers nothing more.
    Crashed(String),
    /// A thread of the host is gone.
    Broken(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused(text) => write!(f, "configuration refused: {text}"),
            Error::Usage(text) => write!(f, "wrong use: {text}"),
            Error::Crashed(text) => write!(f, "Envoy would have crashed: {text}"),
            Error::Broken(text) => write!(f, "the host is broken: {text}"),
        }
    }
}

impl std::error::Error for Error {}
