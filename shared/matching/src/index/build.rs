//! Choosing anchors and laying out the index.

use super::{Alternative, Anchor, Dimension, EXACT, Group, Index, PREFIX, RANGE, SUFFIX, range_key, tag};
use crate::Pattern;
use crate::table::Table;
use crate::trie::TrieBuilder;
use std::collections::{BTreeMap, BTreeSet};

impl Index {
    /// Builds the index over `rules`, numbered by their place. Dimensions in `with_unknown` can be asked with
    /// [`Index::probe_unknown`].
    pub fn new(rules: &[Vec<Group>], with_unknown: &[u16]) -> Self {
        let usage = usage(rules);
        let mut lists = Lists::default();
        for (rule, number) in rules.iter().zip(0u32..) {
            let anchors = anchors(rule, &usage);
            if anchors.is_empty() {
                lists.always.push(number);
            }
            for anchor in anchors {
                lists.postings.entry(anchor).or_default().push(number);
            }
        }
        lists.lay_out(with_unknown)
    }
}

/// How many clauses name each pattern.
fn usage(rules: &[Vec<Group>]) -> BTreeMap<&Anchor, usize> {
    let mut usage = BTreeMap::new();
    for anchor in rules.iter().flatten().flatten().flatten().flatten() {
        *usage.entry(anchor).or_insert(0) += 1;
    }
    usage
}

/// The anchors of a rule; none if no group can anchor it.
fn anchors<'r>(rule: &'r [Group], usage: &BTreeMap<&Anchor, usize>) -> BTreeSet<&'r Anchor> {
    let groups = rule.iter().filter_map(|group| {
        let mut cost = 0usize;
        let mut chosen = BTreeSet::new();
        for alternative in group {
            let (clause_cost, clause) = cheapest(alternative, usage)?;
            cost = cost.saturating_add(clause_cost);
            chosen.extend(clause);
        }
        (!chosen.is_empty()).then_some((cost, chosen))
    });
    groups.min_by_key(|(cost, _)| *cost).map(|(_, chosen)| chosen).unwrap_or_default()
}

fn cheapest<'r>(alternative: &'r Alternative, usage: &BTreeMap<&Anchor, usize>) -> Option<(usize, &'r [Anchor])> {
    let usable = alternative.iter().filter(|clause| !clause.is_empty() && clause.iter().all(is_usable));
    let costs = usable.map(|clause| {
        let cost = clause.iter().fold(0usize, |sum, anchor| sum.saturating_add(cost(anchor, usage)));
        (cost, clause.as_slice())
    });
    costs.min_by_key(|(cost, _)| *cost)
}

fn is_usable(anchor: &Anchor) -> bool {
    !matches!(anchor.pattern, Pattern::Glob(_))
}

/// The posting list's length; what every request has comes last.
fn cost(anchor: &Anchor, usage: &BTreeMap<&Anchor, usize>) -> usize {
    let shared = usage.get(anchor).copied().unwrap_or(1);
    match anchor.pattern {
        Pattern::Present | Pattern::Any => shared.saturating_add(1 << 20),
        _ => shared,
    }
}

#[derive(Default)]
struct Lists<'r> {
    postings: BTreeMap<&'r Anchor, Vec<u32>>,
    always: Vec<u32>,
}

/// The pool and the lists in it, while they grow.
#[derive(Default)]
struct Pool {
    lists: Vec<(u32, u32)>,
    pool: Vec<u32>,
}

impl Pool {
    fn add(&mut self, rules: &[u32]) -> u32 {
        let start = self.pool.len();
        self.pool.extend_from_slice(rules);
        let number = self.lists.len();
        self.lists.push((small(start), small(self.pool.len())));
        small(number)
    }
}

/// Counts stay far below 2^32: a configuration is at most some megabytes.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Lists<'_> {
    fn lay_out(self, with_unknown: &[u16]) -> Index {
        let count = self.postings.keys().map(|anchor| usize::from(anchor.dimension) + 1).max().unwrap_or(0);
        let mut dimensions: Vec<Layout> = std::iter::repeat_with(Layout::default).take(count).collect();
        let mut pool = Pool::default();
        let mut keys = BTreeMap::new();
        // Templates that share their place in the trie share a list, so theirs are joined before they are laid out.
        let mut templates: Vec<BTreeSet<u32>> = Vec::new();
        for (anchor, rules) in &self.postings {
            let Some(layout) = dimensions.get_mut(usize::from(anchor.dimension)) else { continue };
            layout.all.extend(rules);
            if let Pattern::Template(template) = &anchor.pattern {
                let place = layout.trie.get_or_insert_with(TrieBuilder::new).add(template, small(templates.len()));
                match usize::try_from(place).ok().and_then(|place| templates.get_mut(place)) {
                    Some(joined) => joined.extend(rules),
                    None => templates.push(rules.iter().copied().collect()),
                }
                continue;
            }
            let list = pool.add(rules);
            if let Some((kind, key)) = layout.note(&anchor.pattern, list) {
                keys.insert((tag(anchor.dimension, kind), key), list);
            }
        }
        let template_lists: Vec<u32> =
            templates.iter().map(|rules| pool.add(&rules.iter().copied().collect::<Vec<_>>())).collect();
        let dimensions = dimensions.into_iter().zip(0u16..).map(|(layout, number)| {
            let all = with_unknown.contains(&number).then(|| pool.add(&layout.all.iter().copied().collect::<Vec<_>>()));
            layout.finish(all, &template_lists)
        });
        let dimensions = dimensions.collect();
        let always = (!self.always.is_empty()).then(|| pool.add(&self.always));
        let Pool { lists, pool } = pool;
        Index { dimensions, table: Table::new(keys), lists: lists.into(), pool: pool.into(), always }
    }
}

/// A dimension while it grows.
#[derive(Default)]
struct Layout {
    longest_exact: usize,
    prefixes: BTreeSet<usize>,
    suffixes: BTreeSet<usize>,
    v4: BTreeSet<u8>,
    v6: BTreeSet<u8>,
    present: Option<u32>,
    any: Option<u32>,
    all: BTreeSet<u32>,
    trie: Option<TrieBuilder>,
}

impl Layout {
    /// Notes a pattern's kind; returns its key if it goes to the table.
    fn note(&mut self, pattern: &Pattern, list: u32) -> Option<(u32, Box<[u8]>)> {
        match pattern {
            Pattern::Exact(key) => {
                self.longest_exact = self.longest_exact.max(key.len());
                Some((EXACT, key.clone()))
            }
            Pattern::Prefix(key) => {
                self.prefixes.insert(key.len());
                Some((PREFIX, key.clone()))
            }
            Pattern::Suffix(key) => {
                self.suffixes.insert(key.len());
                Some((SUFFIX, key.clone()))
            }
            Pattern::Cidr(cidr) => {
                let lengths = if cidr.address().is_ipv4() { &mut self.v4 } else { &mut self.v6 };
                lengths.insert(cidr.bits());
                let mut key = [0u8; 18];
                let length = range_key(cidr.address(), cidr.bits(), &mut key);
                Some((RANGE, key.get(..length)?.into()))
            }
            Pattern::Present => {
                self.present = Some(list);
                None
            }
            Pattern::Any => {
                self.any = Some(list);
                None
            }
            Pattern::Template(_) | Pattern::Glob(_) => None,
        }
    }

    fn finish(self, all: Option<u32>, template_lists: &[u32]) -> Dimension {
        Dimension {
            longest_exact: self.longest_exact,
            prefixes: self.prefixes.into_iter().collect(),
            suffixes: self.suffixes.into_iter().collect(),
            v4: self.v4.into_iter().collect(),
            v6: self.v6.into_iter().collect(),
            present: self.present,
            any: self.any,
            all,
            trie: self.trie.map(|trie| trie.build(template_lists)),
        }
    }
}
