//! Lines of access logs: what they say of a request, what was answered, and what they leave open.
//!
//! A line is read by the format that wrote it: Istio's default text and JSON, the format that `weir replay` prints, audit
//! records, or one that is given as it is configured. What a format lacks is not known, and what it changes or cuts off is
//! not known either, so that a decision on a line is never a guess.

mod audit;
mod format;
mod header;
mod json;
mod live;
mod names;
mod operator;
mod record;
mod text;

pub(crate) use format::{Format, has_record, is_recorded};
pub(crate) use header::Known;
pub(crate) use live::Live;
pub(crate) use names::{JWT_FILTER, JWT_PAYLOAD};
pub(crate) use record::Record;
