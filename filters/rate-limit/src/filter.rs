//! The filter: one request through actions, limits and table, and what the client is told.

use crate::action::Item;
use crate::apply::{Applies, Spare};
use crate::decide::Judge;
use crate::decision::Decision;
use crate::descriptor::Descriptors;
use crate::meter::Meter;
use crate::quota::QuotaHeaders;
use crate::table::Table;
use crate::told::{self, Told};
use crate::tree::Tree;
use std::time::Duration;
use weir_config::{Cursor, Mode, document_header, name_and_mode, read_document};
use weir_model::{
    Attribute, CallId, Callbacks, Demand, Edits, Facts, Filter, HeaderEdit, Io, Need, Node, Phase, Problems,
    Resumption, Verdict, Warning,
};

mod settings;
#[cfg(test)]
mod tests;

/// The rate limit filter: a compiled configuration and what one VM remembers.
///
/// Limits hold for all workers of the proxy together. Shared cells are bounded by the configuration alone.
#[derive(Debug)]
pub struct RateLimit {
    mode: Mode,
    items: Vec<Item>,
    apply: Applies,
    tree: Tree,
    told: Told,
    judge: Judge,
    table: Table,
    meter: Meter,
    descriptors: Descriptors,
    spare: Vec<u8>,
    apply_spare: Spare,
    request: Demand,
    response: Demand,
    idle: Demand,
}

/// What is remembered about one stream: the headers its response will carry.
#[derive(Debug, Default)]
pub struct Stream {
    quota: Option<QuotaHeaders>,
}

impl RateLimit {
    /// Reads the limits of a plugin called `name` out of a document without `schema` and `name`, or out of a section
    /// of a larger one. A `mode` of its own wins over `default_mode`. Problems go where `at` sends them; the answer is
    /// `None` if there is one that leaves nothing to run.
    pub fn read(at: Cursor<'_>, name: &str, default_mode: Mode, node: &Node) -> Option<Self> {
        let mut fields = at.object()?;
        let mode = settings::mode(&mut fields, default_mode);
        let filter = settings::read(fields, name, mode.unwrap_or_default(), node);
        mode.and(filter)
    }
}

impl Filter for RateLimit {
    const CALLBACKS: Callbacks = Callbacks { response: Need::Always, ..Callbacks::NONE };

    type Stream = Stream;

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        read_document(document, |at| {
            let mut fields = at.object()?;
            document_header(&mut fields);
            let (name, mode) = name_and_mode(&mut fields);
            settings::read(fields, name.as_deref().unwrap_or_default(), mode.unwrap_or_default(), node)
        })
    }

    fn warnings(&self) -> &[Warning] {
        &[]
    }

    fn demand(&self, phase: Phase) -> &Demand {
        match phase {
            Phase::Request => &self.request,
            Phase::Response => &self.response,
            Phase::End | Phase::EndUnseen => &self.idle,
        }
    }

    fn tick_period(&self) -> Option<Duration> {
        None
    }

    fn request(&mut self, stream: &mut Stream, facts: &Facts<'_>, edits: &mut Edits, io: &mut Io<'_>) -> Verdict {
        if self.mode == Mode::Off {
            return Verdict::Continue;
        }
        self.descriptors.clear();
        for item in &self.items {
            item.describe(facts, &mut self.descriptors, &mut self.spare);
        }
        if let Some(apply) = self.apply.first(&facts.request_headers, &mut self.apply_spare) {
            apply.describe(facts, &mut self.descriptors, &mut self.spare);
        }
        self.table.face(facts.attributes.int(&Attribute::ListenerDirection));
        let decision = self.judge.decide(&self.tree, &self.descriptors, &mut self.table, io.cells, io.now);

        self.meter.request(io.effects, decision.refuses());
        for answer in &self.judge.answers {
            let label = self.tree.limits.get(answer.limit).map_or("", |limit| &limit.label);
            self.meter.answer(io.effects, answer, label);
        }
        self.meter.tally(io.effects, self.table.tally());
        if self.mode != Mode::Observe
            && let Some(remark) = told::remark(&decision, &self.tree)
        {
            edits.filter_state.push(("weir.rate_limit", remark));
        }
        if self.mode != Mode::Enforce {
            return Verdict::Continue;
        }
        match decision {
            Decision::Refused(answer, wait) => {
                Verdict::Reply(Box::new(self.told.reply(&answer, wait, &self.judge.answers, &self.tree)))
            }
            Decision::Passes(answer) => {
                stream.quota = self.told.quota(&answer, &self.judge.answers, &self.tree);
                Verdict::Continue
            }
            Decision::Unasked => Verdict::Continue,
        }
    }

    // This filter makes no callouts.
    fn called(&mut self, _: CallId, _: weir_model::Answer<'_>, _: &mut Io<'_>) {}

    fn resume(&mut self, _: &mut Stream, _: Resumption, _: &mut Edits, _: &mut Io<'_>) -> Verdict {
        Verdict::Continue
    }

    fn gone(&mut self, _: &mut Stream, _: &mut Io<'_>) {}

    fn response(&mut self, stream: &mut Stream, _: &Facts<'_>, edits: &mut Edits, _: &mut Io<'_>) {
        if let Some(quota) = stream.quota.take() {
            let added = quota.into_pairs().map(|(name, value)| HeaderEdit::Add(name.to_vec(), value));
            edits.response_headers.extend(added);
        }
    }

    fn end(&mut self, _: &mut Stream, _: Phase, _: &Facts<'_>, _: &mut Io<'_>) {}

    fn tick(&mut self, _: &mut Io<'_>) {}

    fn finish(&mut self, _: &mut Io<'_>) {}
}
