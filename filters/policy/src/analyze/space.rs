//! What requests can differ in: places that do not depend on each other, and what clauses ask of each.
//!
//! Several fields may look at one place: the peer's name is read for principals, namespaces, service accounts and trust
//! domains, and the path for `paths` and for the header `:path`. So a request is a choice for each place, and whether a rule
//! matches is a formula over *questions*, each about one place. Equal questions of all rules are one.

use super::language::Language;
use crate::RequestField;
use crate::config::object::Field;
use std::collections::HashMap;
use std::rc::Rc;
use weir_matching::{PathParameters, Pattern};

/// A place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    Path,
    Host,
    Method,
    /// A header by its name in lower case.
    Header(Box<str>),
    Peer,
    DirectAddress,
    RemoteAddress,
    DestinationAddress,
    DestinationPort,
    ServerName,
    /// All claims of the request's JWT: a claim that is an object is none with a text.
    Claims,
    /// A value of another filter's metadata.
    Metadata {
        filter: Box<str>,
        key: Box<str>,
    },
    /// What Envoy makes of an expression in CEL, by its text. It is taken for a place of its own, though an expression looks
    /// at others.
    Expression(Box<str>),
}

/// How a question looks at its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// As it is.
    Text,
    /// In lower case.
    Lower,
    /// A path without its query.
    Path(PathParameters),
    Principal,
    Namespace,
    ServiceAccount,
    TrustDomain,
    RequestPrincipal,
    /// A claim by the names that lead to it.
    Claim(Box<[Box<str>]>),
}

/// The number of a place.
pub(super) type PlaceId = usize;

/// The number of a question.
pub(super) type QuestionId = u32;

/// A question and whether it is to be answered with yes.
pub(super) type Answered = (QuestionId, bool);

/// Whether a value of the place matches one of the patterns.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) place: PlaceId,
    pub(super) view: View,
    /// Ascending.
    pub(super) patterns: Rc<[Pattern]>,
    pub(super) language: Rc<Language>,
}

/// All places and questions.
#[derive(Debug, Default)]
pub(super) struct Space {
    pub(super) places: Vec<Place>,
    questions: Vec<Question>,
    numbers: HashMap<(PlaceId, View, Rc<[Pattern]>), QuestionId>,
    /// Whether all names of a peer are seen, and not only one.
    pub(super) has_several_names: bool,
    /// Whether there are paths that the filter cannot read.
    pub(super) has_unclear_paths: bool,
}

impl Space {
    /// The question whether `field` has a value that matches one of the patterns.
    pub(super) fn question(&mut self, field: &Field, parameters: PathParameters, patterns: &[Pattern]) -> QuestionId {
        let (place, view) = place(field, parameters);
        self.intern(place, view, patterns)
    }

    /// The same about the place of `field`, which is looked at in that way.
    pub(super) fn question_of(&mut self, field: &Field, view: &View, patterns: &[Pattern]) -> QuestionId {
        let (place, _) = place(field, PathParameters::Compared);
        self.intern(place, view.clone(), patterns)
    }

    /// The question whether an expression comes to `true`, or whether to `false`: one that fails comes to neither.
    pub(super) fn expression(&mut self, text: &str, to: bool) -> QuestionId {
        let word = if to { "true" } else { "false" };
        self.intern(Place::Expression(text.into()), View::Text, &[Pattern::Exact(word.as_bytes().into())])
    }

    fn intern(&mut self, place: Place, view: View, patterns: &[Pattern]) -> QuestionId {
        let place = self.place(place);
        let mut patterns = patterns.to_vec();
        patterns.sort_unstable();
        patterns.dedup();
        let patterns: Rc<[Pattern]> = patterns.into();
        let key = (place, view, patterns);
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = u32::try_from(self.questions.len()).unwrap_or(u32::MAX);
        let (place, view, patterns) = key.clone();
        let language = Rc::new(Language::new(&view, &patterns));
        self.questions.push(Question { place, view, patterns, language });
        self.numbers.insert(key, number);
        number
    }

    /// The number of a place.
    pub(super) fn place(&mut self, place: Place) -> PlaceId {
        let known = self.places.iter().position(|known| *known == place);
        known.unwrap_or_else(|| {
            self.places.push(place);
            self.places.len() - 1
        })
    }

    /// The field of a request that a place is.
    pub(super) fn field(&self, place: PlaceId) -> Option<RequestField> {
        Some(match self.places.get(place)? {
            Place::Path => RequestField::Path,
            Place::Host => RequestField::Host,
            Place::Method => RequestField::Method,
            Place::Header(name) => RequestField::Header(name.clone()),
            Place::Peer => RequestField::Principal,
            Place::DirectAddress => RequestField::DirectAddress,
            Place::RemoteAddress => RequestField::RemoteAddress,
            Place::DestinationAddress => RequestField::DestinationAddress,
            Place::DestinationPort => RequestField::DestinationPort,
            Place::ServerName => RequestField::ServerName,
            Place::Claims => RequestField::Claims,
            Place::Metadata { filter, key } => RequestField::MetadataValue { filter: filter.clone(), key: key.clone() },
            Place::Expression(text) => RequestField::Expression(text.clone()),
        })
    }

    /// Whether a question is about what an expression comes to.
    pub(super) fn is_of_expression(&self, question: QuestionId) -> bool {
        let place = self.get(question).and_then(|question| self.places.get(question.place));
        matches!(place, Some(Place::Expression(_)))
    }

    pub(super) fn get(&self, number: QuestionId) -> Option<&Question> {
        self.questions.get(usize::try_from(number).ok()?)
    }
}

fn place(field: &Field, parameters: PathParameters) -> (Place, View) {
    match field {
        Field::Path => (Place::Path, View::Path(parameters)),
        Field::Host => (Place::Host, View::Lower),
        Field::Method => (Place::Method, View::Text),
        Field::Header(name) => match &**name {
            ":path" => (Place::Path, View::Text),
            ":authority" => (Place::Host, View::Text),
            ":method" => (Place::Method, View::Text),
            _ => (Place::Header(name.clone()), View::Text),
        },
        Field::Principal => (Place::Peer, View::Principal),
        Field::Namespace => (Place::Peer, View::Namespace),
        Field::ServiceAccount => (Place::Peer, View::ServiceAccount),
        Field::TrustDomain => (Place::Peer, View::TrustDomain),
        Field::DirectAddress => (Place::DirectAddress, View::Text),
        Field::RemoteAddress => (Place::RemoteAddress, View::Text),
        Field::DestinationAddress => (Place::DestinationAddress, View::Text),
        Field::DestinationPort => (Place::DestinationPort, View::Text),
        Field::ServerName => (Place::ServerName, View::Text),
        Field::RequestPrincipal => (Place::Claims, View::RequestPrincipal),
        Field::Claim(path) => (Place::Claims, View::Claim(path.clone())),
        Field::Cel(cel) => (Place::Expression(cel.text.clone()), View::Text),
        Field::Metadata { filter, key } => (Place::Metadata { filter: filter.clone(), key: key.clone() }, View::Text),
    }
}
