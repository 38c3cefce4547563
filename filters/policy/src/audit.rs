//! Audit: a record of each decision that the document asks for.
//!
//! A decision is selected by its outcome, by a sample, and by the policy that made it. Only then is the rest of the request
//! read, so a request that leaves no record pays for none. A record that finds no room in the queue is not made: its number
//! is used up all the same, and it is counted.

mod record;
mod selection;

pub(crate) use selection::{Event, Outcome, Selection};

use crate::Decision;
use crate::config::audit::AuditSettings;
use crate::metrics::DecisionMode;
use record::{Request, Writer};
use std::time::Duration;
use weir_metrics::SeriesIds;
use weir_model::{Answer, Attribute, CallId, Effects, Facts, Io, Late, Level, Now, SortedSet};
use weir_proto::{LogRecord, LogSource, Severity};
use weir_records::{Identity, Records, Sampler, Sender, Share};

/// Which of the plugin's records these are, in metrics.
const STREAM: &str = "audit";
/// What a record in Envoy's log begins with.
const LOG_PREFIX: &str = "weir audit: ";
/// The kind of event, for collectors.
const EVENT: &str = "weir.policy.decision";

/// Makes records.
#[derive(Debug)]
pub(crate) struct Audit {
    selection: Selection,
    writer: Writer,
    log: bool,
    sender: Option<Sender>,
    sampler: Sampler,
    records: Records,
    /// Taken with the first record.
    identity: Option<Identity>,
}

impl Audit {
    /// Makes the records of a plugin.
    #[inline(never)]
    pub(crate) fn new(
        settings: AuditSettings,
        ids: &SeriesIds,
        plugin: &str,
        direct_address: Option<Attribute>,
    ) -> Self {
        let AuditSettings { selection, target, log, limits, included, origin } = settings;
        let records = Records::new(ids, plugin, STREAM);
        let sender = target.map(|target| {
            let resource = origin.resource(plugin);
            let resource: Vec<(&str, &str)> = resource.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let source = LogSource::new(&resource, "weir", env!("CARGO_PKG_VERSION"));
            Sender::new(target, source, limits, Records::new(ids, plugin, STREAM))
        });
        let writer = Writer::new(&origin, plugin, included, direct_address);
        Self { selection, writer, log, sender, sampler: Sampler::default(), records, identity: None }
    }

    /// What is read of a request that leaves a record.
    pub(crate) fn demand(&self) -> SortedSet<Attribute> {
        self.writer.demand()
    }

    /// Makes the records of what was decided about a request: its decision with its mode and the status that the filter answers
    /// with, if it does, and what policies under dry run say.
    #[inline(never)]
    pub(crate) fn decided(
        &mut self,
        (own, mode, response_code): (&Decision<'_>, DecisionMode, Option<u16>),
        dry_run: Option<&Decision<'_>>,
        facts: &Facts<'_>,
        io: &mut Io<'_>,
    ) {
        let Self { selection, sampler, .. } = self;
        let own = Event { decision: *own, mode, response_code };
        let dry =
            dry_run.map(|decision| Event { decision: *decision, mode: DecisionMode::DryRun, response_code: None });
        let selected = std::iter::once(own).chain(dry).filter_map(|event| {
            let now = || io.late.as_deref_mut().map_or(io.now, |late| late.read().0);
            Some((event, selection.share(&event, sampler, now)?))
        });
        let selected: Vec<(Event<'_>, Share)> = selected.collect();
        if !selected.is_empty() {
            self.record(&selected, facts, io);
        }
    }

    #[inline(never)]
    fn record(&mut self, selected: &[(Event<'_>, Share)], facts: &Facts<'_>, io: &mut Io<'_>) {
        let Self { writer, log, sender, records, identity, .. } = self;
        let Io { now, cells, effects, late, .. } = io;
        let now_of = |late: &mut Option<&mut dyn Late>| late.as_deref_mut().map_or(*now, |late| late.read().0);
        let identity = identity.get_or_insert_with(|| Identity::next(*cells, now_of(late)));
        let mut numbered = Vec::new();
        for (event, share) in selected {
            let number = identity.number();
            records.made(effects);
            let is_queued = sender.as_mut().is_some_and(|sender| sender.has_room(effects));
            if *log || is_queued {
                numbered.push((event, *share, number, is_queued));
            }
        }
        if numbered.is_empty() {
            return;
        }
        let (now, late) = match late {
            Some(late) => late.read(),
            None => (*now, *facts),
        };
        let request = Request { now, early: facts, late: &late };
        for (event, share, number, is_queued) in numbered {
            let id = identity.id(number);
            let text = writer.write(event, share, &id, number, &request);
            if let Some(sender) = sender.as_mut().filter(|_| is_queued) {
                let (policy, rule) = event.decision.authz_labels();
                let record = LogRecord {
                    time_nanos: now.wall_nanos,
                    severity: if event.decision.allow { Severity::Info } else { Severity::Warn },
                    event_name: EVENT,
                    body: &text,
                    attributes: &[
                        ("weir_plugin", writer.plugin()),
                        ("decision", event.decision.word()),
                        ("mode", event.mode.word()),
                        ("reason", event.decision.reason.word()),
                        ("authz_policy", &policy),
                        ("authz_rule", &rule),
                    ],
                    trace_id: request.trace_id().and_then(bytes_of_hex),
                };
                sender.push(&record, effects);
            }
            if *log {
                let mut line = LOG_PREFIX.to_owned();
                line.push_str(&text);
                effects.log(Level::Info, line);
            }
        }
    }

    /// How often [`Audit::tick`] is wanted now.
    pub(crate) fn period(&self) -> Option<Duration> {
        self.sender.as_ref().and_then(Sender::period)
    }

    /// The period has passed.
    pub(crate) fn tick(&mut self, now: Now, effects: &mut Effects) {
        if let Some(sender) = &mut self.sender {
            sender.tick(now, effects);
        }
    }

    /// Takes the answer to a callout, if it is one of these records'.
    pub(crate) fn called(&mut self, id: CallId, answer: Answer<'_>, now: Now, effects: &mut Effects) {
        if let Some(sender) = &mut self.sender {
            sender.called(id, answer, now, effects);
        }
    }

    /// Whether records wait that the end of the configuration lets go.
    pub(crate) fn holds_back(&self) -> bool {
        self.sender.is_some()
    }

    /// The configuration has ended.
    pub(crate) fn finish(&mut self, effects: &mut Effects) {
        if let Some(sender) = &mut self.sender {
            sender.finish(effects);
        }
    }
}

/// The id of a trace, as 32 hexadecimal digits or, as in B3, 16.
fn bytes_of_hex(text: &[u8]) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests;
