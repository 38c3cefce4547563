//! Counting what recorded requests meet.

use super::side::{Said, Side};
use super::strict::Strict;
use crate::log::{Live, Record};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use weir_policy::{RequestField, VerdictId};

/// How many callers of a change are listed, and how many kinds of anything else.
const CALLERS: usize = 1_000;
const KINDS: usize = 1_000;

/// What is counted together with what does not fit.
const OTHERS: &str = "others";

/// Where a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: u64,
}

/// A request that is shown.
#[derive(Clone, Debug)]
pub(super) struct Example {
    pub(super) place: Place,
    pub(super) method: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) caller: String,
}

/// Requests that meet the same.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) from: Said,
    pub(super) to: Said,
    pub(super) count: u64,
    pub(super) callers: BTreeMap<String, u64>,
    pub(super) examples: Vec<Example>,
    verdicts: (Option<VerdictId>, VerdictId),
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) lines: u64,
    pub(super) requests: u64,
    pub(super) broken: u64,
    pub(super) broken_at: Vec<(Place, String)>,
    /// Requests that are not compared, by why.
    pub(super) set_aside: BTreeMap<String, u64>,
    groups: Vec<Group>,
    by_key: HashMap<(u64, Option<VerdictId>, VerdictId), usize>,
    /// Requests of which the log lacks something, and which both sets of policies decide alike for every value of it.
    pub(super) alike: u64,
    /// Where the log has another answer than the policies that are replaced.
    pub(super) disagreeing: u64,
    pub(super) disagreeing_at: Vec<Example>,
    pub(super) first: Option<String>,
    pub(super) last: Option<String>,
    pub(super) strict: Option<Strict>,
    hasher: RandomState,
    shown: usize,
}

impl Tally {
    pub(super) fn new(shown: usize, is_strict: bool) -> Self {
        Self { shown, strict: is_strict.then(Strict::default), ..Self::default() }
    }

    /// Counts a line that cannot be used.
    pub(super) fn broken(&mut self, file: &str, line: u64, why: &str) {
        self.broken += 1;
        if self.broken_at.len() < self.shown.max(1) {
            self.broken_at.push((Place { file: file.to_owned(), line }, why.to_owned()));
        }
    }

    fn set_aside(&mut self, why: &str) {
        let why = if self.set_aside.len() < KINDS || self.set_aside.contains_key(why) { why } else { OTHERS };
        match self.set_aside.get_mut(why) {
            Some(count) => *count += 1,
            None => {
                self.set_aside.insert(why.to_owned(), 1);
            }
        }
    }

    /// Counts a record.
    pub(super) fn count(
        &mut self,
        record: &Record<'_>,
        new: Option<&mut Side>,
        old: Option<&mut Side>,
        at: (&str, u64),
    ) {
        if let Some(time) = record.time.value() {
            let time = || Some(String::from_utf8_lossy(time).into_owned());
            if self.first.is_none() {
                self.first = time();
            }
            if self.last.as_deref().is_none_or(|last| last.as_bytes() < time_bytes(record)) {
                self.last = time();
            }
        }
        if record.repeats {
            return;
        }
        self.requests += 1;
        let live = record.live();
        if !record.is_request() {
            return self.set_aside(match &live {
                Live::Before(why) => why,
                _ => "connections, and no HTTP requests",
            });
        }
        let is_sidecar = new.as_ref().is_none_or(|new| new.policies.is_sidecar);
        if is_sidecar && record.is_outbound() {
            return self.set_aside("requests of the workload itself, on its outbound listener");
        }
        let shown = self.shown;
        if let Some(strict) = &mut self.strict {
            strict.count(record, at, shown);
        }
        let Some(new) = new else { return };
        match (&live, &old) {
            (Live::Before(why), _) => return self.set_aside(&format!("answered before policies: {why}")),
            (Live::Unsaid(why), None) => {
                // What it meets is known, and which rules it matches.
                new.verdict(record);
                return self.set_aside(&format!("what the policies answered is not in the log: {why}"));
            }
            _ => {}
        }
        let to = new.verdict(record);
        let (key, from) = match old {
            None => (self.hasher.hash_one(&live), None),
            Some(old) => {
                let from = old.verdict(record);
                let is_other = live.allow().zip(old.allow(from)).is_some_and(|(live, old)| live != old);
                if is_other {
                    self.disagreeing += 1;
                    if self.disagreeing_at.len() < shown {
                        self.disagreeing_at.push(example(record, at));
                    }
                }
                if new.follows_from(to).is_some_and(|all| old.follows_from(from) == Some(all)) {
                    self.alike += 1;
                    return;
                }
                let place = self.group((0, Some(from), to), || old.said(from), || new.said(to));
                return self.add(place, record, at);
            }
        };
        let place = self.group((key, from, to), || Said::of_live(&live), || new.said(to));
        self.add(place, record, at);
    }

    fn group(
        &mut self,
        key: (u64, Option<VerdictId>, VerdictId),
        from: impl FnOnce() -> Said,
        to: impl FnOnce() -> Said,
    ) -> usize {
        *self.by_key.entry(key).or_insert_with(|| {
            let (callers, examples) = Default::default();
            self.groups.push(Group { from: from(), to: to(), count: 0, callers, examples, verdicts: (key.1, key.2) });
            self.groups.len() - 1
        })
    }

    fn add(&mut self, place: usize, record: &Record<'_>, at: (&str, u64)) {
        let shown = self.shown;
        let Some(group) = self.groups.get_mut(place) else { return };
        group.count += 1;
        if group.is_same() {
            return;
        }
        let caller = record.caller();
        let is_known = group.callers.len() < CALLERS || group.callers.contains_key(&caller);
        *group.callers.entry(if is_known { caller } else { OTHERS.to_owned() }).or_default() += 1;
        if group.examples.len() < shown {
            group.examples.push(example(record, at));
        }
    }

    /// Requests of which the answer changes, the most first.
    pub(super) fn changes(&self) -> Vec<&Group> {
        self.sorted(|group| group.from.allow.zip(group.to.allow).is_some_and(|(from, to)| from != to))
    }

    /// Requests that get the same answer by another rule.
    pub(super) fn by_other_rules(&self) -> u64 {
        let groups = self.groups.iter().filter(|group| !group.is_same() && group.from.allow == group.to.allow);
        groups.filter(|group| group.to.allow.is_some()).map(|group| group.count).sum()
    }

    /// Requests of which the answer hangs on what the log lacks.
    pub(super) fn undecidable(&self) -> Vec<&Group> {
        self.sorted(|group| group.from.allow.is_none() || group.to.allow.is_none())
    }

    /// Requests that were compared.
    pub(super) fn compared(&self) -> u64 {
        self.alike + self.groups.iter().map(|group| group.count).sum::<u64>()
    }

    fn sorted(&self, is_wanted: impl Fn(&Group) -> bool) -> Vec<&Group> {
        let mut groups: Vec<&Group> = self.groups.iter().filter(|group| is_wanted(group)).collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.title().cmp(&b.title())));
        groups
    }

    /// What requests hang on, and how many: by field, and by the policies that ask for it.
    pub(super) fn missing(
        &self,
        new: &mut Side,
        mut old: Option<&mut Side>,
    ) -> Vec<(RequestField, u64, BTreeMap<String, u64>)> {
        let mut all: BTreeMap<RequestField, (u64, BTreeMap<String, u64>)> = BTreeMap::new();
        for group in self.undecidable() {
            let (from, to) = group.verdicts;
            let mut asked = if group.to.allow.is_none() { new.policies.requests.hangs_on(to) } else { Vec::new() };
            if let (Some(old), Some(from)) = (old.as_deref_mut(), from.filter(|_| group.from.allow.is_none())) {
                asked.extend(old.policies.requests.hangs_on(from));
            }
            asked.sort();
            asked.dedup();
            let mut fields: Vec<&RequestField> = asked.iter().map(|(_, field)| field).collect();
            fields.sort();
            fields.dedup();
            for field in fields {
                let (count, policies) = all.entry(field.clone()).or_default();
                *count += group.count;
                for (policy, _) in asked.iter().filter(|(_, asked)| asked == field) {
                    *policies.entry(policy.clone()).or_default() += group.count;
                }
            }
        }
        let mut all: Vec<_> = all.into_iter().map(|(field, (count, policies))| (field, count, policies)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all
    }
}

impl Group {
    /// Whether nothing changes, not even the rule.
    fn is_same(&self) -> bool {
        self.from.allow.is_some()
            && self.from.allow == self.to.allow
            && (self.from.rule == self.to.rule || self.from.is_bare())
    }

    /// In words: what decides, and what did.
    pub(super) fn title(&self) -> String {
        format!("{}, before {}", self.to, self.from)
    }
}

fn time_bytes<'r>(record: &'r Record<'_>) -> &'r [u8] {
    record.time.value().unwrap_or_default()
}

pub(super) fn example(record: &Record<'_>, (file, line): (&str, u64)) -> Example {
    let text = |value: Option<&[u8]>| {
        value.map_or_else(|| "?".to_owned(), |value| String::from_utf8_lossy(value).into_owned())
    };
    Example {
        place: Place { file: file.to_owned(), line },
        method: text(record.method.value()),
        host: text(record.host.value()),
        path: text(record.path.value()),
        caller: record.caller(),
    }
}
