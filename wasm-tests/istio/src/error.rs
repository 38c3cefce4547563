//! Why manifests cannot be applied.

use std::fmt;

/// Why manifests cannot be applied. What Istio would pass over in silence is an error here where a manifest of this project
/// should never rely on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// A field does not have the form that Istio's API gives it.
    Shape {
        /// Kind, namespace and name of the object.
        object: String,
        /// Where in the object.
        path: String,
        /// What belongs there.
        expected: String,
    },
    /// Istio has it, and this crate does not apply it.
    Unsupported {
        /// Kind, namespace and name of the object.
        object: String,
        /// Where in the object.
        path: String,
        /// What it is, and why it is refused.
        what: String,
    },
    /// istiod would panic on it, and none of the patches of that kind would take effect.
    Panics {
        /// Kind, namespace and name of the object.
        object: String,
        /// Where in the object.
        path: String,
        /// Which messages cannot be merged.
        why: String,
    },
    /// A data file of this crate is not what the code expects.
    Data(String),
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { object, path, expected } => write!(f, "{object}: `{path}`: expected {expected}"),
            Self::Unsupported { object, path, what } => write!(f, "{object}: `{path}`: {what}"),
            Self::Panics { object, path, why } => write!(f, "{object}: `{path}`: istiod cannot merge it: {why}"),
            Self::Data(problem) => write!(f, "a data file of this crate: {problem}"),
        }
    }
}

impl std::error::Error for ApplyError {}
