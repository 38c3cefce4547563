//! Audit: a record of each decision that the document asks for.
//!
//! A decision is selected by its outcome, by a sample, and by the policy that made it. Only then is the rest of the request
//! read, so a request that leaves no record pays for none. A record that finds no room in the queue is not made: its number
//! is used up all the same, and it is counted.

mod record;
mod selection;

pub(crate) use selection::{Event, Outcome, Selection};

use crate::compiled::{Compiled, Enforcement};
use crate::config::audit::AuditSettings;
use crate::decide::Decided;
use crate::metrics::DecisionMode;
use crate::{Decisions, Protocol};
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
    pub(crate) fn new(settings: AuditSettings, protocol: Protocol, plugin: &str, ids: &SeriesIds) -> Self {
        let AuditSettings { selection, target, log, limits, included, origin, places } = settings;
        let records = Records::new(ids, plugin, STREAM);
        let sender = target.map(|target| {
            let resource = origin.resource(plugin);
            let resource: Vec<(&str, &str)> = resource.iter().map(|(key, value)| (*key, value.as_str())).collect();
            let source = LogSource::new(&resource, "weir", env!("CARGO_PKG_VERSION"));
            Sender::new(target, source, limits, Records::new(ids, plugin, STREAM))
        });
        let writer = Writer::new(&origin, plugin, protocol, included, places);
        Self { selection, writer, log, sender, sampler: Sampler::default(), records, identity: None }
    }

    /// What is read of a request that leaves a record.
    pub(crate) fn demand(&self) -> SortedSet<Attribute> {
        self.writer.demand()
    }

    /// Makes the records of what was decided about a request: of its own decision, and where `found` has them, of what shadow
    /// and AUDIT policies say.
    #[inline(never)]
    pub(crate) fn decided(
        &mut self,
        own: Event<'_>,
        (compiled, found): (&Compiled, Decided<'_>),
        facts: &Facts<'_>,
        io: &mut Io<'_>,
    ) {
        let mut selected = Vec::new();
        self.select(own, &mut selected, io);
        // Sections that are not in force come last.
        if compiled.sections.last().is_some_and(|last| last.enforcement != Enforcement::Enforced) {
            self.select_beside(&Decisions::of(compiled, found), &mut selected, io);
        }
        if !selected.is_empty() {
            self.record(&selected, facts, io);
        }
    }

    fn select<'p>(&mut self, event: Event<'p>, selected: &mut Vec<(Event<'p>, Share)>, io: &Io<'_>) {
        let Self { selection, sampler, .. } = self;
        if let Some(share) = selection.share(&event, sampler, || now(io.now, io.late.as_deref())) {
            selected.push((event, share));
        }
    }

    /// Selects what policies say that are not in force.
    #[inline(never)]
    fn select_beside<'p>(
        &mut self,
        decisions: &Decisions<'p, '_>,
        selected: &mut Vec<(Event<'p>, Share)>,
        io: &Io<'_>,
    ) {
        if let Some(audit) = decisions.audit.filter(|audit| audit.rule.is_some()) {
            self.select(Event::new(audit, DecisionMode::Audit, None), selected, io);
        }
        let of_shadow = [Outcome::ShadowDeny, Outcome::ShadowAllow, Outcome::Error];
        if let Some(together) = decisions.shadow.filter(|_| self.selection.records(&of_shadow)) {
            let alone = decisions.refusing_alone();
            self.select(Event { alone, ..Event::new(together, DecisionMode::DryRun, None) }, selected, io);
        }
    }

    #[inline(never)]
    fn record(&mut self, selected: &[(Event<'_>, Share)], facts: &Facts<'_>, io: &mut Io<'_>) {
        let Self { writer, log, sender, records, identity, .. } = self;
        let Io { now: begun, cells, effects, late, .. } = io;
        let identity = identity.get_or_insert_with(|| Identity::next(*cells, now(*begun, late.as_deref())));
        let mut numbered = Vec::new();
        for (event, share) in selected {
            let number = identity.number();
            records.made(effects);
            let is_queued = sender.as_mut().is_some_and(|sender| sender.has_room(effects));
            if *log || is_queued {
                numbered.push((event, *share, number, is_queued));
            }
        }
        let Some((.., first, _)) = numbered.first().copied() else { return };
        let now = now(*begun, late.as_deref());
        let late = late.as_deref_mut().map(|late| late.read(writer.reads_headers(facts)));
        let request = Request { now, early: facts, late: late.as_ref().unwrap_or(facts) };
        for (event, share, number, is_queued) in numbered {
            let text = writer.write(event, share, (&identity.id(number), number, first), &request);
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
                sender.push(&record, now, effects);
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

    /// Time has passed.
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

    /// The configuration has ended.
    pub(crate) fn finish(&mut self, effects: &mut Effects) {
        if let Some(sender) = &mut self.sender {
            sender.finish(effects);
        }
    }
}

/// The time, also where the request's callback did not ask for it.
fn now(begun: Now, late: Option<&(dyn Late + '_)>) -> Now {
    late.map_or(begun, Late::now)
}

/// The id of a trace, as 32 hexadecimal digits or, as in B3, 16.
fn bytes_of_hex(text: &[u8]) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests;
