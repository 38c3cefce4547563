//! The TCP filter of the probe: it does what its configuration says and logs what it is shown of every connection.
//!
//! The plugin configuration is a text: the first word names the configuration; `opened=VERDICT`, `downstream=VERDICT` and
//! `upstream=VERDICT` say what it decides (`continue` by default); `until=N` holds the client's data back until
//! there are N bytes; `shown=N` is how many bytes it is shown (8 otherwise); `attributes` has what a connection has logged;
//! `refuse` is refused with a problem. A verdict is `close`, `hold`, `http:CLUSTER` (wait for an HTTP callout and go on if it is
//! answered with 200, else close), or `trap`.

use crate::{option, plan, show, trap};
use std::time::Duration;
use weir_model::{
    Answer, Attribute, CallFailure, CallId, ClosedBy, Data, Demand, Edits, Expression, Facts, Io, Level, MetricKind,
    Need, Node, Problems, Resumption, Side, SortedSet, TcpCallbacks, TcpFilter, TcpPhase, TcpVerdict, Warning,
};

/// Attributes that a connection has, or may have.
const ATTRIBUTES: [Attribute; 6] = [
    Attribute::ListenerDirection,
    Attribute::SourceAddress,
    Attribute::DestinationAddress,
    Attribute::ConnectionMtls,
    Attribute::PeerUriSan,
    Attribute::ResponseFlags,
];

/// The filter.
#[derive(Debug)]
pub(crate) struct TcpProbe {
    name: String,
    demand: Demand,
    opened: Option<String>,
    downstream: Option<String>,
    upstream: Option<String>,
    until: usize,
    shown: usize,
    /// The callout that a connection waits for was answered with 200.
    answered: bool,
    defined: bool,
    expressions: Vec<Expression>,
}

/// One connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// How many bytes have passed, from either side.
    bytes: [usize; 2],
}

impl TcpProbe {
    fn log(&self, io: &mut Io<'_>, line: &str) {
        io.effects.log(Level::Info, format!("shell {} {line}", self.name));
    }

    fn decide(verdict: Option<&str>, io: &mut Io<'_>) -> TcpVerdict {
        match verdict {
            Some("close") => TcpVerdict::Close,
            Some("hold") => TcpVerdict::Hold,
            Some("trap") => trap(),
            Some(verdict) => match verdict.strip_prefix("http:") {
                Some(cluster) => TcpVerdict::Await(io.effects.call(plan::http(cluster, b"/connection", 1_000))),
                None => TcpVerdict::Continue,
            },
            None => TcpVerdict::Continue,
        }
    }

    fn attributes(facts: &Facts<'_>) -> String {
        let shown = ATTRIBUTES.iter().map(|attribute| match facts.attributes.bytes(attribute) {
            // A port is another one each time.
            Some(bytes) if matches!(attribute, Attribute::SourceAddress | Attribute::DestinationAddress) => {
                String::from_utf8_lossy(bytes).rsplit_once(':').map(|(host, _)| host.to_owned()).unwrap_or_default()
            }
            Some(bytes) => show::value(attribute, facts.attributes, bytes),
            None => "absent".to_owned(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Downstream => "downstream",
        Side::Upstream => "upstream",
    }
}

impl TcpFilter for TcpProbe {
    const CALLBACKS: TcpCallbacks = TcpCallbacks {
        downstream_data: Need::Always,
        upstream_data: Need::Always,
        close: Need::Always,
        end: Need::Always,
        calls: Need::Always,
        finish: Need::Always,
    };

    type Connection = Connection;

    fn compile(document: &[u8], _node: &Node) -> Result<Self, Problems> {
        let text = String::from_utf8_lossy(document);
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.contains(&"refuse") {
            return Err(Problems::one("$.tcp", "it is to be refused"));
        }
        let number = |name| option(&words, name).and_then(|number| number.parse().ok());
        let attributes: SortedSet<_> = match words.contains(&"attributes") {
            true => ATTRIBUTES.into_iter().collect(),
            false => SortedSet::new(),
        };
        Ok(Self {
            name: words.first().copied().unwrap_or_default().to_owned(),
            demand: Demand { attributes, ..Demand::default() },
            opened: option(&words, "opened="),
            downstream: option(&words, "downstream="),
            upstream: option(&words, "upstream="),
            until: number("until=").unwrap_or_default(),
            shown: number("shown=").unwrap_or(8),
            answered: false,
            defined: false,
            expressions: crate::expressions(&words),
        })
    }

    fn warnings(&self) -> &[Warning] {
        &[]
    }

    fn demand(&self, _phase: TcpPhase) -> &Demand {
        &self.demand
    }

    fn shown(&self, _connection: &Connection, _side: Side) -> Option<usize> {
        Some(self.shown)
    }

    fn expressions(&self) -> Vec<Expression> {
        self.expressions.clone()
    }

    fn tick_period(&self) -> Option<Duration> {
        None
    }

    fn opened(
        &mut self,
        _connection: &mut Connection,
        facts: &Facts<'_>,
        edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> TcpVerdict {
        if !self.defined {
            self.defined = true;
            io.effects.define(0, MetricKind::Counter, "shell_connections".to_owned());
        }
        io.effects.add(0, 1);
        edits.filter_state.push(("weir.policy", self.name.clone().into_bytes()));
        self.log(io, &format!("opened: {}", Self::attributes(facts)));
        for number in 0..self.expressions.len() {
            let value = io.evaluate(number);
            self.log(io, &format!("cel {number}: {value:?}"));
        }
        Self::decide(self.opened.as_deref(), io)
    }

    fn data(
        &mut self,
        connection: &mut Connection,
        data: Data<'_>,
        facts: &Facts<'_>,
        _edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> TcpVerdict {
        let Data { side: from, length, first, end } = data;
        let (text, side) = (String::from_utf8_lossy(first), side(from));
        self.log(io, &format!("{side} data: {length} bytes, `{text}`, end {end}: {}", Self::attributes(facts)));
        let [down, up] = &mut connection.bytes;
        let verdict = match from {
            Side::Downstream if length < self.until && !end => return TcpVerdict::Hold,
            Side::Downstream => {
                *down += length;
                self.downstream.as_deref()
            }
            Side::Upstream => {
                *up += length;
                self.upstream.as_deref()
            }
        };
        Self::decide(verdict, io)
    }

    fn called(&mut self, _id: CallId, answer: Answer<'_>, io: &mut Io<'_>) {
        self.answered = match &answer {
            Answer::Http { headers, .. } => headers.first(b":status") == Some(b"200"),
            Answer::Failed(CallFailure::NotSent | CallFailure::NoCluster | CallFailure::NoHost) => {
                self.log(io, "not sent");
                return self.answered = false;
            }
            _ => false,
        };
        self.log(io, &format!("called: {}", show::answer(&answer)));
    }

    fn resume(
        &mut self,
        _connection: &mut Connection,
        _why: Resumption,
        _edits: &mut Edits,
        io: &mut Io<'_>,
    ) -> TcpVerdict {
        self.log(io, &format!("resume: {}", self.answered));
        if self.answered { TcpVerdict::Continue } else { TcpVerdict::Close }
    }

    fn gone(&mut self, _connection: &mut Connection, io: &mut Io<'_>) {
        self.log(io, "gone");
    }

    fn closed(&mut self, _connection: &mut Connection, from: Side, by: ClosedBy, io: &mut Io<'_>) {
        self.log(io, &format!("{} closed: {by:?}", side(from)));
    }

    fn end(&mut self, connection: &mut Connection, facts: &Facts<'_>, io: &mut Io<'_>) {
        let [down, up] = connection.bytes;
        self.log(io, &format!("end: {down} down, {up} up: {}", Self::attributes(facts)));
    }

    fn tick(&mut self, _io: &mut Io<'_>) {}

    fn finish(&mut self, io: &mut Io<'_>) {
        self.log(io, "finish");
    }
}
