//! Who calls in plaintext, and would be refused if mutual TLS were required.

use super::tally::{Example, example};
use crate::log::{Known, Record};
use std::collections::BTreeMap;

/// How many callers are listed, and how many paths of each.
const CALLERS: usize = 1_000;
const PATHS: usize = 100;

const OTHERS: &str = "others";

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    /// With a certificate of the peer.
    Mutual,
    /// Without TLS, or without a certificate.
    Plain,
    /// As [`Self::Plain`], judged by the server name alone: a proxy of Istio always sends one.
    Nameless,
    /// The line does not say.
    Unknown,
}

/// A caller that would be refused.
#[derive(Debug, Default)]
pub(super) struct Caller {
    pub(super) count: u64,
    /// Without the query.
    pub(super) paths: BTreeMap<String, u64>,
    pub(super) examples: Vec<Example>,
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Strict {
    pub(super) mutual: u64,
    pub(super) refused: u64,
    /// Of those that would be refused: how many are judged by the server name alone.
    pub(super) nameless: u64,
    pub(super) unknown: u64,
    pub(super) callers: BTreeMap<String, Caller>,
}

impl Strict {
    pub(super) fn count(&mut self, record: &Record<'_>, at: (&str, u64), shown: usize) {
        match security(record) {
            Security::Mutual => self.mutual += 1,
            Security::Unknown => self.unknown += 1,
            security => {
                self.refused += 1;
                self.nameless += u64::from(security == Security::Nameless);
                self.refuse(record, at, shown);
            }
        }
    }

    fn refuse(&mut self, record: &Record<'_>, at: (&str, u64), shown: usize) {
        let name = record.caller();
        let is_known = self.callers.len() < CALLERS || self.callers.contains_key(&name);
        let caller = self.callers.entry(if is_known { name } else { OTHERS.to_owned() }).or_default();
        caller.count += 1;
        let path =
            record.path.value().map_or_else(|| "?".to_owned(), |path| String::from_utf8_lossy(path).into_owned());
        let path = path.split(['?', '#']).next().unwrap_or_default().to_owned();
        let is_known = caller.paths.len() < PATHS || caller.paths.contains_key(&path);
        *caller.paths.entry(if is_known { path } else { OTHERS.to_owned() }).or_default() += 1;
        if caller.examples.len() < shown {
            caller.examples.push(example(record, at));
        }
    }

    /// The callers, those with the most requests first.
    pub(super) fn sorted(&self) -> Vec<(&str, &Caller)> {
        let mut callers: Vec<_> = self.callers.iter().map(|(name, caller)| (name.as_str(), caller)).collect();
        callers.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0)));
        callers
    }
}

fn security(record: &Record<'_>) -> Security {
    let has = |known: &Known<'_>| known.value().is_some_and(|value| !value.is_empty());
    let is_absent = |known: &Known<'_>| matches!(known, Known::Absent | Known::Perhaps(_));
    if has(&record.peer_principal) || has(&record.uri_sans) || record.is_mutual == Some(true) {
        return Security::Mutual;
    }
    if record.is_mutual == Some(false) {
        return Security::Plain;
    }
    if is_absent(&record.tls_version) || is_absent(&record.uri_sans) {
        return Security::Plain;
    }
    match &record.server_name {
        // As Istio's proxies name what they call; newer Envoys mark a name that is not a host's.
        Known::Value(name) | Known::Perhaps(name)
            if name.strip_prefix(b"invalid:").unwrap_or(name).starts_with(b"outbound_.") =>
        {
            Security::Mutual
        }
        Known::Absent => Security::Nameless,
        Known::Perhaps(name) if matches!(&**name, b"-" | b"") => Security::Nameless,
        Known::Perhaps(_) | Known::Value(_) | Known::Unknown => Security::Unknown,
    }
}

#[cfg(test)]
mod tests;
