//! The limits of an envoyproxy/ratelimit configuration, and which of them a descriptor has.
//!
//! Semantics: that project's `config_impl.go`. At each level an exact value comes first, then the values with `*` in
//! the order of the file, then the key alone. A limit counts only where the last entry of the descriptor was found, and
//! there is no way back to a shallower level. Here a key and a value are two things, so key `a` with value `b_c` is not
//! key `a_b` with value `c`; every other answer is the service's.

use crate::algorithm::Algorithm;
use crate::table::Allocation;
use weir_matching::{Glob, NameMap};

/// One limit.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    /// The `name` it was given.
    pub(crate) name: Option<String>,
    /// Its name, or the keys and configured values that lead to it.
    pub(crate) label: String,
    /// The same in every configuration that has this limit with this unit and algorithm.
    pub(crate) id: u64,
    /// Its algorithm; `None` is unlimited.
    pub(crate) algorithm: Option<Algorithm>,
    /// Hits in a unit.
    pub(crate) requests: u32,
    /// The unit in seconds.
    pub(crate) seconds: u64,
    /// Counts and never refuses.
    pub(crate) shadow: bool,
    /// Names of limits that do not apply beside this one.
    pub(crate) replaces: Vec<String>,
    /// For each level of the tree, whether each value is counted by itself.
    pub(crate) keyed: Vec<bool>,
    /// The cells of its keys.
    pub(crate) allocation: Allocation,
}

/// All limits of a configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct LimitTree {
    pub(crate) top: Level,
    pub(crate) limits: Vec<Limit>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    pub(crate) keys: NameMap<Values>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    pub(crate) exact: NameMap<Node>,
    pub(crate) wild: Vec<(Glob, Node)>,
    pub(crate) any: Option<Box<Node>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) limit: Option<usize>,
    pub(crate) below: Level,
}

impl LimitTree {
    /// The limit of a descriptor, as an index into `limits`.
    pub(crate) fn find<'e>(&self, entries: impl Iterator<Item = (&'e [u8], &'e [u8])>) -> Option<usize> {
        let mut level = &self.top;
        let mut limit = None;
        for (key, value) in entries {
            let node = level.keys.get(key)?.node(value)?;
            limit = node.limit;
            level = &node.below;
        }
        limit
    }

    /// What a limit is called in metrics, filter state and response code details.
    pub(crate) fn label(&self, limit: usize) -> &str {
        self.limits.get(limit).map_or("", |limit| &limit.label)
    }

    /// Whether any limit replaces another.
    pub(crate) fn has_replacements(&self) -> bool {
        self.limits.iter().any(|limit| !limit.replaces.is_empty())
    }
}

impl Values {
    fn node(&self, value: &[u8]) -> Option<&Node> {
        let wild = || self.wild.iter().find(|(glob, _)| glob.matches(value)).map(|(_, node)| node);
        self.exact.get(value).or_else(wild).or(self.any.as_deref())
    }
}
