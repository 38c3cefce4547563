//! The `telemetry` document: what to count, from which side, and how many series that may become.

use crate::known::foldable;
use crate::label::LABELS;
use weir_config::{Common, Cursor, Fields, Mode, Value};
use weir_model::{Attribute, Attributes, Direction, Node, ProxyKind, SortedMap};

/// Which end of a stream the proxy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The client's proxy.
    Source,
    /// The server's proxy.
    Destination,
}

impl Side {
    /// The side that a listener of that direction reports.
    pub(crate) fn of(direction: Direction) -> Self {
        match direction {
            Direction::Inbound => Self::Destination,
            Direction::Outbound | Direction::Unspecified => Self::Source,
        }
    }
}

/// Whose word about itself is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Peers with a certificate.
    Mtls,
    /// Everybody.
    Always,
    /// Nobody.
    Never,
}

/// When the header is read in which the peer of an outbound stream describes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadAt {
    /// When the stream ends, from the headers as the client got them.
    End,
    /// When the response headers pass this filter, before the filters ahead of it can remove any.
    Response,
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    /// `None`: as the direction of each stream's listener says.
    pub(crate) reporter: Option<Side>,
    /// `None`: each stream is asked for it where it matters.
    pub(crate) listener: Option<Direction>,
    pub(crate) prefix: String,
    /// Series per metric and VM.
    pub(crate) series: usize,
    /// How many stats that Envoy is slow to create a VM may define per tick.
    pub(crate) new_stats_per_tick: u32,
    /// Which labels an overflow series keeps.
    pub(crate) keep: Vec<&'static str>,
    /// Distinct values per label.
    pub(crate) fold: SortedMap<&'static str, usize>,
    pub(crate) trust: Trust,
    read_at: ReadAt,
    /// Istio configured this proxy, so its own route and cluster names mean something.
    pub(crate) istio: bool,
    /// The proxy is an Istio gateway.
    pub(crate) gateway: bool,
    /// The `Host` header may name the service.
    pub(crate) host_fallback: bool,
}

impl Settings {
    /// Reads the fields of a document or section that follow the common ones.
    pub(crate) fn read(fields: &mut Fields<'_>, common: Common, node: &Node) -> Option<Self> {
        let before = fields.at().problems();
        let reporter = fields
            .take("reporter")
            .and_then(|at| at.word(&[("source", Side::Source), ("destination", Side::Destination)]));
        let prefix = match fields.take("metricPrefix") {
            Some(at) => metric_prefix(&at),
            None => Some("istio_".to_owned()),
        };
        let cardinality = match fields.take("cardinality") {
            Some(at) => cardinality(&at),
            None => Some((SERIES, NEW_STATS_PER_TICK, KEEP.to_vec(), SortedMap::new())),
        };
        let peer_metadata = match fields.take("peerMetadata") {
            Some(at) => peer_metadata(&at),
            None => Some((Trust::Mtls, ReadAt::End)),
        };
        let host_fallback = match fields.take("hostFallback") {
            Some(at) => at.word(&[("auto", true), ("off", false)]),
            None => Some(true),
        };
        for later in ["telemetry", "definitions", "classify", "accessLog"] {
            if let Some(at) = fields.take(later).filter(|at| !is_empty(at.value())) {
                at.problem::<()>(format!("`{later}` is not supported by this version; remove it"));
            }
        }
        if fields.at().problems() > before {
            return None;
        }
        let (series, new_stats_per_tick, keep, fold) = cardinality?;
        let (trust, read_at) = peer_metadata?;
        let Common { name, mode, listener, access_log_state: _ } = common;
        Some(Self {
            name,
            mode,
            reporter: reporter.or_else(|| listener.map(Side::of)),
            listener,
            prefix: prefix?,
            series,
            new_stats_per_tick,
            keep,
            fold,
            trust,
            read_at,
            istio: node.text("ISTIO_VERSION").is_some(),
            gateway: node.proxy() == Some(ProxyKind::Gateway),
            host_fallback: host_fallback?,
        })
    }

    /// The direction of a stream's listener.
    pub(crate) fn direction(&self, attributes: &Attributes) -> Direction {
        self.listener.unwrap_or_else(|| Direction::of(attributes.int(&Attribute::ListenerDirection)))
    }

    /// Whether `Host` can name the service of that side's streams where the cluster does not. A stream's listener must be
    /// outbound besides: elsewhere, and in a gateway, clients choose the header freely.
    pub(crate) fn host_names(&self, side: Side) -> bool {
        self.host_fallback && side == Side::Source && !self.gateway
    }

    /// Whether a header is read in which the peer of that side's streams describes itself.
    pub(crate) fn tells_peer(&self, side: Side) -> bool {
        self.trust != Trust::Never && self.reporter.is_none_or(|reporter| reporter == side)
    }

    /// Whether the header of the upstream peer is read while the response passes, rather than at the end.
    pub(crate) fn reads_response(&self) -> bool {
        self.mode != Mode::Off && self.read_at == ReadAt::Response && self.tells_peer(Side::Source)
    }

    /// Whether the filter state is read in which Istio's metadata exchange keeps the peer of that side's streams. Elsewhere
    /// nobody writes it.
    pub(crate) fn exchanges(&self, side: Side) -> bool {
        self.istio && self.tells_peer(side)
    }
}

/// Series per metric unless configured.
const SERIES: usize = 5000;
/// Slow definitions per tick unless configured.
const NEW_STATS_PER_TICK: u32 = 1;
/// Labels that overflow series keep unless configured: neither comes from a client.
const KEEP: [&str; 2] = ["reporter", "response_code"];

type Cardinality = (usize, u32, Vec<&'static str>, SortedMap<&'static str, usize>);

fn cardinality(at: &Cursor<'_>) -> Option<Cardinality> {
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
            match LABELS.iter().find(|label| **label == name) {
                Some(label) => Some(*label),
                None => item.problem(format!("`{name}` is no label of these metrics")),
            }
        }),
        None => KEEP.to_vec(),
    };
    let mut fold = SortedMap::new();
    for (name, at) in fields.take("fold").and_then(|at| at.map()).unwrap_or_default() {
        let Some(label) = foldable().find(|label| *label == name) else {
            let known: Vec<&str> = foldable().collect();
            at.problem::<()>(format!("`{name}` cannot be folded; labels that can: {}", known.join(", ")));
            continue;
        };
        if let Some(limit) = at.integer(1, 100_000).and_then(|limit| usize::try_from(limit).ok()) {
            fold.insert(label, limit);
        }
    }
    fields.finish();
    Some((series?, new_stats_per_tick?, keep, fold))
}

// Alone, so that its checks do not make its caller one more function that can reach a panic.
#[inline(never)]
fn peer_metadata(at: &Cursor<'_>) -> Option<(Trust, ReadAt)> {
    let mut fields = at.object()?;
    let trust = match fields.take("trust") {
        Some(at) => at.word(&[("mtls", Trust::Mtls), ("always", Trust::Always), ("never", Trust::Never)]),
        None => Some(Trust::Mtls),
    };
    let read_at = match fields.take("readAt") {
        Some(at) => at.word(&[("end", ReadAt::End), ("response", ReadAt::Response)]),
        None => Some(ReadAt::End),
    };
    fields.finish();
    Some((trust?, read_at?))
}

fn metric_prefix(at: &Cursor<'_>) -> Option<String> {
    let text = at.text()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain && !text.starts_with(|first: char| first.is_ascii_digit()) && text.len() <= 63 {
        return Some(text.to_owned());
    }
    at.problem("a metric prefix is 1 to 63 letters, digits and `_`, and does not begin with a digit")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
