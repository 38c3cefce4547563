//! Reading an envoyproxy/ratelimit configuration, verbatim, and giving each limit its cells.

use super::allocation::allocate;
use crate::algorithm::{Algorithm, FixedWindow, Gcra};
use crate::compiled::limits::{Level, Limit, LimitTree, Node, Values};
use crate::table::Allocation;
use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;
use weir_config::Cursor;
use weir_matching::Glob;

/// One item of `algorithms`.
pub(crate) struct NamedAlgorithm<'v> {
    /// The name or the key path of the limit that it is for.
    pub(crate) name: &'v str,
    /// Where it is written.
    pub(crate) cursor: Cursor<'v>,
    pub(crate) choice: AlgorithmChoice,
    /// Whether there is such a limit.
    pub(crate) is_used: bool,
}

/// An algorithm as written: the rate is the limit's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlgorithmChoice {
    FixedWindow,
    Gcra { burst: u32 },
}

/// The way down the tree to a descriptor.
struct Path<'p> {
    label: String,
    keyed: Vec<bool>,
    hasher: SipHasher13,
    limits: &'p mut Vec<Limit>,
}

/// Reads `config`. `max_keys` bounds the keys of limits with clients' values in them.
#[inline(never)]
pub(crate) fn read(at: &Cursor<'_>, algorithms: &mut [NamedAlgorithm<'_>], max_keys: u32) -> Option<LimitTree> {
    let mut fields = at.object()?;
    let domain = fields.require("domain").and_then(|at| at.text());
    let mut tree = LimitTree::default();
    if let Some(list) = fields.take("descriptors") {
        let mut hasher = SipHasher13::new();
        absorb(&mut hasher, domain.unwrap_or_default().as_bytes());
        let path = Path { label: String::new(), keyed: Vec::new(), hasher, limits: &mut tree.limits };
        tree.top = level(&list, path, algorithms);
    }
    fields.finish();
    for NamedAlgorithm { name, cursor, .. } in algorithms.iter().filter(|algorithm| !algorithm.is_used) {
        cursor.problem::<()>(format!("no limit is called `{name}`"));
    }
    domain?;
    allocate(at, &mut tree.limits, max_keys)?;
    Some(tree)
}

fn absorb(hasher: &mut SipHasher13, bytes: &[u8]) {
    hasher.write_u64(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    hasher.write(bytes);
}

fn level(at: &Cursor<'_>, path: Path<'_>, algorithms: &mut [NamedAlgorithm<'_>]) -> Level {
    let mut level = Level::default();
    for at in at.list().unwrap_or_default() {
        let path = Path {
            label: path.label.clone(),
            keyed: path.keyed.clone(),
            hasher: path.hasher,
            limits: &mut *path.limits,
        };
        descriptor(&at, &mut level, path, algorithms);
    }
    level
}

#[inline(never)]
fn descriptor(
    at: &Cursor<'_>,
    level: &mut Level,
    mut path: Path<'_>,
    algorithms: &mut [NamedAlgorithm<'_>],
) -> Option<()> {
    let mut fields = at.object()?;
    let key = fields.require("key").and_then(|at| at.text());
    let value = fields.take("value").and_then(|at| at.string()).unwrap_or_default();
    let mut flag = |name| fields.take(name).and_then(|at| at.bool()).unwrap_or(false);
    let shadow = flag("shadow_mode");
    let share = flag("share_threshold");
    // These choose the service's own metrics; a client's value never becomes a label here.
    let _ = (flag("detailed_metric"), flag("value_to_metric"));
    if let Some(at) = fields.take("quota_mode")
        && at.bool() == Some(true)
    {
        at.problem::<()>("quota mode is not supported");
    }
    fields.ignore(&["metadata"]);
    let limit = fields.take("rate_limit");
    let below = fields.take("descriptors");
    fields.finish();
    let key = key?;

    let glob = value.contains('*').then(|| Glob::parse(value));
    if !path.label.is_empty() {
        path.label.push('.');
    }
    path.label.push_str(key);
    if !value.is_empty() {
        path.label.push('_');
        path.label.push_str(value);
    }
    path.keyed.push(match glob {
        Some(_) => !share,
        None => value.is_empty(),
    });
    absorb(&mut path.hasher, key.as_bytes());
    absorb(&mut path.hasher, value.as_bytes());
    let mut node = Node::default();
    if let Some(at) = limit
        && let Some(limit) = rate_limit(&at, &path, shadow, algorithms)
    {
        node.limit = Some(path.limits.len());
        path.limits.push(limit);
    }
    if let Some(list) = below {
        node.below = self::level(&list, path, algorithms);
    }

    let values = level.keys.entry(key.as_bytes(), Values::default)?;
    let twice = match glob {
        Some(glob) => {
            let twice = values.wild.iter().any(|(known, _)| *known == glob);
            values.wild.push((glob, node));
            twice
        }
        None if value.is_empty() => values.any.replace(Box::new(node)).is_some(),
        None => values.exact.insert(value.as_bytes(), node).is_some(),
    };
    if twice {
        return at.problem(format!("key `{key}` with value `{value}` is given twice"));
    }
    Some(())
}

const UNITS: [(&str, u64); 7] = [
    ("second", 1),
    ("minute", 60),
    ("hour", 3_600),
    ("day", 86_400),
    ("week", 604_800),
    ("month", 2_592_000),
    ("year", 31_536_000),
];

#[inline(never)]
fn rate_limit(at: &Cursor<'_>, path: &Path<'_>, shadow: bool, algorithms: &mut [NamedAlgorithm<'_>]) -> Option<Limit> {
    let mut fields = at.object()?;
    let name = fields.take("name").and_then(|at| at.text());
    let replaces = fields.take("replaces").map_or_else(Vec::new, |at| at.each(|at| replaced(&at, name)));
    let unlimited = fields.take("unlimited").and_then(|at| at.bool()).unwrap_or(false);
    let unit = fields.take("unit");
    let requests = fields.take("requests_per_unit").map(|at| at.integer(0, u64::from(u32::MAX)));
    fields.finish();
    let label = name.unwrap_or(&path.label).to_owned();
    if label.chars().any(char::is_control) {
        return at.problem("a limit's name must not hold control characters");
    }
    let mut limit = Limit {
        name: name.map(str::to_owned),
        label,
        id: 0,
        algorithm: None,
        requests: 0,
        seconds: 0,
        shadow,
        replaces,
        keyed: path.keyed.clone(),
        allocation: Allocation::Single(0),
    };
    if unlimited {
        return match unit {
            Some(at) => at.problem("an unlimited limit has no unit"),
            None => Some(limit),
        };
    }
    let Some(unit) = unit else { return at.problem("`unit` is missing") };
    let word = unit.string()?;
    let Some((_, seconds)) = UNITS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)) else {
        return unit.problem(format!("invalid rate limit unit `{word}`; expected `second` to `year`"));
    };
    let Some(requests) = requests else { return at.problem("`requests_per_unit` is missing") };
    limit.requests = u32::try_from(requests?).ok()?;
    limit.seconds = *seconds;
    let mut burst = None;
    for NamedAlgorithm { name: called, cursor, choice, is_used } in algorithms.iter_mut() {
        if *called == path.label || Some(*called) == name {
            *is_used = true;
            burst = match choice {
                AlgorithmChoice::FixedWindow => None,
                AlgorithmChoice::Gcra { burst } => Some((*cursor, *burst)),
            };
        }
    }
    let algorithm = match &burst {
        None => Algorithm::FixedWindow(FixedWindow::new(limit.requests, limit.seconds)),
        Some((at, burst)) => match Gcra::new(limit.requests, limit.seconds, *burst) {
            None => return at.problem("the burst is too long for this rate"),
            Some(rule) => Algorithm::Gcra(rule),
        },
    };
    limit.algorithm = Some(algorithm);
    let mut hasher = path.hasher;
    hasher.write_u64(limit.seconds);
    hasher.write_u8(u8::from(burst.is_some()));
    limit.id = hasher.finish();
    Some(limit)
}

#[inline(never)]
fn replaced(at: &Cursor<'_>, own: Option<&str>) -> Option<String> {
    let mut fields = at.object()?;
    let name = fields.require("name").and_then(|at| match at.text()? {
        name if Some(name) == own => at.problem("a limit cannot replace itself"),
        name => Some(name.to_owned()),
    });
    fields.finish();
    name
}

#[cfg(test)]
mod tests;
