//! A YAML document as a tree in which every value knows where it stands.

use serde_json::{Map, Value};
use std::rc::Rc;

/// A place in a file; both count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A value and where it begins.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) kind: Kind,
}

/// What a node is. Aliases share their node.
#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Value),
    List(Vec<Rc<Node>>),
    /// Keys in their order, each with its position; merged ones last.
    Map(Vec<Field>),
}

/// A field of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) at: Position,
    pub(super) value: Rc<Node>,
}

/// How many values aliases and merges may still stand for, besides those that are written: aliases of aliases grow without
/// bound, and so do many documents of a few. One is for all files of a command.
#[derive(Debug)]
pub(super) struct Budget(pub(super) usize);

/// What a command begins with.
const VALUES: usize = 4_000_000;

impl Default for Budget {
    fn default() -> Self {
        Self(VALUES)
    }
}

impl Budget {
    /// Takes some out.
    ///
    /// # Errors
    /// When they are not in it.
    pub(super) fn spend(&mut self, values: usize) -> Result<(), String> {
        self.0 = self.0.checked_sub(values).ok_or_else(|| format!("aliases stand for more than {VALUES} values"))?;
        Ok(())
    }
}

impl Node {
    /// The tree without positions, of which so many values are written.
    ///
    /// # Errors
    /// A document whose aliases stand for too much.
    pub(super) fn value(&self, written: usize, budget: &mut Budget) -> Result<Value, String> {
        let all = written.saturating_add(budget.0);
        let mut left = all;
        let value = self.take(&mut left);
        budget.spend(value.as_ref().map_or(usize::MAX, |_| (all - left).saturating_sub(written)))?;
        Ok(value.unwrap_or_default())
    }

    /// Whether a merge key with this value gives a mapping that key.
    pub(super) fn is_merging(&self, key: &str) -> bool {
        match &self.kind {
            Kind::Map(fields) => fields.iter().any(|field| field.key == key),
            Kind::List(items) => items.iter().any(|item| item.is_merging(key)),
            Kind::Scalar(_) => false,
        }
    }

    fn take(&self, left: &mut usize) -> Option<Value> {
        *left = left.checked_sub(1)?;
        Some(match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(|item| item.take(left)).collect::<Option<_>>()?),
            Kind::Map(fields) => {
                let field = |field: &Field| Some((field.key.clone(), field.value.take(left)?));
                Value::Object(fields.iter().map(field).collect::<Option<Map<_, _>>>()?)
            }
        })
    }

    /// The text that these steps of a JSON path lead into, and where it begins. Those that are left are steps in the text.
    pub(super) fn text<'s>(
        &self,
        steps: &mut std::iter::Peekable<impl Iterator<Item = super::path::Step<'s>>>,
    ) -> Option<(&str, Position)> {
        let mut node = self;
        while let Some(step) = steps.peek() {
            node = match (&node.kind, step) {
                (Kind::Map(fields), super::path::Step::Key(key)) => {
                    &fields.iter().find(|field| field.key == **key)?.value
                }
                (Kind::List(items), super::path::Step::Index(index)) => items.get(*index)?,
                (Kind::Scalar(Value::String(text)), _) => return Some((text, node.at)),
                _ => return None,
            };
            steps.next();
        }
        None
    }

    /// Where the value at these steps of a JSON path begins, or its key; of a value that is not there, the nearest one
    /// around it.
    pub(super) fn find<'s>(&self, steps: impl IntoIterator<Item = super::path::Step<'s>>) -> Position {
        let (mut node, mut at) = (self, self.at);
        for step in steps {
            let next = match (&node.kind, &step) {
                (Kind::Map(fields), super::path::Step::Key(key)) => {
                    fields.iter().find(|field| field.key == **key).map(|field| (&field.value, field.at))
                }
                (Kind::List(items), super::path::Step::Index(index)) => items.get(*index).map(|item| (item, item.at)),
                _ => None,
            };
            let Some((inner, position)) = next else { break };
            (node, at) = (inner, position);
        }
        at
    }
}
