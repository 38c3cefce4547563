//! A place in a document: the value, its path, and where problems go.

mod keys;
pub(crate) mod place;
mod taken;

use crate::Value;
use crate::diagnostics::Diagnostics;
use keys::{SeenKeys, nearest};
use std::borrow::Cow;
use taken::Taken;
use weir_model::{Problem, Warning};

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
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'v> {
    value: &'v Value<'v>,
    /// The value that paths begin at.
    root: &'v Value<'v>,
    diagnostics: &'v Diagnostics,
}

impl<'v> Cursor<'v> {
    /// The whole document.
    pub fn root(value: &'v Value<'v>, diagnostics: &'v Diagnostics) -> Self {
        Self { value, root: value, diagnostics }
    }

    /// The value itself.
    pub fn value(&self) -> &'v Value<'v> {
        self.value
    }

    /// How many problems the document has so far; compare before and after to know whether a part of it is sound.
    pub fn problems(&self) -> usize {
        self.diagnostics.len()
    }

    /// The JSON path, such as `$.policies[3].spec`. It is looked for when it is asked for: where all is well, none is.
    #[inline(never)]
    pub fn path(&self) -> String {
        self.diagnostics.places(|places| places.path(self.root, self.value))
    }

    /// The same place with another value: what is packed in this one.
    pub fn with<'s>(&self, value: &'s Value<'s>) -> Cursor<'s>
    where
        'v: 's,
    {
        let path = self.path();
        self.diagnostics.places(|places| places.pack(value, path));
        Cursor { value, root: value, diagnostics: self.diagnostics }
    }

    /// Records a problem here. Returns `None`, so that a reader can end with it.
    pub fn problem<T>(&self, message: impl Into<String>) -> Option<T> {
        self.diagnostics.push(|| Problem { path: self.path(), message: message.into() });
        None
    }

    /// Records a warning here: what is written is accepted, and does not do what its author means.
    pub fn warning(&self, id: &'static str, message: impl Into<String>) {
        self.diagnostics.warn(|| Warning { id, path: self.path(), message: message.into() });
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
    fn child(&self, value: &'v Value<'v>) -> Self {
        Self { value, ..*self }
    }

    fn expected<T>(&self, what: &str) -> Option<T> {
        self.problem(format!("expected {what}, found {}", self.value.kind()))
    }

    /// Reads an object. Repeated keys are problems; the first value counts.
    #[inline(never)]
    pub fn object(&self) -> Option<Fields<'v>> {
        let Value::Object(entries) = self.value else { return self.expected("an object") };
        let mut taken = Taken::new();
        let mut seen = SeenKeys::of(entries.len());
        for ((key, value), place) in entries.iter().zip(0usize..) {
            if seen.repeats(key, entries.get(..place).unwrap_or_default()) {
                self.child(value).problem::<()>("key is given twice");
                taken.take(place);
            }
        }
        Some(Fields { cursor: *self, entries, taken })
    }

    /// Reads an object whose keys are data, such as labels.
    #[inline(never)]
    pub fn map(&self) -> Option<Vec<(&'v str, Cursor<'v>)>> {
        let fields = self.object()?;
        Some(fields.entries.iter().map(|(key, value)| (&**key, self.child(value))).collect())
    }

    /// Reads a list.
    #[inline(never)]
    pub fn list(&self) -> Option<Vec<Cursor<'v>>> {
        Some(self.items()?.collect())
    }

    /// Reads a list item by item.
    pub fn items(&self) -> Option<impl ExactSizeIterator<Item = Cursor<'v>> + use<'_, 'v>> {
        Some(self.array()?.iter().map(|item| self.child(item)))
    }

    #[inline(never)]
    fn array(&self) -> Option<&'v [Value<'v>]> {
        match self.value {
            Value::Array(items) => Some(items),
            _ => self.expected("a list"),
        }
    }

    /// Reads a list with one reader for each item; items with problems are left out.
    pub fn each<T>(&self, mut read: impl FnMut(Cursor<'v>) -> Option<T>) -> Vec<T> {
        let items = self.array().unwrap_or_default();
        let mut read_items = Vec::with_capacity(items.len());
        for item in items {
            read_items.extend(read(self.child(item)));
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

/// The fields of one object, taken one by one; what is left at the end is unknown.
#[derive(Debug)]
pub struct Fields<'v> {
    cursor: Cursor<'v>,
    entries: &'v [(Cow<'v, str>, Value<'v>)],
    taken: Taken,
}

impl<'v> Fields<'v> {
    /// The object itself.
    pub fn cursor(&self) -> &Cursor<'v> {
        &self.cursor
    }

    /// How many fields there are, those that are given twice included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes a field; `null` counts as absent.
    #[inline(never)]
    pub fn take(&mut self, name: &'static str) -> Option<Cursor<'v>> {
        self.taken.name(name);
        let place = self.entries.iter().position(|(key, _)| key == name)?;
        self.taken.take(place);
        let (_, value) = self.entries.get(place)?;
        (!matches!(value, Value::Null)).then(|| self.cursor.child(value))
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
        for ((key, value), place) in self.entries.iter().zip(0usize..) {
            if self.taken.has(place) {
                continue;
            }
            let at = self.cursor.child(value);
            let _: Option<()> = match nearest(key, self.taken.names()) {
                Some(name) => at.problem(format!("unknown field; did you mean `{name}`?")),
                None => at.problem("unknown field"),
            };
        }
    }
}

#[cfg(test)]
mod tests;
