//! One set of policies, and what it says of recorded requests.

use crate::explain::Policies;
use crate::log::{Live, Record};
use std::fmt;
use weir_config::Mode;
use weir_model::Attributes;
use weir_policy::{Knowledge, Reason, RequestField, RuleName, VerdictId};

/// Policies that decide.
pub(super) struct Side {
    pub(super) policies: Policies,
    attributes: Attributes,
}

impl Side {
    pub(super) fn new(policies: Policies) -> Self {
        Self { policies, attributes: Attributes::default() }
    }

    /// What the policies say of a request. Where it hangs on how values are taken apart that the log has joined, each way
    /// is tried, and what they agree on stands.
    pub(super) fn verdict(&mut self, record: &Record<'_>) -> VerdictId {
        let verdict = self.read(record);
        if self.allow(verdict).is_some() {
            return verdict;
        }
        let readings: Vec<VerdictId> = record.readings().iter().map(|reading| self.read(reading)).collect();
        let mut answers = readings.iter().map(|reading| self.allow(*reading));
        match (readings.first(), answers.next()) {
            (Some(first), Some(Some(allow))) if answers.all(|other| other == Some(allow)) => *first,
            _ => verdict,
        }
    }

    fn read(&mut self, record: &Record<'_>) -> VerdictId {
        let Self { policies, attributes } = self;
        let explainer = &mut policies.requests;
        // The filter refuses because it cannot read the address, so what the request has does not matter.
        let is_unread = explainer.direct_address().is_none();
        let missing = explainer.missing_set(|field| match field {
            RequestField::DirectAddress if is_unread => Knowledge::Whole,
            field => record.knowledge(field),
        });
        record.set_attributes(explainer.direct_address(), explainer.peer_uri_sans(), attributes);
        record.with_facts(attributes, |facts| explainer.verdict(facts, missing))
    }

    /// Whether the request passes; `None` if that hangs on what the log lacks.
    pub(super) fn allow(&self, verdict: VerdictId) -> Option<bool> {
        match self.policies.mode {
            Mode::Off => Some(true),
            _ => self.policies.requests.verdict_of(verdict)?.allow,
        }
    }

    /// What an open verdict follows from, once what the log lacks is known; `None` if it is not open.
    pub(super) fn follows_from(&self, verdict: VerdictId) -> Option<&[u64]> {
        let verdict = self.policies.requests.verdict_of(verdict).filter(|verdict| verdict.allow.is_none());
        verdict.filter(|_| self.policies.mode != Mode::Off).map(|verdict| verdict.follows_from.as_slice())
    }

    /// The same in words.
    pub(super) fn said(&mut self, verdict: VerdictId) -> Said {
        if self.policies.mode == Mode::Off {
            return Said { allow: Some(true), rule: None, why: "the policies are off".to_owned() };
        }
        let explainer = &mut self.policies.requests;
        let Some((allow, reason, unknown)) =
            explainer.verdict_of(verdict).map(|found| (found.allow, found.reason, found.unknown))
        else {
            return Said { allow: None, rule: None, why: String::new() };
        };
        let rule = explainer.rule_of(verdict).map(|rule| named(&rule));
        let why = match (allow, reason, unknown) {
            (None, ..) => "not known",
            (_, _, Some(unknown)) => unknown,
            (_, Reason::NoPolicy, _) => "no policy applies",
            (Some(true), Reason::NoMatch, _) => "no DENY rule matches",
            (Some(false), Reason::NoMatch, _) => "no ALLOW rule matches",
            _ => "",
        };
        Said { allow, rule, why: why.to_owned() }
    }
}

/// A rule, as it is written here.
pub(super) fn named(rule: &RuleName<'_>) -> String {
    format!("{}/{}[{}]", rule.namespace, rule.policy, rule.index)
}

/// What is said of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) allow: Option<bool>,
    /// The rule that decides; none does if nothing matches.
    pub(super) rule: Option<String>,
    pub(super) why: String,
}

impl Said {
    /// What a line says.
    pub(super) fn of_live(live: &Live<'_>) -> Self {
        let said =
            |allow, rule: Option<&str>, why: &str| Self { allow, rule: rule.map(str::to_owned), why: why.to_owned() };
        match live {
            Live::Allowed => said(Some(true), None, "as the log says"),
            Live::Denied(rule) if rule == "none" => said(Some(false), None, "no ALLOW rule matches"),
            Live::Denied(rule) => said(Some(false), Some(rule), ""),
            Live::Before(why) | Live::Unsaid(why) => said(None, None, why),
        }
    }

    /// Whether it does not say who allowed it, as a log does not.
    pub(super) fn is_bare(&self) -> bool {
        self.allow == Some(true) && self.rule.is_none()
    }

    /// The word for the answer.
    pub(super) fn word(&self) -> &'static str {
        match self.allow {
            Some(true) => "allow",
            Some(false) => "deny",
            None => "undecidable",
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.allow {
            Some(true) => "allowed",
            Some(false) => "refused",
            None => "undecidable",
        };
        match (&self.rule, self.why.as_str()) {
            (Some(rule), "") => write!(f, "{word} by {rule}"),
            (Some(rule), why) => write!(f, "{word} by {rule} ({why})"),
            (None, "") => f.write_str(word),
            (None, why) => write!(f, "{word}: {why}"),
        }
    }
}
