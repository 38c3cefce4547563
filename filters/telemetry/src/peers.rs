//! Who takes part in a stream: the local workload, the peer as it, its certificate or the control plane describes it, and
//! the service that the request was for.

pub(crate) mod base64;
pub(crate) mod capture;
mod folds;
pub(crate) mod local;
pub(crate) mod peer;
pub(crate) mod service;
pub(crate) mod state;
pub(crate) mod table;
mod vouched;
