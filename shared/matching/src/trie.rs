//! A trie of template segments: which templates can match a path, by their segments before `{**}`.

use crate::Template;
use crate::table::{Hash, Table};
use crate::template::Segment;

const ROOT: u32 = 0;

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    one: Option<u32>,
    /// The number of templates that end here.
    end: Option<u32>,
    /// The number of templates that go on with `{**}` from here.
    rest: Option<u32>,
}

/// Templates being collected.
#[derive(Clone, Debug)]
pub(crate) struct TrieBuilder {
    nodes: Vec<Node>,
    edges: Table,
}

impl TrieBuilder {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()], edges: Table::default() }
    }

    /// Adds a template. Two whose segments are the same up to `{**}` share a place, and the number first given to it is
    /// returned; otherwise that is `number`.
    pub(crate) fn add(&mut self, template: &Template, number: u32) -> u32 {
        let mut at = ROOT;
        for segment in template.head() {
            let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
            let child = match segment {
                Segment::Literal(literal) => match self.edges.get(at, Hash::of(literal), literal) {
                    Some(child) => child,
                    None => {
                        self.edges.insert(at, literal.clone(), next);
                        next
                    }
                },
                Segment::One => match self.node(at) {
                    Some(node) => *node.one.get_or_insert(next),
                    None => next,
                },
            };
            if child == next {
                self.nodes.push(Node::default());
            }
            at = child;
        }
        match self.node(at) {
            Some(node) if template.has_rest() => *node.rest.get_or_insert(number),
            Some(node) => *node.end.get_or_insert(number),
            None => number,
        }
    }

    fn node(&mut self, at: u32) -> Option<&mut Node> {
        self.nodes.get_mut(usize::try_from(at).ok()?)
    }

    /// The trie, each number replaced by what stands at its place in `numbers`.
    pub(crate) fn build(mut self, numbers: &[u32]) -> Trie {
        let renumber = |number: &mut Option<u32>| {
            *number = number.and_then(|at| numbers.get(usize::try_from(at).ok()?).copied());
        };
        for node in &mut self.nodes {
            renumber(&mut node.end);
            renumber(&mut node.rest);
        }
        Trie { nodes: self.nodes.into(), edges: self.edges }
    }
}

/// The collected templates. A walk visits each node of the trie at most once, whatever the path; its depth is the
/// number of segments of the longest template.
#[derive(Clone, Debug)]
pub(crate) struct Trie {
    nodes: Box<[Node]>,
    edges: Table,
}

impl Trie {
    /// Calls `found` with the number of every place that `path` may reach.
    pub(crate) fn walk(&self, path: &[u8], found: &mut impl FnMut(u32)) {
        self.step(ROOT, path, found);
    }

    fn step(&self, at: u32, path: &[u8], found: &mut impl FnMut(u32)) {
        let Some(node) = usize::try_from(at).ok().and_then(|at| self.nodes.get(at)) else { return };
        let Some(after) = path.strip_prefix(b"/") else {
            if let (Some(number), true) = (node.end, path.is_empty()) {
                found(number);
            }
            return;
        };
        if let Some(number) = node.rest {
            found(number);
        }
        let end = after.iter().position(|byte| *byte == b'/').unwrap_or(after.len());
        let Some((segment, remaining)) = after.split_at_checked(end) else { return };
        if let Some(child) = self.edges.get(at, Hash::of(segment), segment) {
            self.step(child, remaining, found);
        }
        if let Some(child) = node.one {
            self.step(child, remaining, found);
        }
    }
}
