//! The filter: one request through actions, limits and table, and what the client is told.

use crate::action::Item;
use crate::apply::{self, Apply};
use crate::decide::{Answer, Judge, Reason};
use crate::descriptor::Descriptors;
use crate::meter::Meter;
use crate::quota::{Quota, QuotaHeaders, seconds};
use crate::table::Table;
use crate::tree::Tree;
use std::time::Duration;
use weir_config::{At, Mode, document_header, name_and_mode, read_document};
use weir_model::{Attribute, Demand, Facts, Filter, HeaderEdit, Io, Node, Phase, Problems, Reply, Verdict, Warning};

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
    apply: Vec<Apply>,
    tree: Tree,
    told: Told,
    judge: Judge,
    table: Table,
    meter: Meter,
    descriptors: Descriptors,
    spare: Vec<u8>,
    request: Demand,
    response: Demand,
    idle: Demand,
}

/// What a refused or limited client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    status: u16,
    grpc_status: Option<u32>,
    quota: bool,
    retry: bool,
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
    pub fn read(at: At<'_>, name: &str, default_mode: Mode, node: &Node) -> Option<Self> {
        let mut fields = at.object()?;
        let mode = settings::mode(&mut fields, default_mode);
        let filter = settings::read(fields, name, mode.unwrap_or_default(), node);
        mode.and(filter)
    }

    fn quota(&self) -> Option<QuotaHeaders> {
        let limits = &self.tree.limits;
        QuotaHeaders::new(self.judge.answers.iter().filter_map(|answer| {
            let limit = limits.get(answer.limit).filter(|limit| limit.algorithm.is_some())?;
            Some(Quota {
                requests: limit.requests,
                seconds: Some(limit.seconds),
                name: limit.name.as_deref().unwrap_or_default(),
                remaining: answer.remaining,
                reset: seconds(answer.reset),
            })
        }))
    }

    fn label(&self, answer: &Answer) -> &str {
        self.tree.limits.get(answer.limit).map_or("", |limit| &limit.label)
    }

    /// One line for the access log: the limit that refuses, or the one nearest to it.
    fn remark(&self, refused: Option<&Answer>) -> Option<Vec<u8>> {
        let limited = |answer: &&Answer| answer.reason != Reason::Unlimited;
        let nearest = || self.judge.answers.iter().filter(limited).min_by_key(|answer| answer.remaining);
        let told = refused.or_else(nearest).or_else(|| self.judge.answers.first())?;
        let mut line = String::with_capacity(96);
        line.push_str(if refused.is_some() { "over_limit" } else { "ok" });
        line.push_str(" limit=");
        push_word(&mut line, self.label(told));
        let mut field = |name: &str, number: u64| {
            line.push_str(name);
            line.push_str(itoa::Buffer::new().format(number));
        };
        if refused.is_some() {
            field(" retry=", seconds(told.retry).max(1));
        } else if told.reason == Reason::Unlimited {
            line.push_str(" unlimited");
        } else {
            field(" remaining=", told.remaining);
            field(" reset=", seconds(told.reset));
        }
        Some(line.into_bytes())
    }

    fn reply(&self, refused: &Answer) -> Reply {
        let mut details = String::from("local_rate_limited[");
        push_word(&mut details, self.label(refused));
        details.push(']');
        let mut headers = vec![(b"x-envoy-ratelimited".to_vec(), b"true".to_vec())];
        if self.told.retry {
            headers.push((b"retry-after".to_vec(), seconds(refused.retry).max(1).to_string().into_bytes()));
        }
        if let Some(quota) = self.told.quota.then(|| self.quota()).flatten() {
            headers.extend(quota.into_pairs().map(|(name, value)| (name.to_vec(), value)));
        }
        Reply {
            status: self.told.status,
            details,
            body: b"local_rate_limited".to_vec(),
            headers,
            grpc_status: self.told.grpc_status,
        }
    }
}

/// Appends a name without white space, as response code details and log lines need it.
fn push_word(line: &mut String, name: &str) {
    line.extend(name.chars().map(|letter| if letter.is_whitespace() { '_' } else { letter }));
}

impl Filter for RateLimit {
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

    fn request(&mut self, stream: &mut Stream, facts: &Facts<'_>, io: &mut Io<'_>) -> Verdict {
        if self.mode == Mode::Off {
            return Verdict::Continue;
        }
        self.descriptors.clear();
        for item in &self.items {
            item.describe(facts, &mut self.descriptors, &mut self.spare);
        }
        if let Some(apply) = apply::first(&self.apply, &facts.request_headers, &mut self.spare) {
            apply.describe(facts, &mut self.descriptors, &mut self.spare);
        }
        self.table.face(facts.attributes.int(&Attribute::ListenerDirection));
        let refused = self.judge.decide(&self.tree, &self.descriptors, &mut self.table, io.cells, io.now);
        let refused = refused.and_then(|index| self.judge.answers.get(index)).copied();

        self.meter.request(io.effects, refused.is_some());
        for answer in &self.judge.answers {
            let label = self.tree.limits.get(answer.limit).map_or("", |limit| &limit.label);
            self.meter.answer(io.effects, answer, label);
        }
        self.meter.tally(io.effects, self.table.tally());
        if self.mode != Mode::Observe
            && let Some(remark) = self.remark(refused.as_ref())
        {
            io.effects.filter_state.push(("weir.rate_limit", remark));
        }
        match refused {
            _ if self.mode != Mode::Enforce => Verdict::Continue,
            Some(refused) => Verdict::Reply(Box::new(self.reply(&refused))),
            None => {
                if self.told.quota {
                    stream.quota = self.quota();
                }
                Verdict::Continue
            }
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
