//! What is remembered about one stream.

use crate::custom::Change;
use crate::observe::Observed;
use weir_model::CallId;

/// What the filter remembers about one stream: in mode `observe` what it has decided, and what is under way where a CUSTOM
/// policy matched.
#[derive(Debug, Default)]
pub struct Stream {
    pub(crate) observed: Option<Observed>,
    pub(crate) asked: Option<Box<Asked>>,
}

/// What is remembered where a provider was asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The check that the request waits for.
    pub(crate) check: Option<CallId>,
    /// What the provider does to the response.
    pub(crate) response: Vec<Change>,
}

impl Stream {
    pub(crate) fn take_check(&mut self) -> Option<CallId> {
        self.asked.as_mut()?.check.take()
    }
}
