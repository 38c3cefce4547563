//! Effects become hostcalls: the last act of every callback.

use crate::abi::{self, Map};
use weir_model::{Edits, Effects, HeaderEdit, Level, MetricKind, MetricOp, Offer};

/// Envoy's metric ids of the series that cores have defined, by owner and series.
#[derive(Debug, Default)]
pub(crate) struct MetricIds {
    owners: Vec<Vec<Option<u32>>>,
}

impl MetricIds {
    fn set(&mut self, owner: u8, series: u32, id: Option<u32>) {
        let (owner, Ok(series)) = (usize::from(owner), usize::try_from(series)) else { return };
        if self.owners.len() <= owner {
            self.owners.resize_with(owner + 1, Vec::new);
        }
        if let Some(ids) = self.owners.get_mut(owner) {
            if ids.len() <= series {
                ids.resize(series + 1, None);
            }
            if let Some(place) = ids.get_mut(series) {
                *place = id;
            }
        }
    }

    /// Has Envoy make a series.
    fn define(&mut self, owner: u8, series: u32, kind: MetricKind, name: &str) {
        let kind = match kind {
            MetricKind::Counter => 0,
            MetricKind::Gauge => 1,
            MetricKind::Histogram => 2,
        };
        self.set(owner, series, abi::define_metric(kind, name).ok());
    }

    fn add(&self, owner: u8, series: u32, by: u64) {
        if let (Some(id), Ok(by)) = (self.get(owner, series), i64::try_from(by)) {
            let _ = abi::increment_metric(id, by);
        }
    }

    fn record(&self, owner: u8, series: u32, value: u64) {
        if let Some(id) = self.get(owner, series) {
            let _ = abi::record_metric(id, value);
        }
    }

    fn get(&self, owner: u8, series: u32) -> Option<u32> {
        *self.owners.get(usize::from(owner))?.get(usize::try_from(series).ok()?)?
    }
}

/// Changes the stream whose context is in effect, and empties `edits`. A hostcall that fails costs its own edit only.
pub(crate) fn apply(edits: &mut Edits) {
    for (name, value) in edits.filter_state.drain(..) {
        let _ = abi::set_filter_state(name, &value);
    }
    edit(Map::RequestHeaders, &mut edits.request_headers);
    edit(Map::ResponseHeaders, &mut edits.response_headers);
}

/// Does everything in `effects` but to call out, and empties that. A hostcall that fails costs its own effect only.
pub(crate) fn drain(effects: &mut Effects, ids: &mut MetricIds) {
    if effects.is_empty() {
        return;
    }
    for operation in effects.metrics.drain(..) {
        match operation {
            MetricOp::Define { owner, series, kind, name } => ids.define(owner, series, kind, &name),
            MetricOp::Add { owner, series, by } => ids.add(owner, series, by),
            MetricOp::Record { owner, series, value } => ids.record(owner, series, value),
        }
    }
    let before = effects.spent.total;
    let mut begun = if effects.offers.is_empty() { 0 } else { abi::mono_nanos() };
    for Offer { owner, series, kind, name, values } in effects.offers.drain(..) {
        if effects.spent.total.saturating_sub(before) > effects.patience {
            break;
        }
        ids.define(owner, series, kind, &name);
        let ended = abi::mono_nanos();
        effects.spent.add(ended.saturating_sub(begun));
        begun = ended;
        effects.defined.push((owner, series));
        for value in values {
            match kind {
                MetricKind::Counter => ids.add(owner, series, value),
                MetricKind::Gauge | MetricKind::Histogram => ids.record(owner, series, value),
            }
        }
    }
    for (level, line) in effects.logs.drain(..) {
        let level = match level {
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        };
        abi::log(level, &line);
    }
}

fn edit(map: Map, edits: &mut Vec<HeaderEdit>) {
    for change in edits.drain(..) {
        let _ = match change {
            HeaderEdit::Add(name, value) => abi::add_header(map, &name, &value),
            HeaderEdit::Replace(name, value) => abi::replace_header(map, &name, &value),
            HeaderEdit::Remove(name) => abi::remove_header(map, &name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Outside a host every hostcall fails and no time passes.
    #[test]
    fn offers_are_answered_and_forgotten() {
        let mut effects = Effects { owner: 2, ..Effects::default() };
        for series in 0..3 {
            effects.offer(series, MetricKind::Histogram, String::new(), vec![1, 2]);
        }
        drain(&mut effects, &mut MetricIds::default());
        assert_eq!((effects.is_empty(), effects.take_spent()), (true, weir_model::Spent::default()));
        effects.owner = 1;
        assert_eq!(effects.take_defined(), []);
        effects.owner = 2;
        assert_eq!(effects.take_defined(), [0, 1, 2]);
        assert_eq!(effects.take_defined(), []);
    }

    #[test]
    fn nothing_is_defined_when_the_time_is_used_up() {
        let mut effects = Effects::default();
        effects.offer(0, MetricKind::Counter, String::new(), Vec::new());
        let mut ids = MetricIds::default();
        effects.spent.add(5);
        drain(&mut effects, &mut ids);
        assert_eq!(effects.take_defined(), [0], "what was spent before is not this callback's");
    }

    #[test]
    fn ids_are_kept_by_owner_and_a_failed_definition_has_none() {
        let mut ids = MetricIds::default();
        ids.set(2, 5, Some(9));
        ids.set(0, 0, None);
        assert_eq!(ids.get(2, 5), Some(9));
        for (owner, series) in [(2, 4), (2, 6), (0, 0), (1, 0), (9, 9)] {
            assert_eq!(ids.get(owner, series), None);
        }
    }
}
