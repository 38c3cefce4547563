//! What is remembered about one stream.

use crate::observe::Observed;

/// What the filter remembers about one stream: in mode `observe` what it has decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    pub(crate) observed: Option<Observed>,
}
