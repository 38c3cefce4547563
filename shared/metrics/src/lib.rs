//! Metric series whose number clients cannot raise without bound, and the stat names that carry their labels.
//!
//! Envoy's Wasm metrics have no labels and can never be deleted. Labels therefore go into the stat name, in the encoding
//! that Istio's bootstrap takes apart again ([`stat_name`]); and the number of names one configuration can ever make is
//! bounded before the first request arrives ([`Series`], [`Fold`]). Beyond the bound, counts are kept in an overflow
//! series, so totals stay exact.

mod fold;
mod name;
mod series;

pub use fold::{Fold, OTHER};
pub use name::{VALUE_BYTES, push_value, stat_name};
pub use series::{Series, SeriesIds};
