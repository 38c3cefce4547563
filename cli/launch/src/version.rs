//! The Envoy versions Weir is tested on, and what each binary must hash to.

/// A version of Envoy and the hash of its binary for Linux on x86-64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supported {
    /// As in `envoy --version`: `1.40.0`.
    pub version: &'static str,
    /// SHA-256 of the binary in lower-case hexadecimal digits.
    pub sha256: &'static str,
}

/// Every supported line, oldest first.
pub const SUPPORTED: [Supported; 5] = [
    Supported { version: "1.36.4", sha256: "5a398095d8c1dd363ecc10b6b9dbd82154a8fbb5eb15510d5fb7cbdb9d0b0e59" },
    Supported { version: "1.37.0", sha256: "a05a7120b8de49d23ef8ee95419f460d715791920e6f447b904cb898bce4ab6a" },
    Supported { version: "1.38.2", sha256: "87744a1fc998d677078c9703113a192d0830badc6888662441632847fcb38899" },
    Supported { version: "1.39.3", sha256: "f61653fb5f7645129d3092a82f21ce3e6f70d0a75fe2e861b0e7417790f2c200" },
    Supported { version: DEFAULT_VERSION, sha256: "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80" },
];

/// What is used where nothing else is asked for.
pub const DEFAULT_VERSION: &str = "1.40.0";

/// The entry of a version.
#[must_use]
pub fn supported(version: &str) -> Option<Supported> {
    SUPPORTED.into_iter().find(|entry| entry.version == version)
}
