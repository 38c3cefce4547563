//! Rate limits over cells that hold any bytes, with workers that get in each other's way.
//!
//! Checked, for any bytes that a cell held at first: from then on no key gets more hits than its limit lets through, by the
//! windows of the agreed clock or by the rate and burst of GCRA. A cell that is damaged while requests come may forget what
//! was counted, so the count of this module begins again there. A change of the maximum forgets nothing.

use crate::life::Life;
use crate::source::Source;
use std::collections::BTreeMap;
use weir_model::Filter as _;
use weir_model::{Attributes, CellError, Cells, Expect, Facts, Headers, MemoryCells, Node, Now, PairsBuilder, Verdict};
use weir_rate_limit::{RateLimit, Stream};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

/// What a limit lets through.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// So many hits in each window of so many nanoseconds.
    Window(u64),
    /// GCRA: so many in a minute, so many of them at once.
    Gcra { rate: u64, burst: u64 },
}

/// A limit of the document: the header that has its key, what it lets through, and the hits of one request.
const LIMITS: [(&str, Rule, u64); 6] = [
    ("x-one", Rule::Window(MINUTE), 1),
    ("x-two", Rule::Gcra { rate: 30, burst: 5 }, 3),
    ("x-a", Rule::Window(MINUTE), 1),
    ("x-b", Rule::Window(SECOND), 2),
    ("x-c", Rule::Gcra { rate: 60, burst: 4 }, 1),
    ("x-d", Rule::Gcra { rate: 6, burst: 5 }, 2),
];

/// The document with those limits. The first two have one key; the others share four cells of eight places.
fn document(maxima: [u64; 6], reference: bool) -> String {
    let charge = if reference { "reference" } else { "all_or_nothing" };
    let (mut actions, mut descriptors, mut algorithms) = (Vec::new(), Vec::new(), Vec::new());
    for (index, ((header, rule, hits), maximum)) in LIMITS.into_iter().zip(maxima).enumerate() {
        let request = format!(r#"{{"request_headers": {{"header_name": "{header}", "descriptor_key": "{header}"}}}}"#);
        actions.push(format!(r#"{{"actions": [{request}], "hits_addend": {{"number": {hits}}}}}"#));
        let (unit, number) = match rule {
            Rule::Window(SECOND) => ("second", maximum),
            Rule::Window(_) => ("minute", maximum),
            Rule::Gcra { rate, burst } => {
                algorithms.push(format!(r#""{header}": {{"gcra": {{"burst": {burst}}}}}"#));
                ("minute", rate)
            }
        };
        let value = if index < 2 { r#""value": "0", "# } else { "" };
        let limit = format!(r#"{{"name": "{header}", "unit": "{unit}", "requests_per_unit": {number}}}"#);
        descriptors.push(format!(r#"{{"key": "{header}", {value}"rate_limit": {limit}}}"#));
    }
    let [actions, descriptors, algorithms] = [actions, descriptors, algorithms].map(|parts| parts.join(","));
    format!(
        r#"{{"schema": 1, "name": "edge", "rate_limits": [{actions}],
            "local": {{"charge": "{charge}", "onFull": "deny", "maxKeys": 32, "algorithms": {{{algorithms}}},
              "config": {{"domain": "d", "descriptors": [{descriptors}]}}}}}}"#
    )
}

/// One request: the key of each limit that it has one for, and when it arrives.
#[derive(Clone, Copy, Debug)]
struct Hits {
    keys: [Option<u8>; 6],
    now: Now,
}

/// What passed for one key since its cell was last damaged.
#[derive(Debug, Default)]
struct Passed {
    /// Time on the monotonic clock, time on the agreed clock, hits.
    hits: Vec<(u64, u64, u64)>,
    /// Times on the agreed clock of requests that were refused: such a one may have begun a window, in which a worker that
    /// slept then counts.
    refused: Vec<u64>,
    /// The greatest maximum of its limit meanwhile.
    maximum: u64,
    /// Hits that workers which slept may have given back.
    given_back: u64,
}

/// Runs the workers.
pub fn run(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let options = source.byte();
    let mut maxima = [3, 0, 2, 4, 0, 0];
    let compile = |maxima| {
        let document = document(maxima, options & 1 != 0);
        let filter = RateLimit::compile(document.as_bytes(), &Node::default());
        Life::new(filter.unwrap_or_else(|problems| panic!("{problems}")))
    };
    let mut cells = MemoryCells::default();
    // What the clock and the hash agree on is damaged before they are first read, and not later: see `docs/rate-limit.md`.
    // Without a seed of its own a run could not be repeated.
    damage(&mut cells, "w1/edge/seed", &[7; 16]);
    if options & 2 != 0 {
        damage(&mut cells, "w1/edge/seed", source.bytes(20));
    }
    if options & 4 != 0 {
        damage(&mut cells, "w1/clock", source.bytes(20));
    }
    if options & 8 != 0 {
        let offset = source.word();
        damage(&mut cells, "w1/clock", [offset, !offset].map(u64::to_le_bytes).as_flattened());
    }
    let mut workers = [compile(maxima), compile(maxima)];
    let mut passed: BTreeMap<(usize, u8), Passed> = BTreeMap::new();
    let mut mono_nanos = if options & 16 != 0 { source.word() >> source.below(64) } else { 100 * MINUTE };
    let mut late = false;
    while !source.is_empty() {
        match source.byte() {
            // Time passes.
            0..40 => mono_nanos = mono_nanos.saturating_add(u64::from(source.byte()) * SECOND / 8),
            40..50 => mono_nanos = mono_nanos.saturating_add(source.word() >> (8 + source.below(56))),
            // The maximum of a limit with windows changes: new workers over the same cells.
            50..56 => {
                let limit = source.pick(&[0, 2, 3]);
                maxima[limit] = u64::from(source.below(6));
                workers = [compile(maxima), compile(maxima)];
            }
            // A cell is damaged.
            56..70 => {
                passed.clear();
                let name = source.below(6);
                let name = match name {
                    0..4 => format!("w1/edge/unspecified/{name}"),
                    _ => existing(&cells, source.byte()),
                };
                tamper(&mut cells, &name, &mut source);
            }
            _ => {
                let wall_nanos = 1_767_225_600 * SECOND + u64::from(source.byte()) * SECOND;
                let (first, second) = (keys(&mut source), keys(&mut source));
                let sleep = if options & 32 != 0 { u64::from(source.byte() & 0x3f) * SECOND / 4 } else { 0 };
                let earlier = Now { wall_nanos, mono_nanos };
                let later = Now { wall_nanos, mono_nanos: mono_nanos.saturating_add(sleep) };
                let [one, two] = &mut workers;
                let (one, two) = if source.byte() & 1 == 0 { (one, two) } else { (two, one) };
                let mut met = Vec::new();
                // The second worker runs while the first one is between reading and writing a cell.
                let mut interrupt = |cells: &mut MemoryCells| {
                    let request = Hits { keys: second, now: later };
                    met.push((request, passes(two, cells, request)));
                };
                let mut faulty =
                    FaultyCells { cells: &mut cells, source: &mut source, interrupt: Some(&mut interrupt) };
                let request = Hits { keys: first, now: earlier };
                let verdict = passes(one, &mut faulty, request);
                if !met.is_empty() {
                    late |= sleep > 0;
                    mono_nanos = later.mono_nanos;
                }
                met.push((request, verdict));
                for (request, passes) in met {
                    if passes {
                        count(&mut passed, &cells, request, maxima, late);
                    } else if late {
                        give_back(&mut passed, &cells, request);
                    }
                }
            }
        }
    }
}

fn damage(cells: &mut MemoryCells, name: &str, bytes: &[u8]) {
    let version = cells.load(name, &mut Vec::new()).expect("memory");
    cells.store(name, bytes, version.map_or(Expect::Absent, Expect::Version)).expect("memory");
}

/// A cell of the table.
fn existing(cells: &MemoryCells, number: u8) -> String {
    let names: Vec<&str> = cells.keys().filter(|name| name.starts_with("w1/edge/unspecified/")).collect();
    names.get(usize::from(number) % names.len().max(1)).copied().unwrap_or("w1/edge/unspecified/0").to_owned()
}

/// Other bytes for a cell: a part of its own changed, or all of them.
fn tamper(cells: &mut MemoryCells, name: &str, source: &mut Source<'_>) {
    let mut bytes = Vec::new();
    cells.load(name, &mut bytes).expect("memory");
    match source.below(4) {
        0 => bytes = source.block().to_vec(),
        1 => bytes.truncate(usize::from(source.byte())),
        2 => bytes.push(source.byte()),
        _ => {
            for _ in 0..1 + source.below(8) {
                let (at, patch) = (usize::from(source.byte()), source.bytes(8));
                if let Some(bytes) = bytes.get_mut(at..at + patch.len()) {
                    bytes.copy_from_slice(patch);
                }
            }
        }
    }
    damage(cells, name, &bytes);
}

fn keys(source: &mut Source<'_>) -> [Option<u8>; 6] {
    let which = source.byte();
    let mut keys = [None; 6];
    for (index, key) in keys.iter_mut().enumerate() {
        if which & (1 << index) != 0 {
            *key = Some(if index < 2 { 0 } else { source.below(12) });
        }
    }
    keys
}

/// Whether the request passes.
fn passes(life: &mut Life<RateLimit>, cells: &mut dyn Cells, request: Hits) -> bool {
    let mut headers = PairsBuilder::default();
    for ((header, _, _), key) in LIMITS.into_iter().zip(request.keys) {
        if let Some(key) = key {
            headers.push(header.as_bytes(), key.to_string().as_bytes());
        }
    }
    let headers = headers.finish();
    let (request_headers, none, attributes) = (Headers::new(&headers), Headers::default(), Attributes::default());
    let facts = Facts { request_headers, response_headers: none, response_trailers: none, attributes: &attributes };
    life.request(&mut Stream::default(), &facts, cells, request.now) == Verdict::Continue
}

/// A refused request gives back what earlier limits took. GCRA gives back all of it, although a part had come back by
/// itself while the worker slept: so much more may pass.
fn give_back(passed: &mut BTreeMap<(usize, u8), Passed>, cells: &MemoryCells, request: Hits) {
    let agreed = request.now.mono_nanos.wrapping_add(offset(cells));
    for (index, ((_, _, hits), key)) in LIMITS.into_iter().zip(request.keys).enumerate() {
        if let Some(key) = key {
            let passed = passed.entry((index, key)).or_default();
            passed.given_back += hits;
            passed.refused.push(agreed);
        }
    }
}

/// Counts a request that passed, and checks that it might.
fn count(passed: &mut BTreeMap<(usize, u8), Passed>, cells: &MemoryCells, request: Hits, maxima: [u64; 6], late: bool) {
    let mono = request.now.mono_nanos;
    let agreed = mono.wrapping_add(offset(cells));
    for (index, ((name, rule, hits), key)) in LIMITS.into_iter().zip(request.keys).enumerate() {
        let Some(key) = key else { continue };
        let Passed { hits: all, refused, maximum, given_back } = passed.entry((index, key)).or_default();
        *maximum = maxima[index].max(*maximum);
        all.push((mono, agreed, hits));
        let sum = |from: usize| all.iter().skip(from).map(|(_, _, hits)| hits).sum::<u64>();
        match rule {
            // A worker that slept counts in the newest window, so only all windows together can be checked.
            Rule::Window(length) if late => {
                let times = || all.iter().map(|(_, agreed, _)| agreed).chain(refused.iter());
                let windows = || times().map(|agreed| agreed / length);
                let count = windows().max().zip(windows().min()).map_or(1, |(last, first)| last - first + 1);
                let most = count.saturating_mul(*maximum);
                assert!(sum(0) <= most, "{name} {key}: {} of {most} in {count} windows: {all:?}", sum(0));
            }
            Rule::Window(length) => {
                let same = all.iter().filter(|(_, other, _)| other / length == agreed / length);
                let sum: u64 = same.map(|(_, _, hits)| hits).sum();
                assert!(sum <= maxima[index], "{name} {key}: {sum} of {} in one window: {all:?}", maxima[index]);
            }
            Rule::Gcra { rate, burst } => {
                for from in 0..all.len() {
                    let times = || all.iter().skip(from).map(|(mono, _, _)| *mono);
                    let (Some(first), Some(last)) = (times().min(), times().max()) else { continue };
                    let burst = u128::from(burst + *given_back);
                    let lets_through = burst * u128::from(MINUTE) + u128::from(rate) * u128::from(last - first);
                    let sum = sum(from);
                    assert!(u128::from(sum) * u128::from(MINUTE) <= lets_through, "{name} {key}: {sum} in {all:?}");
                }
            }
        }
    }
}

/// The offset of the agreed clock; 0 where none is agreed, and nothing asks for it.
fn offset(cells: &MemoryCells) -> u64 {
    let mut bytes = Vec::new();
    cells.clone().load("w1/clock", &mut bytes).expect("memory");
    bytes.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

/// Cells that fail now and then, and let another worker in before a store.
struct FaultyCells<'a, 's> {
    cells: &'a mut MemoryCells,
    source: &'a mut Source<'s>,
    interrupt: Option<&'a mut dyn FnMut(&mut MemoryCells)>,
}

impl Cells for FaultyCells<'_, '_> {
    fn load(&mut self, key: &str, out: &mut Vec<u8>) -> Result<Option<u32>, CellError> {
        if self.source.byte() == 255 { Err(CellError::Unavailable) } else { self.cells.load(key, out) }
    }

    fn store(&mut self, key: &str, value: &[u8], expect: Expect) -> Result<(), CellError> {
        match self.source.byte() {
            250..=252 => return Err(CellError::Conflict),
            253..=255 => return Err(CellError::Unavailable),
            200..=249 => {
                if let Some(interrupt) = self.interrupt.take() {
                    interrupt(self.cells);
                }
            }
            _ => {}
        }
        self.cells.store(key, value, expect)
    }
}
