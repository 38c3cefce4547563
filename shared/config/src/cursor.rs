//! A place in a document: the value, its path, and where problems go.

mod keys;

use crate::Value;
use crate::diagnostics::Diagnostics;
use keys::{SeenKeys, nearest};
use std::fmt::Write as _;
use std::rc::Rc;
use weir_model::{Problem, Warning};

#[derive(Debug)]
enum Step<'v> {
    Key(&'v str),
    Index(usize),
}

#[derive(Debug)]
struct Trail<'v> {
    parent: Option<Rc<Trail<'v>>>,
    step: Step<'v>,
}

/// A value at a place.
///
/// Every reader (`integer`, `string`, `list`, ...) returns `None` and records a problem where the value does not fit. The
/// caller goes on with the next field, so one reading finds all problems.
///
/// # Examples
///
/// A number has bounds, both included. What is outside them is a problem at its JSON path:
///
/// ```
/// let read = |json: &[u8]| weir_config::read_document(json, |at| at.object()?.take("maxKeys")?.integer(8, 16_777_216));
///
/// assert_eq!(read(br#"{"maxKeys": 8}"#), Ok(8));
/// assert_eq!(read(br#"{"maxKeys": 16777216}"#), Ok(16_777_216));
/// let problems = read(br#"{"maxKeys": 7}"#).unwrap_err().0;
/// assert_eq!(problems.len(), 1);
/// assert_eq!(problems[0].path, "$.maxKeys");
/// assert_eq!(problems[0].message, "expected a whole number from 8 to 16777216");
/// ```
///
/// A list is read to its end, and each bad item is a problem of its own. Here two of four ports do not fit:
///
/// ```
/// use weir_config::{Cursor, Diagnostics, Value};
///
/// let value: Value = serde_json::from_str(r#"{"ports": [80, 0, "https", 443]}"#).unwrap();
/// let diagnostics = Diagnostics::default();
/// let root = Cursor::root(&value, &diagnostics);
/// let ports = root.object().unwrap().take("ports").unwrap();
///
/// assert_eq!(ports.each(|port| port.integer(1, 65_535)), [80, 443]);
/// assert_eq!(root.problems(), 2);
/// assert_eq!(ports.path(), "$.ports");
/// assert_eq!(ports.list().unwrap()[3].path(), "$.ports[3]");
/// ```
///
/// A field that is not taken is unknown, and `finish` names the nearest known one: at most two edits away. A key given
/// twice is a problem, and the first value counts. So this document has three problems, its unknown word included:
///
/// ```
/// let read = |json: &[u8]| {
///     weir_config::read_document(json, |at| {
///         let mut fields = at.object()?;
///         let mode = fields.take("mode").and_then(|mode| mode.word(&[("enforce", 1), ("shadow", 2), ("off", 3)]));
///         let series = fields.take("series").map_or(Some(5_000), |series| series.integer(1, 100_000));
///         fields.finish();
///         Some((mode?, series?))
///     })
/// };
///
/// assert_eq!(read(br#"{"mode": "shadow"}"#), Ok((2, 5_000)));
/// assert_eq!(read(br#"{"mode": "off", "series": 100}"#), Ok((3, 100)));
/// let problems = read(br#"{"mode": "shadw", "mode": "off", "serie": 100}"#).unwrap_err().0;
/// let lines: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
/// assert_eq!(
///     lines,
///     [
///         "$.mode: key is given twice",
///         "$.mode: `shadw` is not one of `enforce`, `shadow`, `off`",
///         "$.serie: unknown field; did you mean `series`?",
///     ]
/// );
/// ```
#[derive(Clone, Debug)]
pub struct Cursor<'v> {
    value: &'v Value,
    trail: Option<Rc<Trail<'v>>>,
    diagnostics: &'v Diagnostics,
}

impl<'v> Cursor<'v> {
    /// The whole document.
    pub fn root(value: &'v Value, diagnostics: &'v Diagnostics) -> Self {
        Self { value, trail: None, diagnostics }
    }

    /// The value itself.
    pub fn value(&self) -> &'v Value {
        self.value
    }

    /// How many problems the document has so far; compare before and after to know whether a part of it is sound.
    pub fn problems(&self) -> usize {
        self.diagnostics.len()
    }

    /// The JSON path, such as `$.policies[3].spec`.
    pub fn path(&self) -> String {
        let mut steps = Vec::new();
        let mut next = self.trail.as_deref();
        while let Some(trail) = next {
            steps.push(&trail.step);
            next = trail.parent.as_deref();
        }
        let mut path = String::from("$");
        for step in steps.iter().rev() {
            // Writing to a String cannot fail.
            let _ = match step {
                Step::Key(key) if is_plain(key) => write!(path, ".{key}"),
                Step::Key(key) => write!(path, "[{key:?}]"),
                Step::Index(index) => write!(path, "[{index}]"),
            };
        }
        path
    }

    /// The same place with another value: what is packed in this one.
    pub fn with<'s>(&self, value: &'s Value) -> Cursor<'s>
    where
        'v: 's,
    {
        Cursor { value, trail: self.trail.clone(), diagnostics: self.diagnostics }
    }

    /// Records a problem here. Returns `None`, so that a reader can end with it.
    pub fn problem<T>(&self, message: impl Into<String>) -> Option<T> {
        self.diagnostics.push(Problem { path: self.path(), message: message.into() });
        None
    }

    /// Records a warning here: what is written is accepted, and does not do what its author means.
    pub fn warning(&self, id: &'static str, message: impl Into<String>) {
        self.diagnostics.warn(Warning { id, path: self.path(), message: message.into() });
    }

    /// A hash of the whole document as it came (FNV-1a of 64 bits, by words of eight bytes): which configuration is in force,
    /// and no protection against who wants two to look the same.
    pub fn document_hash(&self) -> u64 {
        self.diagnostics.hash
    }

    /// Takes all warnings of the document.
    pub fn take_warnings(&self) -> Vec<Warning> {
        self.diagnostics.take_warnings()
    }

    /// From now on problems are set aside, or refuse the document again: what is set aside is a warning with the id
    /// [`Diagnostics::QUARANTINED`], and the reader does without what it is about. It counts as a problem all the same.
    pub fn set_aside(&self, set_aside: bool) {
        self.diagnostics.set_aside(set_aside);
    }

    /// How many of the problems so far refuse the document: those that were not set aside.
    pub fn refusals(&self) -> usize {
        self.diagnostics.refusals()
    }

    #[inline(never)]
    fn child(&self, value: &'v Value, step: Step<'v>) -> Self {
        Self { value, trail: Some(Rc::new(Trail { parent: self.trail.clone(), step })), diagnostics: self.diagnostics }
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        self.problem(format!("expected {what}, found {}", self.value.kind()))
    }

    /// Reads an object. Repeated keys are problems; the first value counts.
    #[inline(never)]
    pub fn object(&self) -> Option<Fields<'v>> {
        let Value::Object(entries) = self.value else { return self.expected("an object") };
        let mut taken = vec![false; entries.len()];
        let mut seen = SeenKeys::of(entries.len());
        for (((key, value), taken), before) in entries.iter().zip(&mut taken).zip(0usize..) {
            if seen.repeats(key, entries.get(..before).unwrap_or_default()) {
                self.child(value, Step::Key(key)).problem::<()>("key is given twice");
                *taken = true;
            }
        }
        // Most objects may have about that many.
        Some(Fields { cursor: self.clone(), entries, taken, names: Vec::with_capacity(12) })
    }

    /// Reads an object whose keys are data, such as labels.
    #[inline(never)]
    pub fn map(&self) -> Option<Vec<(&'v str, Cursor<'v>)>> {
        let fields = self.object()?;
        Some(fields.entries.iter().map(|(key, value)| (key.as_str(), self.child(value, Step::Key(key)))).collect())
    }

    /// Reads a list.
    #[inline(never)]
    pub fn list(&self) -> Option<Vec<Cursor<'v>>> {
        let Value::Array(items) = self.value else { return self.expected("a list") };
        Some(items.iter().enumerate().map(|(index, item)| self.child(item, Step::Index(index))).collect())
    }

    /// Reads a list with one reader for each item; items with problems are left out.
    pub fn each<T>(&self, mut read: impl FnMut(Cursor<'v>) -> Option<T>) -> Vec<T> {
        let mut read_items = Vec::new();
        for item in self.list().unwrap_or_default() {
            read_items.extend(read(item));
        }
        read_items
    }

    /// Reads a string.
    pub fn string(&self) -> Option<&'v str> {
        match self.value {
            Value::String(text) => Some(text),
            _ => self.expected("a string"),
        }
    }

    /// Reads a string that is not empty.
    #[inline(never)]
    pub fn text(&self) -> Option<&'v str> {
        match self.string()? {
            "" => self.problem("must not be empty"),
            text => Some(text),
        }
    }

    /// Reads a list of strings.
    #[inline(never)]
    pub fn strings(&self) -> Vec<&'v str> {
        self.each(|item| item.string())
    }

    /// Reads a boolean.
    pub fn bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(*value),
            _ => self.expected("`true` or `false`"),
        }
    }

    /// Reads a whole number between `low` and `high`, both included.
    #[inline(never)]
    pub fn integer(&self, low: u64, high: u64) -> Option<u64> {
        let found = match self.value {
            Value::Number(number) => number.as_u64(),
            _ => return self.expected("a whole number"),
        };
        match found {
            Some(value) if (low..=high).contains(&value) => Some(value),
            _ if low == high => self.problem(format!("expected `{low}`")),
            _ => self.problem(format!("expected a whole number from {low} to {high}")),
        }
    }

    /// Reads one word of a fixed set. Where `off` is one of them, so is `false`: that is what Envoy and Kubernetes make of
    /// `off` in YAML without quotes.
    pub fn word<T: Clone>(&self, words: &[(&str, T)]) -> Option<T> {
        if self.value() == &Value::Bool(false)
            && let Some((_, value)) = words.iter().find(|(word, _)| word.eq_ignore_ascii_case("off"))
        {
            return Some(value.clone());
        }
        let text = self.string()?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(value.clone());
        }
        self.unknown_word(text, &mut words.iter().map(|(word, _)| *word))
    }

    /// One for all kinds of words.
    fn unknown_word<T>(&self, text: &str, words: &mut dyn Iterator<Item = &str>) -> Option<T> {
        let mut message = format!("`{text}` is not one of ");
        for (index, word) in words.enumerate() {
            message.push_str(if index == 0 { "`" } else { ", `" });
            message.push_str(word);
            message.push('`');
        }
        self.problem(message)
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// The fields of one object, taken one by one; what is left at the end is unknown.
#[derive(Debug)]
pub struct Fields<'v> {
    cursor: Cursor<'v>,
    entries: &'v [(String, Value)],
    taken: Vec<bool>,
    /// The names of fields that this object may have, as far as they were taken.
    names: Vec<&'static str>,
}

impl<'v> Fields<'v> {
    /// The object itself.
    pub fn cursor(&self) -> &Cursor<'v> {
        &self.cursor
    }

    /// Takes a field; `null` counts as absent.
    #[inline(never)]
    pub fn take(&mut self, name: &'static str) -> Option<Cursor<'v>> {
        self.names.push(name);
        let place = self.entries.iter().position(|(key, _)| key == name)?;
        if let Some(flag) = self.taken.get_mut(place) {
            *flag = true;
        }
        let (key, value) = self.entries.get(place)?;
        if *value == Value::Null {
            return None;
        }
        Some(self.cursor.child(value, Step::Key(key)))
    }

    /// Takes a field that must be there.
    pub fn require(&mut self, name: &'static str) -> Option<Cursor<'v>> {
        match self.take(name) {
            Some(field) => Some(field),
            None => self.cursor.problem(format!("`{name}` is missing")),
        }
    }

    /// Takes and ignores fields that others own, such as Kubernetes metadata.
    pub fn ignore(&mut self, names: &[&'static str]) {
        for name in names {
            let _ = self.take(name);
        }
    }

    /// Ends the reading: every field not taken is a problem.
    #[inline(never)]
    pub fn finish(self) {
        for ((key, value), taken) in self.entries.iter().zip(&self.taken) {
            if *taken {
                continue;
            }
            let at = self.cursor.child(value, Step::Key(key));
            let _: Option<()> = match nearest(key, &self.names) {
                Some(name) => at.problem(format!("unknown field; did you mean `{name}`?")),
                None => at.problem("unknown field"),
            };
        }
    }
}

#[cfg(test)]
mod tests;
