//! Envoy's statistics store as far as modules reach it: `wasmcustom.` counters, gauges and histograms, one of a name.
//!
//! A metric id belongs to a VM and is never reused; the stat behind it is shared by all that defined the same name.

use crate::abi::status::Status;
use std::collections::BTreeMap;

/// The kinds of metric, numbered as the ABI does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Goes up only.
    Counter = 0,
    /// Goes up and down.
    Gauge = 1,
    /// Keeps samples.
    Histogram = 2,
}

impl Kind {
    pub(crate) fn from_number(number: u32) -> Option<Kind> {
        match number {
            0 => Some(Kind::Counter),
            1 => Some(Kind::Gauge),
            2 => Some(Kind::Histogram),
            _ => None,
        }
    }
}

/// What a stat holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stat {
    /// A counter's total.
    Counter(u64),
    /// A gauge's value.
    Gauge(u64),
    /// Every sample of a histogram, in order.
    Histogram(Vec<u64>),
}

/// All stats by kind and name, names without the prefix `wasmcustom.`.
#[derive(Clone, Debug, Default)]
pub struct Stats(pub(crate) BTreeMap<(Kind, Vec<u8>), Stat>);

impl Stats {
    /// Every stat in order of kind and name.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &[u8], &Stat)> {
        self.0.iter().map(|((kind, name), stat)| (*kind, name.as_slice(), stat))
    }

    /// One stat.
    #[must_use]
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Stat> {
        self.0.get(&(kind, name.as_bytes().to_vec()))
    }

    /// A counter's or gauge's value; 0 where there is none.
    #[must_use]
    pub fn value(&self, name: &str) -> u64 {
        [Kind::Counter, Kind::Gauge]
            .into_iter()
            .find_map(|kind| match self.get(kind, name) {
                Some(Stat::Counter(value) | Stat::Gauge(value)) => Some(*value),
                _ => None,
            })
            .unwrap_or(0)
    }

    pub(crate) fn define(&mut self, kind: Kind, name: &[u8]) {
        self.0.entry((kind, name.to_vec())).or_insert(match kind {
            Kind::Counter => Stat::Counter(0),
            Kind::Gauge => Stat::Gauge(0),
            Kind::Histogram => Stat::Histogram(Vec::new()),
        });
    }

    fn of(&mut self, kind: Kind, name: &[u8]) -> Result<&mut Stat, Status> {
        self.0.get_mut(&(kind, name.to_vec())).ok_or(Status::NotFound)
    }

    pub(crate) fn increment(&mut self, kind: Kind, name: &[u8], by: i64) -> Result<(), Status> {
        match self.of(kind, name)? {
            Stat::Counter(value) if by > 0 => *value = value.wrapping_add(by.unsigned_abs()),
            Stat::Gauge(value) => *value = value.wrapping_add_signed(by),
            Stat::Counter(_) | Stat::Histogram(_) => return Err(Status::BadArgument),
        }
        Ok(())
    }

    pub(crate) fn record(&mut self, kind: Kind, name: &[u8], sample: u64) -> Result<(), Status> {
        match self.of(kind, name)? {
            Stat::Counter(value) => *value = value.wrapping_add(sample),
            Stat::Gauge(value) => *value = sample,
            Stat::Histogram(samples) => samples.push(sample),
        }
        Ok(())
    }

    pub(crate) fn read(&mut self, kind: Kind, name: &[u8]) -> Result<u64, Status> {
        match self.of(kind, name)? {
            Stat::Counter(value) | Stat::Gauge(value) => Ok(*value),
            Stat::Histogram(_) => Err(Status::BadArgument),
        }
    }
}
