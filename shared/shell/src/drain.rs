//! Effects become hostcalls: the last act of every callback.

use crate::abi::{self, Map};
use crate::header::is_one;
use crate::metrics::Metrics;
use weir_model::{Edits, Effects, HeaderEdit, Level, MetricKind, MetricOp, Offer};

/// Changes the stream whose context is in effect, and empties `edits`. A hostcall that fails costs its own edit only.
pub(crate) fn apply(edits: &mut Edits) {
    for (name, value) in edits.filter_state.drain(..) {
        let _ = abi::set_filter_state(name, &value);
    }
    edit(Map::RequestHeaders, &mut edits.request_headers);
    edit(Map::ResponseHeaders, &mut edits.response_headers);
}

/// Does everything in `effects` but to call out, and empties that. A hostcall that fails costs its own effect only.
pub(crate) fn drain(effects: &mut Effects, metrics: &mut Metrics) {
    if effects.is_empty() {
        return;
    }
    for operation in effects.metrics.drain(..) {
        match operation {
            MetricOp::Define { owner, series, kind, name, urgent } => metrics.define(owner, series, kind, name, urgent),
            MetricOp::Add { owner, series, by } => metrics.add(owner, series, by),
            MetricOp::Record { owner, series, value } => metrics.record(owner, series, value),
        }
    }
    let before = effects.spent.total;
    let mut begun = if effects.offers.is_empty() { 0 } else { abi::mono_nanos() };
    for Offer { owner, series, kind, name, values } in effects.offers.drain(..) {
        if effects.spent.total.saturating_sub(before) > effects.patience {
            break;
        }
        metrics.create(owner, series, kind, &name);
        let ended = abi::mono_nanos();
        effects.spent.add(ended.saturating_sub(begun));
        begun = ended;
        effects.defined.push((owner, series));
        for value in values {
            match kind {
                MetricKind::Counter => metrics.add(owner, series, value),
                MetricKind::Gauge | MetricKind::Histogram => metrics.record(owner, series, value),
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
        let can_go_out = match &change {
            HeaderEdit::Add(name, value) | HeaderEdit::Replace(name, value) => is_one(name, value),
            HeaderEdit::Remove(_) => true,
        };
        if !can_go_out {
            continue;
        }
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
        drain(&mut effects, &mut Metrics::default());
        assert_eq!((effects.is_empty(), effects.take_spent()), (true, weir_model::Spent::default()));
        effects.owner = 1;
        assert!(effects.take_defined().is_empty());
        effects.owner = 2;
        assert_eq!(effects.take_defined(), [0, 1, 2]);
        assert!(effects.take_defined().is_empty());
    }

    #[test]
    fn what_was_spent_before_is_not_charged_to_this_callback() {
        let mut effects = Effects::default();
        effects.offer(0, MetricKind::Counter, String::new(), Vec::new());
        let mut metrics = Metrics::default();
        effects.spent.add(5);
        drain(&mut effects, &mut metrics);
        assert_eq!(effects.take_defined(), [0], "what was spent before is not this callback's");
    }
}
