//! Whether the host sees the streams of a filter as HTTP streams or connections. Everything else is the same for both.

use crate::{abi, reply};
use weir_model::Reply;

/// Whether a VM's streams are HTTP streams or connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Tcp,
}

impl Protocol {
    /// Lets the stream whose context is in effect go on after it was held.
    pub(crate) fn resume(self) {
        let (resumed, what) = match self {
            Self::Http => (abi::continue_request(), "weir: the host would not continue a request"),
            Self::Tcp => (abi::continue_downstream(), "weir: the host would not continue a connection"),
        };
        if resumed.is_err() {
            abi::log(3, what);
        }
    }

    /// Answers the request whose context is in effect, or closes the connection.
    pub(crate) fn refuse(self, answer: &Reply) {
        match self {
            Self::Http => reply::send(answer),
            Self::Tcp => close(),
        }
    }
}

/// Closes the connection whose context is in effect, on both sides. The host may call back before it returns.
pub(crate) fn close() {
    if abi::close_downstream().is_err() {
        abi::log(4, "weir: the host would not close a connection");
    }
}
