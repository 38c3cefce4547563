//! What a replay found, as text, as JSON and as Markdown for a pull request.

mod json;
mod markdown;
mod text;

use super::needed;
use super::options::For;
use super::side::{Side, named};
use super::tally::{Group, Tally};
use serde_json::Value;
use std::collections::BTreeMap;
use weir_policy::RequestField;

/// How many callers, policies and kinds a person is shown of each.
const SHOWN: usize = 10;

/// What was found.
pub(super) struct Report<'t> {
    tally: &'t Tally,
    /// For whom, if policies decided.
    of: Option<String>,
    /// Whether old policies are replaced, and not the answers in the log.
    is_against: bool,
    changes: Vec<&'t Group>,
    undecidable: Vec<&'t Group>,
    /// Field, requests, and those by the policy that asks for it.
    missing: Vec<(RequestField, u64, BTreeMap<String, u64>)>,
    /// Rules that matched no request, and whether one may have.
    unmatched: Vec<(String, bool)>,
    /// The format that has everything; none where nothing is missing.
    format: Option<Value>,
}

impl<'t> Report<'t> {
    pub(super) fn of(tally: &'t Tally, mut new: Option<&mut Side>, mut old: Option<&mut Side>) -> Self {
        let missing = match &mut new {
            Some(new) => tally.missing(new, old.as_deref_mut()),
            None => Vec::new(),
        };
        let unmatched = new.as_mut().map(|new| new.policies.requests.unmatched()).unwrap_or_default();
        let unmatched = unmatched.iter().map(|(rule, perhaps)| (named(rule), *perhaps)).collect();
        let is_against = old.is_some();
        let lacks_tls = tally.strict.as_ref().is_some_and(|strict| strict.unknown + strict.nameless > 0);
        let format = (!missing.is_empty() || lacks_tls).then(|| {
            let sides = new.as_deref().into_iter().chain(old.as_deref());
            needed::fields(sides.flat_map(|side| side.policies.requests.looked_at()))
        });
        Self {
            of: new.as_ref().map(|new| new.policies.of.clone()),
            changes: tally.changes(),
            undecidable: tally.undecidable(),
            tally,
            is_against,
            missing,
            unmatched,
            format,
        }
    }

    /// How many requests change, or would be refused.
    pub(super) fn changes(&self) -> u64 {
        self.changed() + self.tally.strict.as_ref().map_or(0, |strict| strict.refused)
    }

    fn changed(&self) -> u64 {
        self.changes.iter().map(|group| group.count).sum()
    }

    fn undecided(&self) -> u64 {
        self.undecidable.iter().map(|group| group.count).sum()
    }

    /// How many change to that answer.
    fn to(&self, allow: bool) -> u64 {
        self.changes.iter().filter(|group| group.to.allow == Some(allow)).map(|group| group.count).sum()
    }

    /// The first sentence.
    fn summary(&self) -> String {
        let compared = self.tally.compared();
        let percent = match self.undecided() {
            0 => String::new(),
            count => format!("; {} ({}) cannot be decided from this log", grouped(count), share(count, compared)),
        };
        let of = self.of.as_deref().map_or_else(String::new, |of| format!(" of {of}"));
        match self.changed() {
            0 => format!("no answer changes, of {} requests{of}{percent}", grouped(compared)),
            count => format!(
                "{} of {} requests{of} get another answer: {} newly refused, {} newly allowed{percent}",
                grouped(count),
                grouped(compared),
                grouped(self.to(false)),
                grouped(self.to(true)),
            ),
        }
    }

    /// What is printed of the format that has everything.
    fn configuration(&self, is_for: For) -> Option<String> {
        self.format.as_ref().map(|fields| needed::configuration(fields, is_for))
    }
}

/// A number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share in percent.
fn share(count: u64, of: u64) -> String {
    let tenths = count.saturating_mul(1000).checked_div(of).unwrap_or(0);
    match (count, tenths) {
        (1.., 0) => "less than 0.1 %".to_owned(),
        _ => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// The first of a list by count, and how many more there are.
fn most(counts: &BTreeMap<String, u64>) -> (Vec<(&str, u64)>, usize) {
    let mut sorted: Vec<(&str, u64)> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let more = sorted.len().saturating_sub(SHOWN);
    sorted.truncate(SHOWN);
    (sorted, more)
}
