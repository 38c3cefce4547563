//! The filter: numbers a stream's labels when it ends, and records its four metrics.

use crate::config::{Settings, Side};
use crate::demand::Demands;
use crate::labels::values::Names;
use crate::metrics::Values;
use crate::peers::capture::Stream;
use crate::peers::local::LocalWorkload;
use crate::peers::table::PeerTable;
use crate::rows::Rows;
use std::time::Duration;
use weir_config::{Common, Cursor, Mode, read_document};
use weir_model::{
    Answer, Attribute, CallId, Callbacks, Demand, Edits, Expression, Facts, Filter, Io, Need, Node, Now, Phase,
    Problems, Resumption, Verdict, Warning,
};

/// Istio's standard HTTP metrics. It never refuses a request and never edits one.
#[derive(Debug)]
pub struct Telemetry {
    settings: Settings,
    demands: Demands,
    local: LocalWorkload,
    peers: PeerTable,
    rows: Rows,
}

impl Telemetry {
    /// Reads a `telemetry` section of a larger document, `whole`. Problems go where `at` points.
    #[inline(never)]
    pub fn read(at: Cursor<'_>, whole: &Common, node: &Node) -> Option<Self> {
        let mut fields = at.object()?;
        let common = whole.of_section(&mut fields);
        let settings = Settings::read(&mut fields, common, node);
        fields.finish();
        Some(Self::new(settings?, node))
    }

    #[inline(never)]
    fn new(settings: Settings, node: &Node) -> Self {
        Self {
            demands: Demands::new(&settings),
            local: LocalWorkload::new(node),
            peers: PeerTable::new(&settings),
            rows: Rows::new(&settings),
            settings,
        }
    }
}

impl Filter for Telemetry {
    const CALLBACKS: Callbacks = Callbacks { response: Need::Some, end: Need::Always, ..Callbacks::NONE };

    type Stream = Stream;

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        read_document(document, |at| {
            let mut fields = at.object()?;
            let common = Common::read(&mut fields);
            let settings = Settings::read(&mut fields, common, node);
            fields.finish();
            Some(Self::new(settings?, node))
        })
    }

    fn warnings(&self) -> &[Warning] {
        &[]
    }

    fn demand(&self, phase: Phase) -> &Demand {
        self.demands.of(phase)
    }

    fn expressions(&self) -> Vec<Expression> {
        Vec::new()
    }

    fn holds_back(&self) -> bool {
        false
    }

    fn tick_period(&self) -> Option<Duration> {
        self.rows.tick_period()
    }

    fn request(&mut self, stream: &mut Stream, facts: &Facts<'_>, _edits: &mut Edits, _io: &mut Io<'_>) -> Verdict {
        if self.settings.reads_peer_metadata(Side::Destination) {
            stream.capture(&facts.request_headers);
        }
        Verdict::Continue
    }

    fn called(&mut self, _id: CallId, _answer: Answer<'_>, _io: &mut Io<'_>) {}

    fn resume(&mut self, _stream: &mut Stream, _why: Resumption, _edits: &mut Edits, _io: &mut Io<'_>) -> Verdict {
        Verdict::Continue
    }

    fn gone(&mut self, _stream: &mut Stream, _io: &mut Io<'_>) {}

    fn response(&mut self, stream: &mut Stream, facts: &Facts<'_>, _edits: &mut Edits, _io: &mut Io<'_>) {
        if self.settings.reads_response() {
            stream.capture_response(facts.attributes.bytes(&Attribute::UpstreamPeerMetadata));
        }
    }

    fn end(&mut self, stream: &mut Stream, phase: Phase, facts: &Facts<'_>, io: &mut Io<'_>) {
        if self.settings.mode == Mode::Off {
            return;
        }
        if phase == Phase::EndUnseen && self.settings.reads_peer_metadata(Side::Destination) {
            stream.capture(&facts.request_headers);
        }
        let key = self.peers.key(&self.settings, stream, facts);
        let values = Values::of(facts.attributes);
        self.rows.count(io.effects, &key, Names { peers: &self.peers, local: &self.local }, values);
    }

    fn tick(&mut self, io: &mut Io<'_>) {
        self.rows.tick(io.effects, Names { peers: &self.peers, local: &self.local }, io.now);
    }

    fn finish(&mut self, io: &mut Io<'_>) {
        self.rows.tick(io.effects, Names { peers: &self.peers, local: &self.local }, Now::END);
    }
}

#[cfg(test)]
mod tests;
