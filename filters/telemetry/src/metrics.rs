//! What is counted of each stream: Istio's four standard HTTP metrics.

use weir_model::{Attribute, Attributes, MetricKind};

/// One of the metrics. Each row has a series for each of them, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    Requests,
    Duration,
    RequestBytes,
    ResponseBytes,
}

impl Metric {
    pub(crate) const ALL: [Self; 4] = [Self::Requests, Self::Duration, Self::RequestBytes, Self::ResponseBytes];

    /// Counter or histogram.
    pub(crate) fn kind(self) -> MetricKind {
        match self {
            Self::Requests => MetricKind::Counter,
            Self::Duration | Self::RequestBytes | Self::ResponseBytes => MetricKind::Histogram,
        }
    }

    /// Its name behind the prefix.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests_total",
            Self::Duration => "request_duration_milliseconds",
            Self::RequestBytes => "request_bytes",
            Self::ResponseBytes => "response_bytes",
        }
    }

    /// Which of a row's series it has, counted from the first.
    pub(crate) fn offset(self) -> u32 {
        match self {
            Self::Requests => 0,
            Self::Duration => 1,
            Self::RequestBytes => 2,
            Self::ResponseBytes => 3,
        }
    }
}

/// A set of metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MetricSet(u8);

impl MetricSet {
    pub(crate) const EMPTY: Self = Self(0);
    pub(crate) const ALL: Self = Self(0b1111);
    pub(crate) const COUNTERS: Self = Self(0b0001);
    pub(crate) const HISTOGRAMS: Self = Self(0b1110);

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn contains(self, metric: Metric) -> bool {
        self.0 >> metric.offset() & 1 == 1
    }

    pub(crate) fn insert(&mut self, metric: Metric) {
        self.0 |= 1 << metric.offset();
    }

    /// What is in this set and in `other`.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this set or in `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in `other`.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Metric> {
        Metric::ALL.into_iter().filter(move |metric| self.contains(*metric))
    }
}

/// One value for each metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PerMetric<T> {
    pub(crate) requests: T,
    pub(crate) duration: T,
    pub(crate) request_bytes: T,
    pub(crate) response_bytes: T,
}

impl<T> PerMetric<T> {
    /// The value of a metric.
    pub(crate) fn get(&self, metric: Metric) -> &T {
        match metric {
            Metric::Requests => &self.requests,
            Metric::Duration => &self.duration,
            Metric::RequestBytes => &self.request_bytes,
            Metric::ResponseBytes => &self.response_bytes,
        }
    }

    /// The value of a metric, to be changed.
    pub(crate) fn get_mut(&mut self, metric: Metric) -> &mut T {
        match metric {
            Metric::Requests => &mut self.requests,
            Metric::Duration => &mut self.duration,
            Metric::RequestBytes => &mut self.request_bytes,
            Metric::ResponseBytes => &mut self.response_bytes,
        }
    }
}

/// What one stream adds to each metric; `None` where Envoy does not say.
pub(crate) type Values = PerMetric<Option<u64>>;

impl Values {
    /// Reads them when the stream ends.
    pub(crate) fn of(attributes: &Attributes) -> Self {
        let number = |attribute| attributes.int(attribute).and_then(|value| u64::try_from(value).ok());
        Self {
            requests: Some(1),
            duration: number(&Attribute::RequestDuration).map(|nanos| nanos / 1_000_000),
            request_bytes: number(&Attribute::RequestTotalSize),
            response_bytes: number(&Attribute::ResponseTotalSize),
        }
    }

    /// The values of `metrics` alone.
    pub(crate) fn only(mut self, metrics: MetricSet) -> Self {
        for metric in Metric::ALL {
            if !metrics.contains(metric) {
                *self.get_mut(metric) = None;
            }
        }
        self
    }

    /// The metrics that have a value.
    pub(crate) fn metrics(&self) -> MetricSet {
        let mut metrics = MetricSet::EMPTY;
        Metric::ALL.into_iter().filter(|metric| self.get(*metric).is_some()).for_each(|metric| metrics.insert(metric));
        metrics
    }
}

#[cfg(test)]
mod tests;
