//! The claims of a JWT.
//!
//! A request principal is two claims that are strings, `iss` and `sub`; rules may look at these claims by name, too. A claim
//! that is a string or a list has no claims inside, and one that has some is neither. Any set of strings can be the values of
//! a claim: as a list.

use super::super::domain::Domain;
use super::super::lens::Lens;
use super::super::space::{Place, Question, View};
use super::super::word::{self, Found, Track};
use super::{Asked, Value};
use std::collections::BTreeMap;
use std::rc::Rc;
use weir_model::{Struct, StructValue};

/// Claims that are taken apart at spaces, as Istio configures Envoy's JWT filter.
const SPACE_DELIMITED: [&str; 2] = ["scope", "permission"];

/// The names that lead to a claim.
type Path<'s> = &'s [Box<str>];

/// What is asked of one claim.
#[derive(Default)]
struct OfClaim<'s> {
    musts: Vec<&'s Question>,
    nevers: Vec<&'s Question>,
}

impl<'s> Asked<'s> {
    pub(super) fn claims(&self) -> Found<Value> {
        if self.musts.is_empty() {
            return self.absent();
        }
        let mut claims: BTreeMap<Path<'s>, OfClaim<'s>> = BTreeMap::new();
        let mut of_principal: Vec<(&'s Question, bool)> = Vec::new();
        for (question, is_must) in
            self.musts.iter().map(|must| (*must, true)).chain(self.nevers.iter().map(|never| (*never, false)))
        {
            match &question.view {
                View::Claim(path) => {
                    let claim = claims.entry(path).or_default();
                    if is_must { claim.musts.push(question) } else { claim.nevers.push(question) }
                }
                _ => of_principal.push((question, is_must)),
            }
        }
        let needs_principal = of_principal.iter().any(|(_, is_must)| *is_must);
        let has = |path: Path<'_>| claims.get(path).is_some_and(|claim| !claim.musts.is_empty());
        let present: Vec<Path<'s>> = claims.keys().copied().filter(|path| has(path)).collect();
        let is_text = |path: Path<'_>| has(path) || needs_principal && (is_named(path, "iss") || is_named(path, "sub"));
        let above = |path: Path<'s>| (1..path.len()).filter_map(move |count| path.get(..count));
        if present.iter().any(|path| above(path).any(is_text)) {
            return Found::None;
        }
        let (issuer, subject) =
            (present.iter().any(|path| is_named(path, "iss")), present.iter().any(|path| is_named(path, "sub")));
        let mut written: Vec<(Vec<Box<str>>, StructValue)> = Vec::new();
        let mut as_lists = false;
        if needs_principal || issuer && subject {
            match principal(&of_principal, &claims) {
                Found::Some((issuer, subject)) => {
                    written.push((vec!["iss".into()], StructValue::Text(issuer)));
                    written.push((vec!["sub".into()], StructValue::Text(subject)));
                }
                Found::None if needs_principal => return Found::None,
                Found::Unknown if needs_principal => return Found::Unknown,
                // There is no principal where one of them is a list.
                Found::None | Found::Unknown => as_lists = true,
            }
        }
        for path in present {
            let is_written = written.iter().any(|(known, _)| **known == *path);
            let Some(OfClaim { musts, nevers }) = claims.get(path).filter(|_| !is_written) else { continue };
            let asked =
                Asked { space: self.space, musts: musts.clone(), nevers: nevers.clone(), is_contradiction: false };
            let is_delimited = SPACE_DELIMITED.iter().any(|name| is_named(path, name));
            let domain = if is_delimited { Domain::ClaimWord } else { Domain::Claim };
            match asked.several(domain, &Place::Claims, true) {
                Found::Some(texts) => {
                    let is_list = as_lists && (is_named(path, "iss") || is_named(path, "sub"));
                    written.push((path.to_vec(), value(texts, is_list)));
                }
                Found::None => return Found::None,
                Found::Unknown => return Found::Unknown,
            }
        }
        let mut all = Struct(Vec::new());
        written.into_iter().for_each(|(path, value)| insert(&mut all, &path, value));
        Found::Some(Value::Claims(all))
    }
}

fn is_named(path: Path<'_>, name: &str) -> bool {
    matches!(path, [only] if **only == *name)
}

/// Issuer and subject as strings.
fn principal<'s>(
    of_principal: &[(&'s Question, bool)],
    claims: &BTreeMap<Path<'s>, OfClaim<'s>>,
) -> Found<(String, String)> {
    let track = |question: &Question, lens, is_must| Track { language: Rc::clone(&question.language), lens, is_must };
    let mut tracks: Vec<Track> =
        of_principal.iter().map(|(question, is_must)| track(question, Lens::Whole, *is_must)).collect();
    for (name, lens) in [("iss", Lens::Issuer), ("sub", Lens::Subject)] {
        for (_, OfClaim { musts, nevers }) in claims.iter().filter(|(path, _)| is_named(path, name)) {
            tracks.extend(musts.iter().map(|question| track(question, lens, true)));
            tracks.extend(nevers.iter().map(|question| track(question, lens, false)));
        }
    }
    match word::find(Domain::RequestPrincipal, &tracks, &["https://issuer.example\u{0}x".to_owned()]) {
        Found::Some(word) => {
            let mut halves = word.split(|char| char < ' ').map(str::to_owned);
            Found::Some((halves.next().unwrap_or_default(), halves.next().unwrap_or_default()))
        }
        Found::None => Found::None,
        Found::Unknown => Found::Unknown,
    }
}

/// A claim with these values.
fn value(texts: Vec<String>, is_list: bool) -> StructValue {
    match texts.as_slice() {
        [only] if !is_list => StructValue::Text(only.clone()),
        _ => StructValue::List(texts.into_iter().map(StructValue::Text).collect()),
    }
}

fn insert(fields: &mut Struct, path: &[Box<str>], value: StructValue) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        fields.0.push((first.to_string(), value));
        return;
    }
    if !fields.0.iter().any(|(name, _)| **name == **first) {
        fields.0.push((first.to_string(), StructValue::Map(Struct(Vec::new()))));
    }
    if let Some((_, StructValue::Map(inner))) = fields.0.iter_mut().find(|(name, _)| **name == **first) {
        insert(inner, rest, value);
    }
}
