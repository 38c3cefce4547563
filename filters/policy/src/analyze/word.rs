//! Finding a text that is in some languages and in none of others, or proving that there is none.
//!
//! The product of all automata is searched from the start, the most promising state first (A*): what each text that must be
//! matched still needs at least is how far it is. The product is finite and each state is looked at once, so an end without
//! a find is a proof. Only characters that some automaton tells apart are tried, and one for all others.

use super::domain::Domain;
use super::language::{Class, Language, Places, is_segment};
use super::lens::Lens;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::rc::Rc;

/// A language that the text must be in, or must not.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) language: Rc<Language>,
    pub(super) lens: Lens,
    pub(super) is_must: bool,
}

/// What came of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found<T> {
    /// There is one.
    Some(T),
    /// There is none.
    None,
    /// The search was given up.
    Unknown,
}

/// How many states are looked at, at most, and how many places of automata they have together: some ten megabytes, and less
/// than a second.
const STATES: usize = 40_000;
const PLACES: usize = 8_000_000;

/// Where one track is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct At {
    track: usize,
    lens: u8,
    places: Places,
}

/// A state of the product. A track that must not match and cannot any more is left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    domain: u8,
    tracks: Vec<At>,
}

/// A state that was met, the one before it and the character between them.
struct Met {
    state: Rc<State>,
    before: usize,
    char: char,
    cost: u32,
}

/// A search.
struct Search<'t> {
    domain: Domain,
    tracks: &'t [Track],
}

/// A text of that domain that fits all tracks. One of `guesses` is taken if it fits.
pub(super) fn find(domain: Domain, tracks: &[Track], guesses: &[String]) -> Found<String> {
    let search = Search { domain, tracks };
    if let Some(guess) = guesses.iter().find(|guess| search.fits(guess)) {
        return Found::Some(guess.clone());
    }
    let Some(start) = search.start().map(Rc::new) else { return Found::None };
    let mut seen: HashSet<Rc<State>> = HashSet::new();
    let mut queue = BinaryHeap::new();
    let mut places = 0usize;
    queue.push(Reverse((search.distance(&start), 0usize)));
    seen.insert(Rc::clone(&start));
    let mut met = vec![Met { state: start, before: usize::MAX, char: ' ', cost: 0 }];
    while let Some(Reverse((_, number))) = queue.pop() {
        let Some(Met { state, cost, .. }) = met.get(number) else { break };
        let (state, cost) = (Rc::clone(state), *cost);
        if search.may_end(&state) {
            return Found::Some(text(&met, number));
        }
        for (char, price) in search.alphabet(&state) {
            let Some(next) = search.next(&state, char) else { continue };
            places += state.places();
            if seen.contains(&next) {
                continue;
            }
            if met.len() >= STATES || places >= PLACES {
                return Found::Unknown;
            }
            let (next, cost) = (Rc::new(next), cost + price);
            queue.push(Reverse((cost.saturating_add(search.distance(&next)), met.len())));
            seen.insert(Rc::clone(&next));
            met.push(Met { state: next, before: number, char, cost });
        }
    }
    Found::None
}

impl State {
    fn places(&self) -> usize {
        self.tracks.iter().map(|at| at.places.len()).sum()
    }
}

/// The text that leads to a state.
fn text(met: &[Met], mut number: usize) -> String {
    let mut chars = Vec::new();
    while let Some(Met { before, char, .. }) = met.get(number).filter(|met| met.before != usize::MAX) {
        chars.push(*char);
        number = *before;
    }
    chars.into_iter().rev().collect()
}

impl Search<'_> {
    fn start(&self) -> Option<State> {
        let at = |(track, Track { language, lens, .. }): (usize, &Track)| At {
            track,
            lens: lens.start(),
            places: language.start(),
        };
        self.live(State { domain: self.domain.start(), tracks: self.tracks.iter().enumerate().map(at).collect() })
    }

    /// The state with what matters of it; `None` if no text that has come here fits.
    fn live(&self, mut state: State) -> Option<State> {
        let mut is_dead = false;
        state.tracks.retain(|At { track, places, .. }| {
            let Some(Track { language, is_must, .. }) = self.tracks.get(*track) else { return false };
            match (is_must, places.as_slice()) {
                (true, []) => is_dead = true,
                (false, [place]) => is_dead |= language.is_sink(*place),
                _ => {}
            }
            *is_must || !places.is_empty()
        });
        (!is_dead).then_some(state)
    }

    fn next(&self, state: &State, char: char) -> Option<State> {
        let domain = self.domain.next(state.domain, char)?;
        let mut tracks = Vec::with_capacity(state.tracks.len());
        for At { track, lens, places } in &state.tracks {
            let Track { language, lens: of_track, .. } = self.tracks.get(*track)?;
            let (lens, compared) = of_track.next(*lens, char);
            let places = match compared {
                Some(char) => language.next(places, char),
                None => places.clone(),
            };
            tracks.push(At { track: *track, lens, places });
        }
        self.live(State { domain, tracks })
    }

    fn may_end(&self, state: &State) -> bool {
        self.domain.may_end(state.domain)
            && state.tracks.iter().all(|At { track, places, .. }| {
                let track = self.tracks.get(*track);
                track.is_some_and(|Track { language, is_must, .. }| language.accepts(places) == *is_must)
            })
    }

    fn fits(&self, text: &str) -> bool {
        let end = text.chars().try_fold(self.start(), |state, char| self.next(&state?, char).map(Some));
        end.flatten().is_some_and(|state| self.may_end(&state))
    }

    fn distance(&self, state: &State) -> u32 {
        let of_track = |At { track, places, .. }: &At| {
            let track = self.tracks.get(*track).filter(|track| track.is_must);
            track.map_or(0, |track| track.language.distance(places))
        };
        state.tracks.iter().map(of_track).max().unwrap_or(0)
    }

    /// The characters that lead to different states, each with its price: of two texts the plainer one is found.
    fn alphabet(&self, state: &State) -> Vec<(char, u32)> {
        let mut chars: BTreeMap<char, u32> = BTreeMap::new();
        let (mut has_segments, mut folds) = (false, false);
        let mut add = |char: char, price: u32| {
            let known = chars.entry(char).or_insert(price);
            *known = price.min(*known);
        };
        self.domain.special().chars().for_each(|char| add(char, 2));
        for At { track, places, .. } in &state.tracks {
            let Some(Track { language, lens, is_must }) = self.tracks.get(*track) else { continue };
            lens.special().chars().for_each(|char| add(char, if char == '/' { 2 } else { 6 }));
            for class in language.classes(places) {
                match class {
                    Class::Only(char) => {
                        let price = if *is_must { 1 } else { 2 };
                        add(char, price);
                        if *lens == Lens::Lower {
                            folds = true;
                            add(char.to_ascii_uppercase(), price + 1);
                        }
                    }
                    Class::Any => {}
                    Class::NotSlash => add('/', 2),
                    Class::Segment | Class::SegmentOrSlash => {
                        add('/', 2);
                        has_segments = true;
                    }
                }
            }
        }
        let is_free = |char: &char| {
            let is_met = chars.contains_key(char) || folds && chars.contains_key(&char.to_ascii_lowercase());
            !is_met && self.domain.next(state.domain, *char).is_some()
        };
        let plain = OTHERS.chars().find(|char| is_free(char) && is_segment(*char));
        let odd = || OTHERS.chars().chain('\u{a1}'..='\u{2fff}').find(|char| is_free(char) && !is_segment(*char));
        let odd = if has_segments || plain.is_none() { odd() } else { None };
        let mut alphabet: Vec<(char, u32)> = chars.into_iter().collect();
        alphabet.extend(plain.map(|char| (char, 1)));
        alphabet.extend(odd.map(|char| (char, 9)));
        alphabet
    }
}

/// All of visible ASCII, the plainest first.
const OTHERS: &str = "xyzwvutsrqponmlkjihgfedcbaXYZWVUTSRQPONMLKJIHGFEDCBA0123456789-_~.%!$&'()+,;:@=*|\"<>^`\\[]{}?# ";

#[cfg(test)]
mod tests;
