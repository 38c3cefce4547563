//! YAML and JSON texts. A key given twice is an error wherever Weir reads the document: of `action: DENY` and
//! `action: ALLOW` none may win in silence.

mod place;

use super::path::{in_document, steps};
use super::scalar;
use super::separator::{self, Separated};
use super::tree::{Budget, Field, Kind, Node, Position};
use place::Place;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// How deep a document may be nested, as the filters have it for JSON.
const DEPTH: usize = 127;

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where; `None` if that is not known.
    pub(crate) at: Option<Position>,
    pub(crate) message: String,
}

/// One document of a text.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) value: Value,
    /// Keys that are given twice, and where the second one stands. The first counts.
    pub(crate) repeated: Vec<Fault>,
    /// Those of them that tell what an object or a document is. For kubectl the last counts, so that what Weir passes over may
    /// be a policy.
    pub(crate) ambiguous: Vec<Fault>,
    /// Where a merge key `<<` stands, which Envoy does not know.
    pub(crate) merge: Option<Position>,
    positions: Positions,
}

/// Where the values of a document stand.
#[derive(Debug)]
enum Positions {
    Known(Rc<Node>),
    /// The document is a JSON text, whose positions are looked for when they are asked for.
    Json {
        text: String,
        node: OnceCell<Option<Rc<Node>>>,
    },
}

impl Document {
    /// Where the value at a JSON path begins; of one that is not there, the nearest one around it.
    pub(crate) fn position(&self, path: &str) -> Position {
        let node = match &self.positions {
            Positions::Known(node) => Some(node),
            Positions::Json { text, node } => {
                node.get_or_init(|| Reader::new(text).document().ok().flatten()?.node()).as_ref()
            }
        };
        node.map_or(Position { line: 1, column: 1 }, |node| node.find(steps(in_document(path))))
    }

    /// Where the text stands that a JSON path leads into, if it is a block of lines, and where in it the path ends: a file in a
    /// ConfigMap, or JSON that a plugin is given as a text.
    pub(crate) fn embedded(&self, path: &str) -> Option<(Position, Position)> {
        let Positions::Known(node) = &self.positions else { return None };
        let mut steps = steps(in_document(path)).peekable();
        let (text, at) = node.text(&mut steps)?;
        let inner = Reader::new(text).document().ok()??.node()?;
        // The parser says where the first line stands that is not blank.
        let blank = text.chars().take_while(|char| *char == '\n').count();
        Some((Position { line: at.line.checked_sub(blank)?, ..at }, inner.find(steps)))
    }

    fn node(self) -> Option<Rc<Node>> {
        match self.positions {
            Positions::Known(node) => Some(node),
            Positions::Json { .. } => None,
        }
    }

    /// What keeps Weir from reading the document: its repeated keys, and merge keys in what Envoy reads.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let for_envoy = self.value.is_object() && !["kind", "schema"].iter().any(|key| self.value.get(key).is_some());
        let merge = self.merge.filter(|_| for_envoy).map(|at| Fault {
            at: Some(at),
            message: "Envoy knows no merge key `<<`: write the fields out".to_owned(),
        });
        self.repeated.iter().cloned().chain(merge).collect()
    }
}

/// Every document of a YAML or JSON text but the empty ones, and what ended the reading.
pub(super) fn documents(text: &str, budget: &mut Budget) -> (Vec<Document>, Option<Fault>) {
    // A byte order mark is none of YAML's documents.
    let text = text.trim_start_matches('\u{feff}');
    if let Some(document) = strict(text) {
        return (vec![document], None);
    }
    if let Some(fault) = separator::foreign_break(text) {
        return (Vec::new(), Some(fault));
    }
    let Separated { text, end } = Separated::of(text);
    let mut reader = Reader { budget: std::mem::take(budget), ..Reader::new(&text) };
    let read = read_documents(&mut reader, end);
    *budget = reader.budget;
    read
}

fn read_documents(reader: &mut Reader<'_>, end: Option<Fault>) -> (Vec<Document>, Option<Fault>) {
    let mut found = Vec::new();
    loop {
        match reader.document() {
            Ok(None) => return (found, end),
            Ok(Some(document)) if document.value.is_null() => {}
            Ok(Some(document)) => found.push(document),
            Err(fault) => return (found, Some(fault)),
        }
    }
}

/// The only document of a YAML or JSON text.
///
/// # Errors
/// What is wrong with it, without the name of the file.
pub(crate) fn one(text: &str) -> Result<Value, String> {
    let (mut documents, fault) = documents(text, &mut Budget::default());
    let fault = fault.or_else(|| documents.iter().flat_map(Document::faults).next());
    match (fault, documents.pop(), documents.len()) {
        (Some(fault), ..) => Err(fault.in_words()),
        (None, Some(document), 0) => Ok(document.value),
        (None, None, _) => Err("it is empty".to_owned()),
        (None, Some(_), others) => Err(format!("it has {} documents, and one is needed", others + 1)),
    }
}

/// JSON as the filters read it.
///
/// # Errors
/// As [`one`].
pub(crate) fn json(text: &str) -> Result<Value, String> {
    let value: weir_config::Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let mut repeated = Vec::new();
    let value = once(value, &mut repeated);
    match repeated.into_iter().next() {
        Some(key) => Err(format!("not JSON: key `{key}` is given twice")),
        None => Ok(value),
    }
}

impl Fault {
    /// Place and message.
    pub(crate) fn in_words(&self) -> String {
        match self.at {
            Some(Position { line, column }) => format!("line {line}, column {column}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// A text that is JSON. It is not read as YAML, which has other escapes and numbers; but its positions are.
fn strict(text: &str) -> Option<Document> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let value: weir_config::Value = serde_json::from_str(text).ok()?;
    let mut names = Vec::new();
    let value = once(value, &mut names);
    // Where the repeated keys are, the reader of YAML tells.
    let read = if names.is_empty() { None } else { Reader::new(text).document().ok().flatten() };
    let (mut repeated, mut ambiguous) =
        read.map(|document| (document.repeated, document.ambiguous)).unwrap_or_default();
    if repeated.is_empty() {
        repeated.extend(names.iter().map(|name| Fault { at: None, message: twice(name) }));
        ambiguous.clone_from(&repeated);
    }
    let positions = Positions::Json { text: text.to_owned(), node: OnceCell::new() };
    Some(Document { value, repeated, ambiguous, merge: None, positions })
}

fn twice(key: &str) -> String {
    format!("key `{key}` is given twice")
}

/// The value without repeated keys, whose names are added to `repeated`.
fn once(value: weir_config::Value, repeated: &mut Vec<String>) -> Value {
    use weir_config::Value as Json;
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => value.into(),
        Json::Number(number) => Value::Number(number),
        Json::String(text) => text.into_owned().into(),
        Json::Array(items) => items.into_iter().map(|item| once(item, repeated)).collect(),
        Json::Object(fields) => {
            let mut map = Map::new();
            for (key, value) in fields {
                let value = once(value, repeated);
                match map.contains_key(&*key) {
                    true => repeated.push(key.into_owned()),
                    false => drop(map.insert(key.into_owned(), value)),
                }
            }
            Value::Object(map)
        }
    }
}

/// Reads the documents of a text one by one.
struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Rc<Node>>,
    repeated: Vec<Fault>,
    ambiguous: Vec<Fault>,
    merge: Option<Position>,
    /// How many values of the document are written.
    written: usize,
    budget: Budget,
}

fn position(mark: Marker) -> Position {
    Position { line: mark.line(), column: mark.col() + 1 }
}

fn fault(span: Span, message: impl Into<String>) -> Fault {
    Fault { at: Some(position(span.start)), message: message.into() }
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            parser: Parser::new_from_str(text),
            anchors: HashMap::new(),
            repeated: Vec::new(),
            ambiguous: Vec::new(),
            merge: None,
            written: 0,
            budget: Budget::default(),
        }
    }

    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Fault> {
        match self.parser.next() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event)),
            Some(Err(error)) => {
                Err(Fault { at: Some(position(*error.marker())), message: format!("not YAML: {}", error.info()) })
            }
        }
    }

    /// The next document; `None` at the end.
    fn document(&mut self) -> Result<Option<Document>, Fault> {
        loop {
            match self.next()? {
                None | Some((Event::StreamEnd, _)) => return Ok(None),
                Some((Event::DocumentStart(_), _)) => break,
                Some(_) => {}
            }
        }
        self.anchors.clear();
        self.written = 0;
        let Some((event, span)) = self.next()? else { return Ok(None) };
        let node = self.node(event, span, Place::ROOT)?;
        let value =
            node.value(self.written, &mut self.budget).map_err(|message| Fault { at: Some(node.at), message })?;
        let (repeated, ambiguous) = (std::mem::take(&mut self.repeated), std::mem::take(&mut self.ambiguous));
        let merge = self.merge.take();
        Ok(Some(Document { value, repeated, ambiguous, merge, positions: Positions::Known(node) }))
    }

    fn node(&mut self, event: Event<'t>, span: Span, place: Place) -> Result<Rc<Node>, Fault> {
        if place.depth() > DEPTH {
            return Err(fault(span, format!("nested more than {DEPTH} deep")));
        }
        let at = position(span.start);
        let (kind, anchor) = match event {
            Event::Alias(id) => {
                let known = self.anchors.get(&id).map(Rc::clone);
                return known.ok_or_else(|| fault(span, "an alias of what is around it, or of nothing"));
            }
            Event::Scalar(text, style, anchor, tag) => (Kind::Scalar(tagged(text, style, tag.as_deref())), anchor),
            Event::SequenceStart(anchor, _) => (Kind::List(self.list(place)?), anchor),
            Event::MappingStart(anchor, _) => (Kind::Map(self.map(place)?), anchor),
            _ => return Err(fault(span, "not YAML: a value is missing")),
        };
        self.written += 1;
        let node = Rc::new(Node { at, kind });
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    fn list(&mut self, place: Place) -> Result<Vec<Rc<Node>>, Fault> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            items.push(self.node(event, span, place.inside(None))?);
        }
        Ok(items)
    }

    fn map(&mut self, place: Place) -> Result<Vec<Field>, Fault> {
        let (mut fields, mut merged) = (Vec::<Field>::new(), Vec::<(Position, Rc<Node>)>::new());
        let mut seen = HashSet::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let at = position(span.start);
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let is_plain = matches!(&event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let Event::Scalar(text, ..) = &event else {
                return Err(fault(span, "a key that is not a text"));
            };
            let key = if is_plain { scalar::key(text) } else { text.to_string() };
            // The key may be anchored.
            self.node(event, span, place.inside(Some("")))?;
            let Some((event, span)) = self.next()? else { break };
            let value = self.node(event, span, place.inside(Some(&key)))?;
            if is_merge {
                self.merge.get_or_insert(at);
                // For kubectl a merge takes the place of the keys before it.
                let hidden = fields.iter().map(|field| field.key.as_str()).filter(|key| value.is_merging(key));
                let hidden: Vec<String> = hidden.map(str::to_owned).collect();
                for key in hidden {
                    let message = format!("key `{key}` stands before `<<`, which has it too: write `<<` first");
                    self.repeat(place, &key, Fault { at: Some(at), message });
                }
                if !merged.is_empty() {
                    self.repeat(place, place::KIND, Fault { at: Some(at), message: twice("<<") });
                }
                merged.push((at, value));
            } else if !seen.insert(key.clone()) {
                self.repeat(place, &key, Fault { at: Some(at), message: twice(&key) });
            } else {
                fields.push(Field { key, at, value });
            }
        }
        for (at, value) in merged {
            let merged = self.merge(&mut fields, &mut seen, &value);
            merged.map_err(|message| Fault { at: Some(at), message })?;
        }
        Ok(fields)
    }

    /// Notes a key that is given twice.
    fn repeat(&mut self, place: Place, key: &str, fault: Fault) {
        if place.decides(key) {
            self.ambiguous.push(fault.clone());
        }
        self.repeated.push(fault);
    }

    /// Adds the fields of what is merged that are not there yet.
    fn merge(&mut self, fields: &mut Vec<Field>, seen: &mut HashSet<String>, value: &Node) -> Result<(), String> {
        let wrong = || "`<<` merges a mapping, or a list of them".to_owned();
        match &value.kind {
            Kind::Map(more) => {
                // Those that are there already take time, too.
                self.budget.spend(more.len())?;
                for field in more {
                    if seen.insert(field.key.clone()) {
                        fields.push(field.clone());
                    }
                }
                Ok(())
            }
            Kind::List(items) => items.iter().try_for_each(|item| match &item.kind {
                Kind::Map(_) => self.merge(fields, seen, item),
                _ => Err(wrong()),
            }),
            Kind::Scalar(_) => Err(wrong()),
        }
    }
}

/// The value of a scalar with its style and tag. A tag that is not YAML's own says nothing here.
fn tagged(text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    match (core, style) {
        (Some("str" | "binary"), _) | (None, _) if style != ScalarStyle::Plain => text.into_owned().into(),
        (Some("str" | "binary"), _) => text.into_owned().into(),
        _ => scalar::plain(&text),
    }
}

#[cfg(test)]
mod tests;
