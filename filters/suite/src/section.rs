//! A filter that can be read from a section of a larger document.

use weir_config::{Common, Cursor};
use weir_model::{Filter, Node};
use weir_policy::Policy;
use weir_rate_limit::RateLimit;
use weir_telemetry::Telemetry;

/// A part of a suite.
pub trait Section: Filter {
    /// Reads the standalone document as a section of `whole`, whose common fields hold unless the section has its own.
    /// Problems go where `at` points.
    fn read(at: Cursor<'_>, whole: &Common, node: &Node) -> Option<Self>;
}

impl Section for Policy {
    fn read(at: Cursor<'_>, whole: &Common, node: &Node) -> Option<Self> {
        Self::read(at, whole, node)
    }
}

impl Section for RateLimit {
    fn read(at: Cursor<'_>, whole: &Common, node: &Node) -> Option<Self> {
        Self::read(at, whole, node)
    }
}

impl Section for Telemetry {
    fn read(at: Cursor<'_>, whole: &Common, node: &Node) -> Option<Self> {
        Self::read(at, whole, node)
    }
}
