//! The `telemetry` document: what to count, from which side, and how many series that may become.

use cardinality::Cardinality;
use peer_metadata::{PeerMetadata, ReadAt};
use weir_config::{Common, Cursor, Fields, Mode, Value};
use weir_model::{Attribute, Attributes, Direction, Node, ProxyKind};

pub(crate) mod cardinality;
mod peer_metadata;
pub(crate) mod side;

pub(crate) use peer_metadata::Trust;
pub(crate) use side::Side;

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
    pub(crate) cardinality: Cardinality,
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
    #[inline(never)]
    pub(crate) fn read(fields: &mut Fields<'_>, common: Common, node: &Node) -> Option<Self> {
        let before = fields.cursor().problems();
        let reporter = fields
            .take("reporter")
            .and_then(|at| at.word(&[("source", Side::Source), ("destination", Side::Destination)]));
        let prefix = match fields.take("metricPrefix") {
            Some(at) => metric_prefix(&at),
            None => Some("istio_".to_owned()),
        };
        let cardinality = match fields.take("cardinality") {
            Some(at) => Cardinality::read(&at),
            None => Some(Cardinality::default()),
        };
        let peer_metadata = match fields.take("peerMetadata") {
            Some(at) => PeerMetadata::read(&at),
            None => Some(PeerMetadata::default()),
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
        if fields.cursor().problems() > before {
            return None;
        }
        let cardinality = cardinality?;
        let PeerMetadata { trust, read_at } = peer_metadata?;
        let Common { name, mode, listener, access_log_state: _ } = common;
        Some(Self {
            name,
            mode,
            reporter: reporter.or_else(|| listener.map(Side::of)),
            listener,
            prefix: prefix?,
            cardinality,
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
    pub(crate) fn reads_peer_metadata(&self, side: Side) -> bool {
        self.trust != Trust::Never && self.reporter.is_none_or(|reporter| reporter == side)
    }

    /// Whether the header of the upstream peer is read while the response passes, rather than at the end.
    pub(crate) fn reads_response(&self) -> bool {
        self.mode != Mode::Off && self.read_at == ReadAt::Response && self.reads_peer_metadata(Side::Source)
    }

    /// Whether the filter state is read in which Istio's metadata exchange keeps the peer of that side's streams. Without
    /// Istio it is never there.
    pub(crate) fn exchanges(&self, side: Side) -> bool {
        self.istio && self.reads_peer_metadata(side)
    }
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
