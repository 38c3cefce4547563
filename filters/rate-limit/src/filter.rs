//! The filter: one request through actions, limits and table, and what the client is told.

use crate::compiled::action::Item;
use crate::compiled::apply::{Applies, Spare};
use crate::compiled::limits::Tree;
use crate::config::{self, Config, Local};
use crate::decide::Judge;
use crate::decision::Decision;
use crate::demand::Demands;
use crate::descriptor::Descriptors;
use crate::metrics::Meter;
use crate::quota_headers::QuotaHeaders;
use crate::reply::{self, Told};
use crate::table::Table;
use std::time::Duration;
use weir_config::{Cursor, Mode, document_header, name_and_mode, read_document};
use weir_model::{Attribute, Demand, Facts, Filter, HeaderEdit, Io, Node, Phase, Problems, Verdict, Warning};

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
    demands: Demands,
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
        let mode = config::mode(&mut fields, default_mode);
        let config = config::read(fields, mode.unwrap_or_default(), node);
        mode.and(config).map(|config| Self::new(name, config, node))
    }

    fn new(name: &str, config: Config, node: &Node) -> Self {
        let demands = Demands::new(&config, node);
        let Config { mode, items, apply, local: Local { tree, charging, deny_full }, told } = config;
        Self {
            mode,
            items,
            apply,
            tree,
            told,
            judge: Judge::new(charging, deny_full),
            table: Table::new(name),
            meter: Meter::new(name, if mode == Mode::Enforce { "enforced" } else { "shadow" }),
            descriptors: Descriptors::default(),
            spare: Vec::new(),
            apply_spare: Spare::default(),
            demands,
        }
    }
}

impl Filter for RateLimit {
    type Stream = Stream;

    fn compile(document: &[u8], node: &Node) -> Result<Self, Problems> {
        read_document(document, |at| {
            let mut fields = at.object()?;
            document_header(&mut fields);
            let (name, mode) = name_and_mode(&mut fields);
            let config = config::read(fields, mode.unwrap_or_default(), node)?;
            Some(Self::new(name.as_deref().unwrap_or_default(), config, node))
        })
    }

    fn warnings(&self) -> &[Warning] {
        &[]
    }

    fn demand(&self, phase: Phase) -> &Demand {
        self.demands.of(phase)
    }

    fn tick_period(&self) -> Option<Duration> {
        None
    }

    fn request(&mut self, stream: &mut Stream, facts: &Facts<'_>, io: &mut Io<'_>) -> Verdict {
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
            && let Some(remark) = reply::remark(&decision, &self.tree)
        {
            io.effects.filter_state.push(("weir.rate_limit", remark));
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

    fn answer(&mut self, _: &mut Stream, _: weir_model::Answer<'_>, _: &mut Io<'_>) -> Verdict {
        // This filter asks nobody, so no answer is its own.
        Verdict::Continue
    }

    fn response(&mut self, stream: &mut Stream, _: &Facts<'_>, io: &mut Io<'_>) {
        if let Some(quota) = stream.quota.take() {
            let edits = quota.into_pairs().map(|(name, value)| HeaderEdit::Add(name.to_vec(), value));
            io.effects.response_headers.extend(edits);
        }
    }

    fn end(&mut self, _: &mut Stream, _: Phase, _: &Facts<'_>, _: &mut Io<'_>) {}

    fn tick(&mut self, _: &mut Io<'_>) {}
}
