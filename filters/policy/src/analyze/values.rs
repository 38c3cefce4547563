//! A value for a place that answers all questions about it as they are to be answered, or a proof that there is none.

use super::address;
use super::domain::Domain;
use super::language::Language;
use super::lens::Lens;
use super::space::{Answered, Place, PlaceId, Question, Space, View};
use super::word::{self, Found, Track};
use crate::{CelOutcome, is_single_header};
use overlap::Overlap;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::rc::Rc;
use weir_matching::Pattern;
use weir_model::{Struct, StructValue};

mod claims;
mod guess;
mod overlap;

/// What a request has in a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Absent,
    /// One text, or all values of a header, or all names of the peer.
    Texts(Vec<String>),
    Address(IpAddr),
    Port(u16),
    Claims(Struct),
    Metadata(StructValue),
    Expression(CelOutcome),
}

/// The two forms of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// With a path, and any method but CONNECT.
    Plain,
    /// CONNECT, which has no path.
    Connect,
}

const CONNECT: &str = "CONNECT";

/// How many results are remembered.
const REMEMBERED: usize = 200_000;

/// The results so far.
#[derive(Debug, Default)]
pub(super) struct Values {
    known: HashMap<(PlaceId, Form, Vec<Answered>), Found<Rc<Value>>>,
}

impl Values {
    /// A value of `place` for a request of that form. `answered` is ascending and about that place alone.
    pub(super) fn find(
        &mut self,
        space: &Space,
        place: PlaceId,
        form: Form,
        answered: &[Answered],
    ) -> Found<Rc<Value>> {
        let key = (place, form, answered.to_vec());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let found = match space.places.get(place) {
            Some(place) => Asked::new(space, answered).value(place, form),
            None => Found::None,
        };
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let found = match found {
            Found::Some(value) => Found::Some(Rc::new(value)),
            Found::None => Found::None,
            Found::Unknown => Found::Unknown,
        };
        self.known.insert(key, found.clone());
        found
    }
}

/// Questions about one place.
struct Asked<'s> {
    space: &'s Space,
    musts: Vec<&'s Question>,
    nevers: Vec<&'s Question>,
    is_contradiction: bool,
}

impl<'s> Asked<'s> {
    fn new(space: &'s Space, answered: &[Answered]) -> Self {
        let of = |wanted: bool| {
            let wanted = answered.iter().filter(move |(_, answer)| *answer == wanted);
            wanted.filter_map(|(number, _)| space.get(*number)).collect()
        };
        let mut numbers = BTreeSet::new();
        let is_contradiction = !answered.iter().all(|(number, _)| numbers.insert(number));
        Self { space, musts: of(true), nevers: of(false), is_contradiction }
    }

    fn value(&self, place: &Place, form: Form) -> Found<Value> {
        if self.is_contradiction {
            return Found::None;
        }
        match (place, form) {
            (Place::Path, Form::Connect) => self.absent(),
            (Place::Path, Form::Plain) => self.one(self.path_domain(), place),
            (Place::Host, _) => self.one(Domain::Host, place),
            (Place::Method, Form::Connect) => self.among(&[CONNECT]),
            (Place::Method, Form::Plain) => self.method(place),
            (Place::Header(name), _) if &**name == ":scheme" => self.among(&["http", "https"]),
            (Place::Header(name), _) => self.or_absent(Domain::Header, place, !is_single_header(name)),
            (Place::Peer, _) if self.space.has_several_names => self.or_absent(Domain::NameOfSeveral, place, true),
            (Place::Peer, _) => self.or_absent(Domain::Name, place, false),
            (Place::ServerName, _) => self.or_absent(Domain::ServerName, place, false),
            (Place::DirectAddress | Place::RemoteAddress | Place::DestinationAddress, _) => {
                let musts: Vec<&[Pattern]> = self.musts.iter().map(|question| &*question.patterns).collect();
                let nevers = self.nevers.iter().flat_map(|question| question.patterns.iter());
                address::find(&musts, nevers).map_or(Found::None, |address| Found::Some(Value::Address(address)))
            }
            (Place::DestinationPort, _) => self.port(),
            (Place::Claims, _) => self.claims(),
            (Place::Metadata { filter, .. }, _) => self.metadata(place, filter),
            (Place::Expression(_), _) => self.expression(),
        }
    }

    /// Nothing is there, so no question is answered with yes.
    fn absent(&self) -> Found<Value> {
        if self.musts.is_empty() { Found::Some(Value::Absent) } else { Found::None }
    }

    fn one(&self, domain: Domain, place: &Place) -> Found<Value> {
        match self.text(domain, place, &self.musts) {
            Found::Some(text) => Found::Some(Value::Texts(vec![text])),
            Found::None => Found::None,
            Found::Unknown => Found::Unknown,
        }
    }

    fn or_absent(&self, domain: Domain, place: &Place, may_be_several: bool) -> Found<Value> {
        if self.musts.is_empty() {
            return self.absent();
        }
        match self.several(domain, place, may_be_several) {
            Found::Some(texts) => Found::Some(Value::Texts(texts)),
            Found::None => Found::None,
            Found::Unknown => Found::Unknown,
        }
    }

    /// One text that answers all, or else one for each question.
    fn several(&self, domain: Domain, place: &Place, may_be_several: bool) -> Found<Vec<String>> {
        let together = self.text(domain, place, &self.musts);
        match together {
            Found::Some(text) => return Found::Some(vec![text]),
            found if !may_be_several || self.musts.len() < 2 => {
                return if found == Found::Unknown { Found::Unknown } else { Found::None };
            }
            Found::None | Found::Unknown => {}
        }
        let mut texts = Vec::new();
        for must in &self.musts {
            match self.text(domain, place, std::slice::from_ref(must)) {
                Found::Some(text) => texts.push(text),
                Found::None => return Found::None,
                Found::Unknown => return Found::Unknown,
            }
        }
        texts.sort();
        texts.dedup();
        Found::Some(texts)
    }

    /// A text that answers these questions with yes, and those that are to be answered with no.
    fn text(&self, domain: Domain, place: &Place, musts: &[&Question]) -> Found<String> {
        let track = |question: &Question, language: Rc<Language>, is_must: bool| Track {
            language,
            lens: lens(question),
            is_must,
        };
        let mut tracks: Vec<Track> = musts.iter().map(|must| track(must, Rc::clone(&must.language), true)).collect();
        for never in &self.nevers {
            match overlap::with(never, musts) {
                Overlap::All => return Found::None,
                Overlap::Some => tracks.push(track(never, Rc::clone(&never.language), false)),
                Overlap::Few(patterns) => {
                    tracks.push(track(never, Rc::new(Language::new(&never.view, &patterns)), false));
                }
                Overlap::None => {}
            }
        }
        word::find(domain, &tracks, &guess::guesses(place, musts))
    }

    fn method(&self, place: &Place) -> Found<Value> {
        let patterns: Rc<[Pattern]> = [Pattern::Exact(CONNECT.as_bytes().into())].into();
        let language = Rc::new(Language::new(&View::Text, &patterns));
        let connect = Question { place: PlaceId::MAX, view: View::Text, patterns, language };
        let Self { space, musts, nevers, .. } = self;
        let nevers = nevers.iter().copied().chain([&connect]).collect();
        Asked { space, musts: musts.clone(), nevers, is_contradiction: false }.one(Domain::Method, place)
    }

    /// One of these texts.
    fn among(&self, texts: &[&str]) -> Found<Value> {
        let is_hit =
            |question: &Question, text: &str| question.patterns.iter().any(|pattern| pattern.matches(text.as_bytes()));
        let fits = |text: &&&str| {
            self.musts.iter().all(|must| is_hit(must, text)) && !self.nevers.iter().any(|never| is_hit(never, text))
        };
        let found = texts.iter().find(fits).map(|text| Value::Texts(vec![(*text).to_owned()]));
        found.map_or(Found::None, Found::Some)
    }

    /// Ports are compared as they are written.
    fn port(&self) -> Found<Value> {
        let ports = |question: &Question| -> BTreeSet<u16> {
            let port = |pattern: &Pattern| match pattern {
                Pattern::Exact(text) => std::str::from_utf8(text).ok()?.parse::<u16>().ok(),
                _ => None,
            };
            question.patterns.iter().filter_map(port).collect()
        };
        let musts: Vec<BTreeSet<u16>> = self.musts.iter().map(|question| ports(question)).collect();
        let nevers: BTreeSet<u16> = self.nevers.iter().flat_map(|question| ports(question)).collect();
        let fits = |port: &u16| musts.iter().all(|ports| ports.contains(port)) && !nevers.contains(port);
        let found = [8080, 80].into_iter().chain(1..=u16::MAX).chain([0]).find(fits);
        found.map_or(Found::None, |port| Found::Some(Value::Port(port)))
    }

    fn metadata(&self, place: &Place, filter: &str) -> Found<Value> {
        if self.musts.is_empty() {
            return self.absent();
        }
        if filter == "envoy.filters.http.jwt_authn" {
            // It holds the claims, which other questions may be about.
            return Found::Unknown;
        }
        let unmarked = |text: &String| StructValue::Text(text.chars().skip(1).collect());
        let text = self.several(Domain::MetadataText, place, false);
        if let Found::Some(texts) = &text {
            return Found::Some(Value::Metadata(texts.first().map_or(StructValue::Null, unmarked)));
        }
        match (self.several(Domain::MetadataItem, place, true), text) {
            (Found::Some(items), _) => {
                Found::Some(Value::Metadata(StructValue::List(items.iter().map(unmarked).collect())))
            }
            (Found::None, Found::None) => Found::None,
            _ => Found::Unknown,
        }
    }

    /// What an expression comes to; that it fails is tried last.
    fn expression(&self) -> Found<Value> {
        for (word, outcome) in [("false", CelOutcome::False), ("true", CelOutcome::True), ("", CelOutcome::Error)] {
            if self.among(&[word]) != Found::None {
                return Found::Some(Value::Expression(outcome));
            }
        }
        Found::None
    }

    fn path_domain(&self) -> Domain {
        use weir_matching::PathParameters::Unclear;
        let is_unclear = |question: &&Question| question.view == View::Path(Unclear);
        let mut asked = self.musts.iter().chain(&self.nevers).copied();
        if self.space.has_unclear_paths || asked.any(|question| is_unclear(&question)) {
            Domain::ReadablePath
        } else {
            Domain::Path
        }
    }
}

/// What a question compares of the text in its place.
fn lens(question: &Question) -> Lens {
    match &question.view {
        View::Lower => Lens::Lower,
        View::Path(parameters) => Lens::of_path(*parameters),
        View::Text
        | View::Principal
        | View::Namespace
        | View::ServiceAccount
        | View::TrustDomain
        | View::RequestPrincipal
        | View::Claim(_) => Lens::Whole,
    }
}

#[cfg(test)]
mod tests;
