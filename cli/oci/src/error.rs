//! Why an image could not be read, written or moved.

use crate::Digest;
use std::fmt;

/// Why an image could not be read, written or moved. Each says what, where and how to mend it.
#[derive(Debug)]
pub enum Error {
    /// A file or folder cannot be read or written.
    File {
        /// Its path.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// There is no image where one should be.
    Missing(String),
    /// Something is there and is not what it should be.
    Malformed {
        /// What it is: a path, or a reference and a digest.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Bytes are not those that their digest promises.
    WrongDigest {
        /// Where they came from.
        place: String,
        /// What was promised.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// Something is larger than it may be.
    TooLarge {
        /// What it is.
        place: String,
        /// The most bytes that it may have.
        limit: u64,
    },
    /// The registry did not answer, or answered no.
    Registry {
        /// The image.
        reference: String,
        /// What went wrong, and what may be done.
        reason: String,
    },
    /// A reference, an option or the credentials cannot be used.
    Usage(String),
}

/// A reference without the user and the password that somebody may have written into it, as in an address. A digest follows an
/// `@`, too.
#[must_use]
pub fn without_login(reference: &str) -> String {
    let (scheme, rest) = match reference.find("://") {
        Some(at) => reference.split_at(at + 3),
        None => ("", reference),
    };
    match rest.match_indices('@').rfind(|(at, _)| !rest.split_at(*at).1.starts_with("@sha256:")) {
        Some((at, _)) => format!("{scheme}...{}", rest.split_at(at).1),
        None => reference.to_owned(),
    }
}

impl Error {
    /// Whether the image is at fault, and not what was asked for or the way to it.
    #[must_use]
    pub fn is_about_the_image(&self) -> bool {
        matches!(self, Self::Malformed { .. } | Self::WrongDigest { .. } | Self::TooLarge { .. })
    }

    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::File { path: path.display().to_string(), reason: error.to_string() }
    }

    pub(crate) fn malformed(place: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Malformed { place: place.to_string(), reason: reason.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, reason } => write!(f, "`{path}`: {reason}"),
            Self::Missing(what) | Self::Usage(what) => f.write_str(what),
            Self::Malformed { place, reason } => write!(f, "`{place}`: {reason}"),
            Self::WrongDigest { place, expected, found } => write!(
                f,
                "`{place}`: the bytes have digest {found}, expected {expected}: they were damaged or replaced; fetch or pack them \
                 once more, and do not load them"
            ),
            Self::TooLarge { place, limit } => {
                write!(f, "`{place}`: larger than {limit} bytes, the most that is read of it: it is no module's image")
            }
            Self::Registry { reference, reason } => write!(f, "`{reference}`: {reason}"),
        }
    }
}

impl std::error::Error for Error {}
