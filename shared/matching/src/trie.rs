//! A trie of template segments: which templates a path matches.

use crate::Template;
use crate::table::{Hash, Side, Table, small};
use crate::template::{Segment, is_segment_byte};

const ROOT: u32 = 0;

/// Tags of the table: the edges that leave a node by a literal segment, and what may follow its `{**}`.
fn edges(node: u32) -> u32 {
    node * 2
}

fn tails(node: u32) -> u32 {
    node * 2 + 1
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Where `{*}` leads.
    one: Option<u32>,
    /// The template that ends here.
    end: Option<u32>,
    /// The template that ends with `{**}` here.
    rest: Option<u32>,
    /// The lengths of what follows `{**}` here in other templates, ascending.
    tails: Vec<u32>,
}

/// Templates by their segments. A walk visits each node of the trie at most once; its depth is the
/// number of segments of the longest template.
#[derive(Clone, Debug)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    table: Table,
}

impl Trie {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()], table: Table::default() }
    }

    /// The number of a template: `next` if it is not there yet.
    #[inline(never)]
    pub(crate) fn intern(&mut self, template: &Template, next: u32) -> u32 {
        let mut at = ROOT;
        for segment in template.head() {
            let fresh = small(self.nodes.len());
            let child = match segment {
                Segment::Literal(literal) => self.table.intern(edges(at), Hash::of(literal), literal, fresh),
                Segment::One => match self.node(at) {
                    Some(node) => *node.one.get_or_insert(fresh),
                    None => fresh,
                },
            };
            if child == fresh {
                self.nodes.push(Node::default());
            }
            at = child;
        }
        let tail = template.tail();
        let Some(node) = self.node(at) else { return next };
        match tail {
            None => *node.end.get_or_insert(next),
            Some([]) => *node.rest.get_or_insert(next),
            Some(tail) => {
                let length = small(tail.len());
                if let Err(place) = node.tails.binary_search(&length) {
                    node.tails.insert(place, length);
                }
                self.table.intern(tails(at), Hash::of_reversed(tail), tail, next)
            }
        }
    }

    fn node(&mut self, at: u32) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(at).ok()?)
    }

    /// Ends the filling; only then paths are looked for.
    pub(crate) fn finish(&mut self) {
        let nodes = &self.nodes;
        self.table.link(|tag| match usize::try_from(tag / 2).ok().and_then(|at| nodes.get(at)) {
            Some(node) if tag % 2 == 1 => Some((Side::End, node.tails.as_slice())),
            _ => None,
        });
    }

    /// Calls `found` with the number of every template that `path` matches.
    pub(crate) fn walk(&self, path: &[u8], found: &mut impl FnMut(u32)) {
        let clean = path.iter().position(|byte| *byte != b'/' && !is_segment_byte(*byte)).unwrap_or(path.len());
        self.step(ROOT, path, clean, found);
    }

    /// Goes on from a node. Of `path`, the first `clean` bytes are ones that operators match: that holds for the whole
    /// path before it too, because no segment of a template has others.
    fn step(&self, at: u32, path: &[u8], clean: usize, found: &mut impl FnMut(u32)) {
        let Some(node) = usize::try_from(at).ok().and_then(|at| self.nodes.get(at)) else { return };
        let Some(after) = path.strip_prefix(b"/") else {
            if let (Some(number), true) = (node.end, path.is_empty()) {
                found(number);
            }
            return;
        };
        if let (Some(number), true) = (node.rest, clean == path.len()) {
            found(number);
        }
        if !node.tails.is_empty() {
            // A tail leaves a clean beginning to `{**}`, so it is no shorter than this, and no longer than what follows
            // the slash.
            let least = path.len() - clean.min(path.len());
            self.table.find_all(tails(at), Side::End, &node.tails, after, &mut |number, length| {
                if length >= least {
                    found(number);
                }
            });
        }
        let end = after.iter().position(|byte| *byte == b'/').unwrap_or(after.len());
        let Some((segment, remaining)) = after.split_at_checked(end) else { return };
        if clean <= end {
            return;
        }
        let clean = clean - end - 1;
        if let Some(child) = self.table.get(edges(at), Hash::of(segment), segment) {
            self.step(child, remaining, clean, found);
        }
        if let Some(child) = node.one
            && !segment.is_empty()
        {
            self.step(child, remaining, clean, found);
        }
    }
}
