//! `cardinality`: how many series there may be, and what those keep that stand for the rest.

use crate::labels::names::{LABELS, foldable};
use weir_config::Cursor;
use weir_model::SortedMap;

/// The bounds on series.
#[derive(Clone, Debug)]
pub(crate) struct Cardinality {
    /// Series per metric and VM.
    pub(crate) series: usize,
    /// How many stats that Envoy is slow to create a VM may define per tick.
    pub(crate) new_stats_per_tick: u32,
    /// Which labels an overflow series keeps.
    pub(crate) keep: Vec<&'static str>,
    /// Distinct values per label.
    pub(crate) fold: SortedMap<&'static str, usize>,
}

/// Series per metric unless configured.
const SERIES: usize = 5000;
/// Slow definitions per tick unless configured.
const NEW_STATS_PER_TICK: u32 = 1;
/// Labels that overflow series keep unless configured: neither comes from a client.
const KEEP: [&str; 2] = ["reporter", "response_code"];

impl Default for Cardinality {
    fn default() -> Self {
        Self { series: SERIES, new_stats_per_tick: NEW_STATS_PER_TICK, keep: KEEP.to_vec(), fold: SortedMap::new() }
    }
}

impl Cardinality {
    /// Reads the field; what it leaves out has its default.
    #[inline(never)]
    pub(crate) fn read(at: &Cursor<'_>) -> Option<Self> {
        let mut fields = at.object()?;
        let series = match fields.take("series") {
            Some(at) => at.integer(1, 100_000).and_then(|series| usize::try_from(series).ok()),
            None => Some(SERIES),
        };
        let new_stats_per_tick = match fields.take("newStatsPerTick") {
            Some(at) => at.integer(1, 1000).and_then(|stats| u32::try_from(stats).ok()),
            None => Some(NEW_STATS_PER_TICK),
        };
        let keep = match fields.take("keep") {
            Some(at) => at.each(|item| {
                let name = item.string()?;
                let label = among(&LABELS, name);
                label.or_else(|| item.problem(format!("`{name}` is not a label of these metrics")))
            }),
            None => KEEP.to_vec(),
        };
        let mut fold = SortedMap::new();
        let known: Vec<&str> = foldable().collect();
        for (name, at) in fields.take("fold").and_then(|at| at.map()).unwrap_or_default() {
            let Some(label) = among(&known, name) else {
                at.problem::<()>(format!("`{name}` cannot be folded; labels that can: {}", known.join(", ")));
                continue;
            };
            if let Some(limit) = at.integer(1, 100_000).and_then(|limit| usize::try_from(limit).ok()) {
                fold.insert(label, limit);
            }
        }
        fields.finish();
        Some(Self { series: series?, new_stats_per_tick: new_stats_per_tick?, keep, fold })
    }
}

/// The one of `names` that is `name`.
#[inline(never)]
fn among(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.iter().find(|known| **known == name).copied()
}
