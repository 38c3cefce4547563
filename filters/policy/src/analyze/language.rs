//! Patterns as regular languages over characters.
//!
//! Every pattern of a policy is a sequence of characters and of classes that repeat, so it is a nondeterministic automaton
//! without branches: its states are places in the sequence. Patterns are texts, so characters serve as well as bytes: a text
//! begins or ends with another as characters exactly if it does as bytes.

use super::space::View;
use weir_matching::{Pattern, TemplatePart, is_segment_byte};

/// Which characters a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Only(char),
    Any,
    NotSlash,
    /// What `{*}` stands for.
    Segment,
    /// What `{**}` stands for.
    SegmentOrSlash,
}

impl Class {
    pub(super) fn has(self, char: char) -> bool {
        match self {
            Self::Only(only) => only == char,
            Self::Any => true,
            Self::NotSlash => char != '/',
            Self::Segment => is_segment(char),
            Self::SegmentOrSlash => char == '/' || is_segment(char),
        }
    }
}

/// Whether a path template's operator takes a character.
pub(super) fn is_segment(char: char) -> bool {
    u8::try_from(char).is_ok_and(is_segment_byte)
}

/// A place in a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Takes one character.
    One(Class),
    /// Takes any number of them.
    Star(Class),
    /// The text may end here.
    End,
}

/// The languages of the patterns of a clause: a text is in one of them, or in none.
#[derive(Clone, Debug, Default)]
pub(super) struct Language {
    steps: Vec<Step>,
    /// Where each pattern begins.
    starts: Vec<u32>,
    /// How many characters it takes at least from each place to the end.
    distances: Vec<u32>,
}

/// The places that a text has led to, ascending.
pub(super) type Places = Vec<u32>;

impl Language {
    /// What the patterns ask of a value that is looked at in that way.
    pub(super) fn new(view: &View, patterns: &[Pattern]) -> Self {
        let mut language = Self::default();
        for pattern in patterns {
            for sequence in sequences(view, pattern) {
                language.add(sequence);
            }
        }
        language.distances = vec![0; language.steps.len()];
        let mut after = 0;
        for (step, distance) in language.steps.iter().zip(&mut language.distances).rev() {
            after = match step {
                Step::One(_) => after + 1,
                Step::Star(_) => after,
                Step::End => 0,
            };
            *distance = after;
        }
        language
    }

    fn add(&mut self, sequence: Vec<Step>) {
        self.starts.push(u32::try_from(self.steps.len()).unwrap_or(u32::MAX));
        self.steps.extend(sequence);
        self.steps.push(Step::End);
    }

    fn step(&self, place: u32) -> Step {
        let step = usize::try_from(place).ok().and_then(|place| self.steps.get(place));
        step.copied().unwrap_or(Step::End)
    }

    /// Where every text begins.
    pub(super) fn start(&self) -> Places {
        let mut places = Vec::with_capacity(self.starts.len());
        self.starts.iter().for_each(|start| self.reach(*start, &mut places));
        self.finish(places)
    }

    /// Where a character leads.
    pub(super) fn next(&self, from: &[u32], char: char) -> Places {
        let mut places = Vec::new();
        for place in from {
            match self.step(*place) {
                Step::One(class) if class.has(char) => self.reach(place + 1, &mut places),
                Step::Star(class) if class.has(char) => self.reach(*place, &mut places),
                Step::One(_) | Step::Star(_) | Step::End => {}
            }
        }
        self.finish(places)
    }

    /// Adds a place, and those behind it that need no character.
    fn reach(&self, mut place: u32, places: &mut Places) {
        places.push(place);
        while let Step::Star(_) = self.step(place) {
            place += 1;
            places.push(place);
        }
    }

    /// Where nothing that follows can lead out of the language, that place stands for all.
    fn finish(&self, mut places: Places) -> Places {
        if let Some(sink) = places.iter().find(|place| self.is_sink(**place)).copied() {
            return vec![sink];
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Whether every text that has come here is in the language, however it goes on.
    pub(super) fn is_sink(&self, place: u32) -> bool {
        self.step(place) == Step::Star(Class::Any) && self.step(place + 1) == Step::End
    }

    /// Whether a text that ends here is in the language.
    pub(super) fn accepts(&self, places: &[u32]) -> bool {
        places.iter().any(|place| self.step(*place) == Step::End || self.is_sink(*place))
    }

    /// How many characters it takes at least to get into the language.
    pub(super) fn distance(&self, places: &[u32]) -> u32 {
        let distance = |place: &u32| usize::try_from(*place).ok().and_then(|place| self.distances.get(place)).copied();
        places.iter().filter_map(distance).min().unwrap_or(u32::MAX)
    }

    /// What the steps at these places take.
    pub(super) fn classes<'l>(&'l self, places: &'l [u32]) -> impl Iterator<Item = Class> + use<'l> {
        places.iter().filter_map(|place| match self.step(*place) {
            Step::One(class) | Step::Star(class) => Some(class),
            Step::End => None,
        })
    }
}

const SPIFFE: &str = "spiffe://";

/// The sequences of a pattern, of which a text must follow one.
fn sequences(view: &View, pattern: &Pattern) -> Vec<Vec<Step>> {
    let after = |before: &str, inner: Vec<Step>| vec![[literal(before.as_bytes()), inner].concat()];
    match view {
        View::Principal if *pattern == Pattern::Present => vec![plain(pattern, Class::Any)],
        View::Principal => after(SPIFFE, plain(pattern, Class::Any)),
        View::Namespace => vec![[vec![Step::Star(Class::Any)], literal(b"/ns/"), plain(pattern, Class::Any)].concat()],
        View::ServiceAccount => service_account(pattern),
        View::TrustDomain if *pattern == Pattern::Any => after(SPIFFE, vec![Step::Star(Class::Any)]),
        View::TrustDomain => {
            let rest = vec![Step::One(Class::Only('/')), Step::Star(Class::Any)];
            after(SPIFFE, [plain(pattern, Class::NotSlash), rest].concat())
        }
        View::Text | View::Lower | View::Path(_) | View::RequestPrincipal | View::Claim(_) => {
            vec![plain(pattern, Class::Any)]
        }
    }
}

fn literal(text: &[u8]) -> Vec<Step> {
    String::from_utf8_lossy(text).chars().map(|char| Step::One(Class::Only(char))).collect()
}

/// The sequence of a pattern whose `*` stands for characters of that class.
fn plain(pattern: &Pattern, any: Class) -> Vec<Step> {
    let star = Step::Star(any);
    match pattern {
        Pattern::Exact(text) => literal(text),
        Pattern::Prefix(text) => [literal(text), vec![star]].concat(),
        Pattern::Suffix(text) => [vec![star], literal(text)].concat(),
        Pattern::Present => vec![Step::One(any), star],
        Pattern::Any => vec![star],
        Pattern::Glob(glob) => {
            let mut steps = Vec::new();
            for (part, number) in glob.parts().zip(0..) {
                steps.extend((number > 0).then_some(star));
                steps.extend(literal(part));
            }
            steps
        }
        Pattern::Template(template) => {
            let mut steps = Vec::new();
            for part in template.parts() {
                match part {
                    TemplatePart::Literal(text) => steps.extend(literal(text)),
                    TemplatePart::One => steps.extend([Step::One(Class::Segment), Step::Star(Class::Segment)]),
                    TemplatePart::Rest => steps.push(Step::Star(Class::SegmentOrSlash)),
                }
            }
            steps
        }
        // Addresses are not compared as text.
        Pattern::Cidr(_) => Vec::new(),
    }
}

/// `spiffe://.+/ns/NS/(.+/)?sa/SA(/.+)?`, of `NS/SA`.
fn service_account(pattern: &Pattern) -> Vec<Vec<Step>> {
    let Pattern::Exact(text) = pattern else { return Vec::new() };
    let at = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
    let (namespace, account) = (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default());
    let some = || vec![Step::One(Class::Any), Step::Star(Class::Any)];
    let head = [literal(SPIFFE.as_bytes()), some(), literal(b"/ns/"), literal(namespace), literal(b"/")].concat();
    let name = [literal(b"sa/"), literal(account)].concat();
    let between = [Vec::new(), [some(), literal(b"/")].concat()];
    let behind = [Vec::new(), [literal(b"/"), some()].concat()];
    let mut all = Vec::new();
    for between in &between {
        for behind in &behind {
            all.push([head.as_slice(), between, &name, behind].concat());
        }
    }
    all
}
