//! Compares what the probe module sees in the in-process host and in real Envoy, line by line.
//!
//! The in-process host is useful only if it behaves as Envoy does. So no transcript is kept: both are made each time and
//! compared, and each difference must stand in `differences.yaml` with its reason. A listed
//! difference that no longer occurs is an error, too, so the list can only shrink or be argued for.

mod difference;
mod drive;
mod line;
mod listed;
mod runs;
mod worlds;

pub use difference::{Comparison, Difference, compare};
pub use drive::{Transcript, drive};
pub use line::{Line, Location};
pub use listed::{Listed, Verdict, compare_with_list};
pub use runs::{Run, runs};
pub use worlds::{envoy, process};
