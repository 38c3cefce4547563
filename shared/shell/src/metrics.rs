//! The series that cores have defined, and what their counters have not yet added in Envoy.
//!
//! An increment is a call of the host, so counters are summed here and each sum goes to Envoy with a tick: what is counted is
//! in `/stats` at most [`FLUSH`] later. To create a stat can take Envoy half a millisecond, so a counter is created with a
//! tick too, and not while a request waits; those that count refusals first. A configuration that ends leaves the
//! counters that it has not created to the next one of its VM, which goes on at the same pace. Histograms and gauges take
//! each value at once: Envoy has no call for several.

mod ids;

use crate::abi;
use std::cell::RefCell;
use std::time::Duration;
use weir_model::{MetricKind, SeriesId};

/// How long a sum may wait.
pub(crate) const FLUSH: Duration = Duration::from_millis(250);
/// How often stats are created while some wait for it.
const CREATION: Duration = Duration::from_millis(50);
/// How long the creations of one tick may take before the rest waits for the next, in nanoseconds. One that is begun is
/// finished.
const PATIENCE: u64 = 1_000_000;
/// How many counters that configurations have left behind may wait; more are created at once.
const MOST_LEFT: usize = 65_536;

thread_local! {
    /// Counters of configurations that have ended, with the sum to add to each.
    static LEFT: RefCell<Left> = const { RefCell::new(Left { urgent: Vec::new(), others: Vec::new() }) };
}

/// Names and sums.
struct Left {
    /// These are created first.
    urgent: Vec<(Box<str>, u64)>,
    others: Vec<(Box<str>, u64)>,
}

#[derive(Clone, Debug)]
enum Stat {
    /// A counter that Envoy does not have yet, by its name.
    Named(Box<str>),
    /// Envoy's id.
    Created(u32),
    /// Envoy would not create it, or no core asked for it.
    None,
}

#[derive(Clone, Debug)]
struct Series {
    stat: Stat,
    /// What the next flush adds to it.
    sum: u64,
    /// It is created ahead of others.
    urgent: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// By owner and number.
    owners: Vec<Vec<Series>>,
    /// Series with a sum.
    waiting: Vec<(u8, SeriesId)>,
    /// Something has been counted since the flush before last.
    counting: bool,
    /// A counter waits to be created.
    creating: bool,
}

impl Metrics {
    /// Defines a series: a counter is created when it first has something to count.
    pub(crate) fn define(&mut self, owner: u8, series: SeriesId, kind: MetricKind, name: String, urgent: bool) {
        let stat = match kind {
            MetricKind::Counter => Stat::Named(name.into()),
            MetricKind::Gauge | MetricKind::Histogram => create(kind, &name),
        };
        self.set(owner, series, stat);
        if let Some(entry) = get(&mut self.owners, owner, series) {
            entry.urgent = urgent;
        }
    }

    /// Has Envoy create a series now.
    pub(crate) fn create(&mut self, owner: u8, series: SeriesId, kind: MetricKind, name: &str) {
        self.set(owner, series, create(kind, name));
    }

    fn set(&mut self, owner: u8, series: SeriesId, stat: Stat) {
        let (owner, Ok(series)) = (usize::from(owner), usize::try_from(series)) else { return };
        if self.owners.len() <= owner {
            self.owners.resize_with(owner + 1, Vec::new);
        }
        if let Some(all) = self.owners.get_mut(owner) {
            if all.len() <= series {
                all.resize(series + 1, Series { stat: Stat::None, sum: 0, urgent: false });
            }
            if let Some(entry) = all.get_mut(series) {
                entry.stat = stat;
            }
        }
    }

    /// Adds to a counter with the next flush.
    pub(crate) fn add(&mut self, owner: u8, series: SeriesId, by: u64) {
        let Some(entry) = get(&mut self.owners, owner, series) else { return };
        match entry.stat {
            Stat::None => return,
            Stat::Named(_) => self.creating = true,
            Stat::Created(_) => {}
        }
        let first = entry.sum == 0;
        entry.sum = entry.sum.saturating_add(by);
        if first && by > 0 {
            self.waiting.push((owner, series));
        }
        self.counting = true;
    }

    /// Sets a gauge or records into a histogram now.
    pub(crate) fn record(&mut self, owner: u8, series: SeriesId, value: u64) {
        if let Some(Series { stat: Stat::Created(id), .. }) = get(&mut self.owners, owner, series) {
            let _ = abi::record_metric(*id, value);
        }
    }

    /// How often [`Metrics::flush`] is wanted. A timer that is stopped and set again costs two calls of the host, so it runs
    /// on for one flush that finds nothing.
    pub(crate) fn period(&self) -> Option<Duration> {
        match (self.creating || something_is_left(), self.counting) {
            (true, _) => Some(CREATION),
            (false, true) => Some(FLUSH),
            (false, false) => None,
        }
    }

    /// Tells Envoy the sums. Counters are created for as long as that may take.
    pub(crate) fn flush(&mut self) {
        self.counting = !self.waiting.is_empty();
        let creates = self.creating || something_is_left();
        let begun = if creates { abi::mono_nanos() } else { 0 };
        let has_time = || abi::mono_nanos().saturating_sub(begun) <= PATIENCE;
        let mut is_late = false;
        let Self { owners, waiting, .. } = self;
        for urgent in [true, false] {
            waiting.retain(|(owner, series)| {
                let Some(entry) = get(owners, *owner, *series) else { return false };
                if let Stat::Named(name) = &entry.stat {
                    is_late |= entry.urgent == urgent && !has_time();
                    if is_late || entry.urgent != urgent {
                        return true;
                    }
                    entry.stat = create(MetricKind::Counter, name);
                }
                tell(entry);
                false
            });
            if !creates {
                break;
            }
        }
        self.creating = is_late;
        while !is_late && has_time() {
            let left = LEFT.with(|left| {
                let mut left = left.try_borrow_mut().ok()?;
                left.urgent.pop().or_else(|| left.others.pop())
            });
            let Some((name, sum)) = left else { break };
            tell(&mut Series { stat: create(MetricKind::Counter, &name), sum, urgent: false });
        }
    }

    /// Has Envoy create the counters that wait for that.
    pub(crate) fn create_all(&mut self) {
        let Self { owners, waiting, .. } = self;
        for (owner, series) in waiting {
            let Some(entry) = get(owners, *owner, *series) else { continue };
            if let Stat::Named(name) = &entry.stat {
                entry.stat = create(MetricKind::Counter, name);
            }
        }
    }

    /// Tells Envoy the sums of counters that it has, and leaves the others to the next configuration.
    pub(crate) fn hand_over(&mut self) {
        let Self { owners, waiting, .. } = self;
        for (owner, series) in waiting.drain(..) {
            let Some(entry) = get(owners, owner, series) else { continue };
            if let Stat::Named(name) = &entry.stat {
                if leave(name, entry.sum, entry.urgent) {
                    entry.sum = 0;
                    continue;
                }
                entry.stat = create(MetricKind::Counter, name);
            }
            tell(entry);
        }
        (self.counting, self.creating) = (false, false);
    }
}

/// Adds the sum to Envoy's counter.
fn tell(series: &mut Series) {
    let sum = std::mem::take(&mut series.sum);
    if let Stat::Created(id) = series.stat {
        // The ABI's numbers are signed; no sum of a quarter of a second comes near.
        let _ = abi::increment_metric(id, i64::try_from(sum).unwrap_or(i64::MAX));
    }
}

/// Leaves a counter to the next configuration, if there is room.
fn leave(name: &str, sum: u64, is_urgent: bool) -> bool {
    LEFT.with(|left| match left.try_borrow_mut() {
        Ok(mut left) if left.urgent.len() + left.others.len() < MOST_LEFT => {
            let Left { urgent, others } = &mut *left;
            (if is_urgent { urgent } else { others }).push((name.into(), sum));
            true
        }
        _ => false,
    })
}

/// Whether configurations have left counters behind.
pub(crate) fn something_is_left() -> bool {
    LEFT.with(|left| left.try_borrow().is_ok_and(|left| !left.urgent.is_empty() || !left.others.is_empty()))
}

fn create(kind: MetricKind, name: &str) -> Stat {
    let kind = match kind {
        MetricKind::Counter => 0,
        MetricKind::Gauge => 1,
        MetricKind::Histogram => 2,
    };
    ids::id(kind, name, || abi::define_metric(kind, name).ok()).map_or(Stat::None, Stat::Created)
}

fn get(owners: &mut [Vec<Series>], owner: u8, series: SeriesId) -> Option<&mut Series> {
    owners.get_mut(usize::from(owner))?.get_mut(usize::try_from(series).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Outside a host no series can be created and no time passes, so these have ids of their own.
    #[test]
    fn series_are_kept_by_owner_and_one_that_envoy_refused_counts_nothing() {
        let mut metrics = Metrics::default();
        metrics.set(2, 5, Stat::Created(9));
        metrics.create(0, 0, MetricKind::Counter, "refused");
        for (owner, series) in [(2, 4), (2, 6), (0, 0), (1, 0), (9, 9)] {
            metrics.add(owner, series, 1);
        }
        assert_eq!((metrics.period(), metrics.waiting.as_slice()), (None, [].as_slice()));
        metrics.add(2, 5, 1);
        assert_eq!((metrics.period(), metrics.waiting.as_slice()), (Some(FLUSH), [(2, 5)].as_slice()));
    }

    #[test]
    fn what_is_counted_waits_as_one_sum_until_a_flush() {
        let mut metrics = Metrics::default();
        metrics.set(1, 0, Stat::Created(3));
        for by in [1, 2, 3] {
            metrics.add(1, 0, by);
        }
        assert_eq!(metrics.waiting, [(1, 0)]);
        assert_eq!(get(&mut metrics.owners, 1, 0).map(|series| series.sum), Some(6));
        metrics.flush();
        assert_eq!(metrics.waiting, []);
        assert_eq!(get(&mut metrics.owners, 1, 0).map(|series| series.sum), Some(0));
        assert_eq!(metrics.period(), Some(FLUSH), "the timer runs on until a flush finds nothing");
        metrics.flush();
        assert_eq!(metrics.period(), None);
    }

    #[test]
    fn counters_are_created_when_they_count_and_for_as_long_as_may_be() {
        let mut metrics = Metrics::default();
        for series in 0..3 {
            metrics.define(0, series, MetricKind::Counter, format!("c{series}"), false);
        }
        assert_eq!(metrics.period(), None);
        metrics.add(0, 0, 1);
        metrics.add(0, 2, 1);
        assert_eq!(metrics.period(), Some(CREATION));
        metrics.flush();
        // All of them are tried while no time passes, and the host refuses.
        assert_eq!((metrics.waiting.len(), metrics.period()), (0, Some(FLUSH)));
        assert!(matches!(get(&mut metrics.owners, 0, 1).map(|series| &series.stat), Some(Stat::Named(_))));
        assert!(matches!(get(&mut metrics.owners, 0, 2).map(|series| &series.stat), Some(Stat::None)));
    }

    #[test]
    fn what_a_configuration_leaves_the_next_one_creates() {
        let mut ending = Metrics::default();
        for series in 0..3 {
            ending.define(0, series, MetricKind::Counter, format!("left{series}"), false);
            ending.add(0, series, 1);
        }
        ending.set(0, 1, Stat::Created(7));
        ending.hand_over();
        assert_eq!((ending.waiting.len(), ending.period()), (0, Some(CREATION)), "any configuration may go on");
        let left = || {
            LEFT.with(|left| {
                left.borrow().others.iter().map(|(name, sum)| (name.to_string(), *sum)).collect::<Vec<_>>()
            })
        };
        assert_eq!(left(), [("left0".to_owned(), 1), ("left2".to_owned(), 1)]);
        // A stream that still runs counts on.
        ending.add(0, 2, 4);
        ending.hand_over();
        assert_eq!(left().len(), 3);
        let mut next = Metrics::default();
        next.flush();
        assert_eq!((left(), next.period()), (vec![], None));
    }
}
