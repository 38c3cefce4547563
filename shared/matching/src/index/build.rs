//! Choosing anchors and laying out the index.
//!
//! All of this runs when a configuration is compiled. One ordered map, from pattern to rules, is all it sorts with: each
//! further type in a map or a sort is kilobytes of code.

use super::{Alternative, Anchor, Dimension, EXACT, Group, Index, PREFIX, RANGE, SUFFIX, range_key, tag};
use crate::Pattern;
use crate::table::Table;
use crate::trie::TrieBuilder;
use std::collections::BTreeMap;

impl Index {
    /// Builds the index over `rules`, numbered by their place. Dimensions in `with_unknown` can be asked with
    /// [`Index::probe_unknown`].
    pub fn new(rules: &[Vec<Group>], with_unknown: &[u16]) -> Self {
        let mut postings = usage(rules);
        let mut always = Vec::new();
        for (rule, number) in rules.iter().zip(0u32..) {
            let anchors = anchors(rule, &postings);
            if anchors.is_empty() {
                always.push(number);
            }
            for anchor in anchors {
                if let Some(posting) = postings.get_mut(anchor)
                    && posting.rules.last() != Some(&number)
                {
                    posting.rules.push(number);
                }
            }
        }
        lay_out(&postings, &always, with_unknown)
    }
}

/// What is known of a pattern.
#[derive(Default)]
struct Posting {
    /// How many clauses name it.
    named: usize,
    /// The rules anchored under it, ascending.
    rules: Vec<u32>,
}

type Postings<'r> = BTreeMap<&'r Anchor, Posting>;

/// Counts how many clauses name each pattern; no rule is anchored yet.
fn usage(rules: &[Vec<Group>]) -> Postings<'_> {
    let mut postings = Postings::new();
    for anchor in rules.iter().flatten().flatten().flatten().flatten() {
        postings.entry(anchor).or_default().named += 1;
    }
    postings
}

/// The anchors of a rule, some perhaps more than once; none if no group can anchor it.
fn anchors<'r>(rule: &'r [Group], postings: &Postings<'_>) -> Vec<&'r Anchor> {
    let mut best: Option<(usize, Vec<&Anchor>)> = None;
    for group in rule {
        if let Some((cost, chosen)) = chosen(group, postings)
            && best.as_ref().is_none_or(|(least, _)| cost < *least)
        {
            best = Some((cost, chosen));
        }
    }
    best.map(|(_, chosen)| chosen).unwrap_or_default()
}

/// What anchors a group, and its cost.
fn chosen<'r>(group: &'r Group, postings: &Postings<'_>) -> Option<(usize, Vec<&'r Anchor>)> {
    let mut cost = 0usize;
    let mut chosen = Vec::new();
    for alternative in group {
        let (clause_cost, clause) = cheapest(alternative, postings)?;
        cost = cost.saturating_add(clause_cost);
        chosen.extend(clause);
    }
    (!chosen.is_empty()).then_some((cost, chosen))
}

fn cheapest<'r>(alternative: &'r Alternative, postings: &Postings<'_>) -> Option<(usize, &'r [Anchor])> {
    let usable = alternative.iter().filter(|clause| !clause.is_empty() && clause.iter().all(is_usable));
    let costs = usable.map(|clause| {
        let cost = clause.iter().fold(0usize, |sum, anchor| sum.saturating_add(cost(anchor, postings)));
        (cost, clause.as_slice())
    });
    costs.min_by_key(|(cost, _)| *cost)
}

fn is_usable(anchor: &Anchor) -> bool {
    !matches!(anchor.pattern, Pattern::Glob(_))
}

/// The posting list's length; what every request has comes last.
fn cost(anchor: &Anchor, postings: &Postings<'_>) -> usize {
    let shared = postings.get(anchor).map_or(1, |posting| posting.named);
    match anchor.pattern {
        Pattern::Present | Pattern::Any => shared.saturating_add(1 << 20),
        _ => shared,
    }
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

/// Puts `value` into its place in an ascending list, unless it is there.
fn insert<T: Ord>(list: &mut Vec<T>, value: T) {
    if let Err(place) = list.binary_search(&value) {
        list.insert(place, value);
    }
}

fn lay_out(postings: &Postings<'_>, always: &[u32], with_unknown: &[u16]) -> Index {
    let mut dimensions: Vec<Layout> = Vec::new();
    let mut pool = Pool::default();
    let mut table = Table::default();
    // Templates that share their place in the trie share a list, so theirs are joined before they are laid out.
    let mut templates: Vec<Vec<u32>> = Vec::new();
    for (anchor, Posting { rules, .. }) in postings {
        if rules.is_empty() {
            continue;
        }
        let place = usize::from(anchor.dimension);
        while dimensions.len() <= place {
            dimensions.push(Layout::default());
        }
        let Some(layout) = dimensions.get_mut(place) else { continue };
        if with_unknown.contains(&anchor.dimension) {
            layout.all.extend_from_slice(rules);
        }
        if let Pattern::Template(template) = &anchor.pattern {
            let place = layout.trie.get_or_insert_with(TrieBuilder::new).add(template, small(templates.len()));
            match usize::try_from(place).ok().and_then(|place| templates.get_mut(place)) {
                Some(joined) => rules.iter().for_each(|rule| insert(joined, *rule)),
                None => templates.push(rules.clone()),
            }
            continue;
        }
        let list = pool.add(rules);
        if let Some((kind, key)) = layout.note(&anchor.pattern, list) {
            table.insert(tag(anchor.dimension, kind), key, list);
        }
    }
    let template_lists: Vec<u32> = templates.iter().map(|rules| pool.add(rules)).collect();
    let mut finished = Vec::with_capacity(dimensions.len());
    for (layout, number) in dimensions.into_iter().zip(0u16..) {
        let all = with_unknown.contains(&number).then(|| pool.add(&ascending(&layout.all)));
        finished.push(layout.finish(all, &template_lists));
    }
    let always = (!always.is_empty()).then(|| pool.add(always));
    let Pool { lists, pool } = pool;
    Index { dimensions: finished.into(), table, lists: lists.into(), pool: pool.into(), always }
}

/// Rule numbers in order, each once.
fn ascending(rules: &[u32]) -> Vec<u32> {
    let mut there = Vec::new();
    for rule in rules {
        let place = usize::try_from(*rule).unwrap_or(usize::MAX);
        if place >= there.len() {
            there.resize(place + 1, false);
        }
        if let Some(flag) = there.get_mut(place) {
            *flag = true;
        }
    }
    there.iter().zip(0u32..).filter(|(there, _)| **there).map(|(_, rule)| rule).collect()
}

/// A dimension while it grows.
#[derive(Default)]
struct Layout {
    longest_exact: usize,
    prefixes: Vec<usize>,
    suffixes: Vec<usize>,
    v4: Vec<u8>,
    v6: Vec<u8>,
    present: Option<u32>,
    any: Option<u32>,
    /// All rules anchored here, in any order, some perhaps more than once.
    all: Vec<u32>,
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
                insert(&mut self.prefixes, key.len());
                Some((PREFIX, key.clone()))
            }
            Pattern::Suffix(key) => {
                insert(&mut self.suffixes, key.len());
                Some((SUFFIX, key.clone()))
            }
            Pattern::Cidr(cidr) => {
                let lengths = if cidr.address().is_ipv4() { &mut self.v4 } else { &mut self.v6 };
                insert(lengths, cidr.bits());
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
            prefixes: self.prefixes.into(),
            suffixes: self.suffixes.into(),
            v4: self.v4.into(),
            v6: self.v6.into(),
            present: self.present,
            any: self.any,
            all,
            trie: self.trie.map(|trie| trie.build(template_lists)),
        }
    }
}
