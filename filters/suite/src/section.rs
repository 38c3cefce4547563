//! A filter that can be read from a section of a larger document.

use weir_config::{Cursor, Mode};
use weir_model::{Filter, Node};
use weir_policy::Policy;
use weir_rate_limit::RateLimit;
use weir_telemetry::Telemetry;

/// A part of a suite.
pub trait Section: Filter {
    /// Reads the standalone document without `schema` and `name`; a `mode` of its own wins over `mode`. Problems go where
    /// `at` points.
    fn read(at: Cursor<'_>, name: &str, mode: Mode, node: &Node) -> Option<Self>;
}

impl Section for Policy {
    fn read(at: Cursor<'_>, name: &str, mode: Mode, node: &Node) -> Option<Self> {
        Self::read(at, name, mode, node)
    }
}

impl Section for RateLimit {
    fn read(at: Cursor<'_>, name: &str, mode: Mode, node: &Node) -> Option<Self> {
        Self::read(at, name, mode, node)
    }
}

impl Section for Telemetry {
    fn read(at: Cursor<'_>, name: &str, mode: Mode, node: &Node) -> Option<Self> {
        Self::read(at, name, mode, node)
    }
}
