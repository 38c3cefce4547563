//! For tests: a stream written down in one place, and what Envoy would hold after the effects.

use crate::Telemetry;
use prost::Message;
use std::collections::BTreeMap;
use weir_model::{
    Attribute, Attributes, Edits, Effects, Facts, Filter, Headers, Io, MemoryCells, MetricKind, MetricOp, Node, Now,
    Offer, PairsBuilder, Phase, Struct, StructValue,
};
use weir_proto::{Field, FilterMetadata, ListValue, MetadataMessage, StructMessage, Value, value::Kind};

/// What an Envoy would hold: per stat name, a counter's total or a histogram's values.
#[derive(Debug, Default)]
pub(crate) struct Held {
    kinds: BTreeMap<u32, (MetricKind, String)>,
    effects: Effects,
    /// What Envoy takes for a definition, in nanoseconds.
    slow: u64,
    /// Definitions of each callback, where there were any.
    pub(crate) defined: Vec<usize>,
    pub(crate) counters: BTreeMap<String, u64>,
    pub(crate) histograms: BTreeMap<String, Vec<u64>>,
}

impl Held {
    fn drain(&mut self, effects: &mut Effects) {
        let mut count = 0;
        let mut define = |kinds: &mut BTreeMap<_, _>, spent: &mut weir_model::Spent, series, kind, name| {
            count += 1;
            spent.add(self.slow);
            assert!(kinds.insert(series, (kind, name)).is_none(), "a series is defined once");
        };
        for op in effects.metrics.drain(..) {
            match op {
                MetricOp::Define { series, kind, name, .. } => {
                    define(&mut self.kinds, &mut effects.spent, series, kind, name);
                }
                MetricOp::Add { series, by, .. } => count_in(&self.kinds, &mut self.counters, series, by),
                MetricOp::Record { series, value, .. } => record_in(&self.kinds, &mut self.histograms, series, value),
            }
        }
        let begun = effects.spent.total;
        for Offer { owner, series, kind, name, values } in effects.offers.drain(..) {
            if effects.spent.total - begun > effects.patience {
                break;
            }
            define(&mut self.kinds, &mut effects.spent, series, kind, name);
            effects.defined.push((owner, series));
            for value in values {
                match kind {
                    MetricKind::Counter => count_in(&self.kinds, &mut self.counters, series, value),
                    _ => record_in(&self.kinds, &mut self.histograms, series, value),
                }
            }
        }
        if count > 0 {
            self.defined.push(count);
        }
    }

    /// An Envoy that takes so many nanoseconds for each definition.
    pub(crate) fn slow(slow: u64) -> Self {
        Self { slow, ..Self::default() }
    }

    /// Lets the timer fire.
    pub(crate) fn tick(&mut self, filter: &mut Telemetry, now: Now) {
        let mut effects = std::mem::take(&mut self.effects);
        filter.tick(&mut Io::new(now, &mut MemoryCells::default(), &mut effects));
        self.drain(&mut effects);
        self.effects = effects;
    }

    /// Labels of each counter named `metric`, with its total.
    pub(crate) fn series(&self, metric: &str) -> Vec<(BTreeMap<String, String>, u64)> {
        let of = |(name, total): (&String, &u64)| {
            let labels = name.strip_suffix(metric)?;
            let pairs = labels.split_terminator(";.;").map(|pair| pair.split_once("=.=").expect("a label"));
            Some((pairs.map(|(label, value)| (label.to_owned(), value.to_owned())).collect(), *total))
        };
        self.counters.iter().filter_map(of).collect()
    }

    pub(crate) fn total(&self, metric: &str) -> u64 {
        self.series(metric).iter().map(|(_, total)| total).sum()
    }
}

type Kinds = BTreeMap<u32, (MetricKind, String)>;

fn count_in(kinds: &Kinds, counters: &mut BTreeMap<String, u64>, series: u32, by: u64) {
    let (kind, name) = &kinds[&series];
    assert_eq!(*kind, MetricKind::Counter, "{name}");
    *counters.entry(name.clone()).or_default() += by;
}

fn record_in(kinds: &Kinds, histograms: &mut BTreeMap<String, Vec<u64>>, series: u32, value: u64) {
    let (kind, name) = &kinds[&series];
    assert_eq!(*kind, MetricKind::Histogram, "{name}");
    histograms.entry(name.clone()).or_default().push(value);
}

/// A stream, as facts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streamed {
    pub(crate) request: Vec<(&'static str, Vec<u8>)>,
    pub(crate) attributes: Attributes,
    /// What only the passing response shows.
    pub(crate) response: Attributes,
    pub(crate) unseen: bool,
}

impl Streamed {
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.request.push((name, value.into()));
        self
    }

    pub(crate) fn int(mut self, attribute: Attribute, value: i64) -> Self {
        self.attributes.set_int(&attribute, value);
        self
    }

    pub(crate) fn bool(mut self, attribute: Attribute, value: bool) -> Self {
        self.attributes.set_bool(&attribute, value);
        self
    }

    pub(crate) fn bytes(mut self, attribute: Attribute, value: impl AsRef<[u8]>) -> Self {
        self.attributes.set(&attribute, value.as_ref());
        self
    }

    pub(crate) fn on_response(mut self, attribute: Attribute, value: impl AsRef<[u8]>) -> Self {
        self.response.set(&attribute, value.as_ref());
        self
    }

    /// Runs the stream with no more facts than the filter demands.
    pub(crate) fn run(&self, filter: &mut Telemetry, held: &mut Held) {
        let mut stream = Default::default();
        let (mut effects, mut cells) = (std::mem::take(&mut held.effects), MemoryCells::default());
        let phases: &[Phase] =
            if self.unseen { &[Phase::EndUnseen] } else { &[Phase::Request, Phase::Response, Phase::End] };
        for phase in phases {
            let demand = filter.demand(*phase).clone();
            let mut request = PairsBuilder::default();
            for wanted in demand.request_first.iter() {
                if let Some((_, value)) = self.request.iter().find(|(name, _)| name.as_bytes() == *wanted) {
                    request.push(wanted, value);
                }
            }
            let request = request.finish();
            let mut attributes = Attributes::default();
            let inbound = self.attributes.int(&Attribute::ListenerDirection) == Some(1);
            if demand.directed() {
                attributes.set_int(&Attribute::ListenerDirection, i64::from(inbound));
            }
            for attribute in demand.of_stream(inbound, true) {
                let shown = self.response.bytes(&attribute).filter(|_| *phase == Phase::Response);
                if let Some(value) = shown.or_else(|| self.attributes.bytes(&attribute)) {
                    attributes.set(&attribute, value);
                }
            }
            let facts = Facts {
                request_headers: Headers::new(&request),
                response_headers: Headers::default(),
                response_trailers: Headers::default(),
                attributes: &attributes,
            };
            let mut io = Io::new(Now::default(), &mut cells, &mut effects);
            match phase {
                _ if demand.idle => {}
                Phase::Request => {
                    filter.request(&mut stream, &facts, &mut Edits::default(), &mut io);
                }
                Phase::Response => filter.response(&mut stream, &facts, &mut Edits::default(), &mut io),
                Phase::End | Phase::EndUnseen => filter.end(&mut stream, *phase, &facts, &mut io),
            }
        }
        held.drain(&mut effects);
        held.effects = effects;
    }
}

pub(crate) fn telemetry(rest: &str, node: &Node) -> Telemetry {
    let document = format!(r#"{{"schema": 1, "name": "mesh"{rest}}}"#);
    Telemetry::compile(document.as_bytes(), node).expect("a valid document")
}

fn message(value: &StructValue) -> Value {
    let kind = match value {
        StructValue::Null => Kind::Null(0),
        StructValue::Number(number) => Kind::Number(*number),
        StructValue::Text(text) => Kind::Text(text.clone()),
        StructValue::Bool(bool) => Kind::Bool(*bool),
        StructValue::List(items) => Kind::List(ListValue { values: items.iter().map(message).collect() }),
        StructValue::Map(fields) => Kind::Struct(struct_message(fields)),
    };
    Value { kind: Some(kind) }
}

fn struct_message(fields: &Struct) -> StructMessage {
    let field = |(key, value): &(String, StructValue)| Field { key: key.clone(), value: Some(message(value)) };
    StructMessage { fields: fields.0.iter().map(field).collect() }
}

/// A serialised `google.protobuf.Struct`.
pub(crate) fn struct_bytes(fields: &Struct) -> Vec<u8> {
    struct_message(fields).encode_to_vec()
}

/// A serialised `Metadata` with `fields` (JSON) under `istio`.
pub(crate) fn metadata(fields: &str) -> Vec<u8> {
    let value = Some(struct_message(&json_struct(fields)));
    let filter_metadata = vec![FilterMetadata { key: "istio".to_owned(), value }];
    MetadataMessage { filter_metadata }.encode_to_vec()
}

/// A Struct written as JSON.
pub(crate) fn json_struct(json: &str) -> Struct {
    fn plain(value: serde_json::Value) -> StructValue {
        match value {
            serde_json::Value::Null => StructValue::Null,
            serde_json::Value::Bool(bool) => StructValue::Bool(bool),
            serde_json::Value::Number(number) => StructValue::Number(number.as_f64().expect("a number")),
            serde_json::Value::String(text) => StructValue::Text(text),
            serde_json::Value::Array(items) => StructValue::List(items.into_iter().map(plain).collect()),
            serde_json::Value::Object(fields) => {
                StructValue::Map(fields.into_iter().map(|(key, value)| (key, plain(value))).collect())
            }
        }
    }
    match plain(serde_json::from_str(json).expect("JSON")) {
        StructValue::Map(fields) => fields,
        other => panic!("not an object: {other:?}"),
    }
}

/// Base64 without padding, as Istio's proxies write it.
pub(crate) fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            out.push(ALPHABET[(word >> (18 - 6 * digit)) as usize & 63]);
        }
    }
    out
}
