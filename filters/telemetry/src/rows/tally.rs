//! Counters of the filter's own: how many streams lost labels. They count in the VM until Envoy has them, so they may
//! wait like every other series and lose nothing.

use weir_metrics::{SeriesIds, stat_name};
use weir_model::{Effects, MetricKind, SeriesId};

/// One counter.
#[derive(Clone, Debug)]
struct Tally {
    series: SeriesId,
    name: String,
    defined: bool,
    /// What it counted before Envoy has it.
    pending: u64,
}

/// The counters of one VM, each made when it first counts. There are as many as foldable labels, and one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tallies {
    counters: Vec<(Option<&'static str>, Tally)>,
    plugin: String,
}

impl Tallies {
    pub(crate) fn new(plugin: &str) -> Self {
        Self { counters: Vec::new(), plugin: plugin.to_owned() }
    }

    /// Counts a stream whose `label` is folded, or for `None` one that is counted in an overflow row.
    pub(crate) fn count(&mut self, effects: &mut Effects, ids: &SeriesIds, label: Option<&'static str>) {
        if let Some((_, tally)) = self.counters.iter_mut().find(|(of, _)| *of == label) {
            match tally.defined {
                true => effects.add(tally.series, 1),
                false => tally.pending += 1,
            }
            return;
        }
        let plugin = ("weir_plugin", self.plugin.as_str());
        let name = match label {
            Some(label) => stat_name(&[plugin, ("reason", label)], "weir_folded_total"),
            None => stat_name(&[plugin], "weir_series_overflow_total"),
        };
        self.counters.push((label, Tally { series: ids.allot(), name, defined: false, pending: 1 }));
    }

    /// Offers at most `room` of what is not defined, and calls `offered` with each.
    pub(crate) fn offer(&self, effects: &mut Effects, room: usize, mut offered: impl FnMut(SeriesId)) {
        for (_, tally) in self.counters.iter().filter(|(_, tally)| !tally.defined).take(room) {
            effects.offer(tally.series, MetricKind::Counter, tally.name.clone(), vec![tally.pending]);
            offered(tally.series);
        }
    }

    /// Envoy has the series, and with it what was pending.
    pub(crate) fn defined(&mut self, series: SeriesId) {
        if let Some((_, tally)) = self.counters.iter_mut().find(|(_, tally)| tally.series == series) {
            tally.defined = true;
            tally.pending = 0;
        }
    }

    /// Whether nothing waits to be defined.
    pub(crate) fn is_settled(&self) -> bool {
        self.counters.iter().all(|(_, tally)| tally.defined)
    }

    /// Defines all that is not, at any cost: the VM ends.
    pub(crate) fn finish(&mut self, effects: &mut Effects) {
        for (_, tally) in self.counters.iter_mut().filter(|(_, tally)| !tally.defined) {
            effects.define(tally.series, MetricKind::Counter, tally.name.clone());
            effects.add(tally.series, std::mem::take(&mut tally.pending));
            tally.defined = true;
        }
    }
}
