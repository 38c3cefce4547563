//! What distinguishes one set of counts from another: the labels, and a stream's key, which stands for their values.

pub(crate) mod cache;
pub(crate) mod flags;
pub(crate) mod interner;
pub(crate) mod key;
pub(crate) mod names;
pub(crate) mod values;
