//! The compiled form: what a request is compared with.

pub(crate) mod action;
pub(crate) mod apply;
pub(crate) mod limits;
pub(crate) mod matcher;
mod query;
