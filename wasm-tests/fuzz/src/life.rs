//! A stream's life in one filter, as the shell leads it.

use weir_model::{Cells, Edits, Effects, Facts, Filter, Io, MetricOp, Now, Phase, Verdict};

/// One filter and what it has defined.
#[derive(Debug)]
pub struct Life<F: Filter> {
    /// The filter.
    pub filter: F,
    effects: Effects,
    edits: Edits,
    /// Owner and number of the series that have a name.
    defined: Vec<(u8, u32)>,
}

impl<F: Filter> Life<F> {
    /// Begins with a compiled filter.
    pub fn new(filter: F) -> Self {
        Self { filter, effects: Effects::default(), edits: Edits::default(), defined: Vec::new() }
    }

    /// Request headers arrive.
    pub fn request(&mut self, stream: &mut F::Stream, facts: &Facts<'_>, cells: &mut dyn Cells, now: Now) -> Verdict {
        if self.filter.demand(Phase::Request).idle {
            return Verdict::Continue;
        }
        let verdict = self.filter.request(stream, facts, &mut self.edits, &mut Io::new(now, cells, &mut self.effects));
        if let Verdict::Reply(reply) = &verdict {
            assert!((200..600).contains(&reply.status), "status {}", reply.status);
            assert!(!reply.details.contains(char::is_whitespace), "white space in details: {:?}", reply.details);
            for (name, value) in &reply.headers {
                assert!(is_name(name) && is_value(value), "header {name:?}: {value:?}");
            }
        }
        self.drain();
        verdict
    }

    /// Response headers arrive.
    pub fn response(&mut self, stream: &mut F::Stream, facts: &Facts<'_>, cells: &mut dyn Cells, now: Now) {
        if !self.filter.demand(Phase::Response).idle {
            self.filter.response(stream, facts, &mut self.edits, &mut Io::new(now, cells, &mut self.effects));
            self.drain();
        }
    }

    /// The stream ends.
    pub fn end(&mut self, stream: &mut F::Stream, phase: Phase, facts: &Facts<'_>, cells: &mut dyn Cells, now: Now) {
        if !self.filter.demand(phase).idle {
            self.filter.end(stream, phase, facts, &mut Io::new(now, cells, &mut self.effects));
            self.drain();
        }
    }

    /// Time passes.
    pub fn tick(&mut self, cells: &mut dyn Cells, now: Now) {
        if self.filter.tick_period().is_some() {
            self.filter.tick(&mut Io::new(now, cells, &mut self.effects));
            self.drain();
        }
    }

    /// The configuration ends.
    pub fn finish(mut self, cells: &mut dyn Cells) {
        self.filter.finish(&mut Io::new(Now::END, cells, &mut self.effects));
        self.drain();
    }

    /// Does what the shell does with effects, and checks what Envoy would trip over.
    fn drain(&mut self) {
        for operation in self.effects.metrics.drain(..) {
            match operation {
                MetricOp::Define { owner, series, name, .. } => {
                    assert!(!self.defined.contains(&(owner, series)), "{name} is defined twice");
                    is_stat(&name);
                    self.defined.push((owner, series));
                }
                MetricOp::Add { owner, series, .. } | MetricOp::Record { owner, series, .. } => {
                    assert!(self.defined.contains(&(owner, series)), "series {owner}/{series} has no name");
                }
            }
        }
        // The first of the offers is made; the rest is declined.
        if let Some(offer) = self.effects.offers.first() {
            is_stat(&offer.name);
            assert!(!self.defined.contains(&(offer.owner, offer.series)), "{} is defined twice", offer.name);
            self.defined.push((offer.owner, offer.series));
            self.effects.defined.push((offer.owner, offer.series));
            self.effects.spent.add(1_000_000);
        }
        self.effects.offers.clear();
        for edit in self.edits.request_headers.drain(..).chain(self.edits.response_headers.drain(..)) {
            match edit {
                weir_model::HeaderEdit::Add(name, value) | weir_model::HeaderEdit::Replace(name, value) => {
                    assert!(is_name(&name) && is_value(&value), "header {name:?}: {value:?}");
                }
                weir_model::HeaderEdit::Remove(name) => assert!(is_name(&name), "header {name:?}"),
            }
        }
        self.edits.filter_state.clear();
        self.effects.logs.clear();
    }
}

/// Stat names are text without what separates stats from each other.
fn is_stat(name: &str) {
    assert!(!name.is_empty() && name.len() < 4096, "{} bytes of stat name", name.len());
    assert!(!name.contains(char::is_control), "control character in {name:?}");
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

fn is_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
}
