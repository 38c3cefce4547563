//! What is done beside the decision, for who asks for it: AUDIT and shadow policies, mode `observe`, quarantine.
//!
//! A document that asks for none of it has none of this, and pays one question a request.

use crate::compiled::{Compiled, Enforcement};
use crate::decide::Decided;
use crate::metrics::{DecisionMetrics, DecisionMode, QuarantineMetrics, ShadowMetrics};
use crate::observe::{Agreement, Observed};
use crate::stream::Stream;
use crate::{Decisions, RuleName};
use std::time::Duration;
use weir_config::Mode;
use weir_metrics::SeriesIds;
use weir_model::{Effects, Facts, Phase};

/// The counts beside those of decisions.
#[derive(Debug)]
pub(super) struct Beside {
    /// Where there are policies under dry run.
    shadow: Option<ShadowMetrics>,
    /// Where something of the document is quarantined.
    quarantine: Option<QuarantineMetrics>,
    /// In mode `observe`.
    agreement: Option<Agreement>,
}

impl Beside {
    /// `None` if there is nothing to do.
    #[inline(never)]
    pub(super) fn new(
        plugin: &str,
        ids: &SeriesIds,
        compiled: &Compiled,
        mode: Mode,
        quarantined: usize,
    ) -> Option<Box<Self>> {
        let beside = Self {
            shadow: (!compiled.shadow.is_empty()).then(|| ShadowMetrics::new(plugin, ids, compiled)),
            quarantine: (quarantined > 0).then(|| QuarantineMetrics::new(plugin, ids)),
            agreement: (mode == Mode::Observe).then(|| Agreement::new(plugin, ids)),
        };
        // Sections that are not in force come last.
        let is_needed = compiled.sections.last().is_some_and(|last| last.enforcement != Enforcement::Enforced)
            || beside.quarantine.is_some()
            || beside.agreement.is_some();
        is_needed.then(|| Box::new(beside))
    }

    /// Counts a request, and returns the rule of an AUDIT policy that matches or may.
    #[inline(never)]
    pub(super) fn request<'c>(
        &mut self,
        compiled: &'c Compiled,
        decided: Decided<'_>,
        metrics: &mut DecisionMetrics,
        stream: &mut Stream,
        effects: &mut Effects,
    ) -> Option<RuleName<'c>> {
        let decisions = Decisions::of(compiled, decided);
        if let Some(audit) = &decisions.audit {
            metrics.count(audit, DecisionMode::Audit, effects);
        }
        if let (Some(together), Some(shadow)) = (&decisions.shadow, &mut self.shadow) {
            metrics.count(together, DecisionMode::DryRun, effects);
            shadow.count(compiled, decided.alone, effects);
        }
        if let Some(quarantine) = &mut self.quarantine {
            quarantine.count(effects);
        }
        if self.agreement.is_some() {
            stream.observed = Some(Observed::of(&decisions));
        }
        decisions.audit?.rule
    }

    /// Compares what was decided of a stream that has ended.
    pub(super) fn end(&mut self, stream: &mut Stream, phase: Phase, facts: &Facts<'_>, effects: &mut Effects) {
        // A request that came here and was not decided on is none of the policies'.
        let observed = stream.observed.take();
        if let Some(agreement) = &mut self.agreement
            && (observed.is_some() || phase == Phase::EndUnseen)
        {
            agreement.count(observed, facts, effects);
        }
    }

    /// How soon [`Beside::flush`] is wanted, if it is.
    pub(super) fn period(&self) -> Option<Duration> {
        self.shadow.as_ref()?.period()
    }

    /// Counts what was held back.
    pub(super) fn flush(&mut self, compiled: &Compiled, effects: &mut Effects) {
        if let Some(shadow) = &mut self.shadow {
            shadow.flush(compiled, effects);
        }
    }
}
