use super::{CELL, CYCLE, Clock, Moment, SECOND};
use crate::algorithm::{Algorithm, Retry};
use crate::table::{Allocation, Charge, Key, Outcome, Table};
use crate::testing::{Numbers, gcra, window};
use std::collections::BTreeMap;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{CellError, Cells, Expect, MemoryCells, Now};
use weir_testing::Rows;

const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
/// Some morning of 2026.
const WALL: u64 = 1_767_261_600 * SECOND;

fn now(wall_nanos: u64, mono_nanos: u64) -> Now {
    Now { wall_nanos, mono_nanos }
}

fn agreed(cells: &mut MemoryCells, now: Now) -> Moment {
    let mut clock = Clock::default();
    assert_eq!(clock.agree(cells, now, &mut Vec::new()), Ok(()));
    clock.moment(now)
}

fn stored(cells: &mut MemoryCells) -> Vec<u8> {
    let mut bytes = Vec::new();
    cells.load(CELL, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_first_wall_clock_holds_for_every_worker_and_later_configuration() {
    let mut cells = MemoryCells::default();
    assert_eq!(agreed(&mut cells, now(WALL, 5)).agreed_nanos, WALL);
    let mut rows = Rows::default();
    for wall in [WALL - DAY, WALL - HOUR, WALL + HOUR, WALL + DAY, 0, u64::MAX] {
        let later = agreed(&mut cells, now(wall, 5 + 7 * SECOND));
        rows.check(wall, later, Moment { agreed_nanos: WALL + 7 * SECOND, mono_nanos: 5 + 7 * SECOND });
    }
    assert_eq!(cells.keys().collect::<Vec<_>>(), [CELL]);
}

#[test]
fn one_worker_does_not_look_twice() {
    let mut cells = MemoryCells::default();
    let mut clock = Clock::default();
    clock.agree(&mut cells, now(WALL, 0), &mut Vec::new()).unwrap();
    cells.store(CELL, b"gone", Expect::Version(1)).unwrap();
    clock.agree(&mut cells, now(0, 9), &mut Vec::new()).unwrap();
    assert_eq!(clock.moment(now(0, 9)).agreed_nanos, WALL + 9);
}

#[test]
fn any_wall_clock_begins_windows_where_it_says_and_leaves_room() {
    let units = [1, 60, 3_600, 86_400, 604_800, 2_592_000, 31_536_000];
    let mut rows = Rows::default();
    for wall in [0, 5, 600 * SECOND, WALL, 4_102_444_800 * SECOND, u64::MAX - 1] {
        for mono in [0, 3 * SECOND, 400 * DAY, u64::MAX] {
            let found = agreed(&mut MemoryCells::default(), now(wall, mono)).agreed_nanos;
            rows.check(format!("{wall} {mono}: {found}"), (CYCLE..2 * CYCLE).contains(&found), true);
            for unit in units {
                rows.check(format!("{wall} {mono} {unit}"), found % (unit * SECOND), wall % (unit * SECOND));
            }
        }
    }
}

#[test]
fn a_damaged_cell_is_replaced() {
    let mut table = Rows::default();
    for damage in [b"".as_slice(), b"hello", &[0; 16], &[0xff; 16], &[7; 15], &[7; 17], &[7; 16]] {
        let mut cells = MemoryCells::default();
        cells.store(CELL, damage, Expect::Absent).unwrap();
        table.check(format!("{damage:?}"), agreed(&mut cells, now(WALL, 5)).agreed_nanos, WALL);
        table.check(format!("{damage:?}, later"), agreed(&mut cells, now(0, 6)).agreed_nanos, WALL + 1);
        table.check(format!("{damage:?}"), stored(&mut cells).len(), 16);
    }
}

/// Cells that cannot be reached, or that another worker writes first.
struct Bad {
    inner: MemoryCells,
    load: bool,
    store: Result<(), CellError>,
}

impl Cells for Bad {
    fn load(&mut self, key: &str, out: &mut Vec<u8>) -> Result<Option<u32>, CellError> {
        if self.load { self.inner.load(key, out) } else { Err(CellError::Unavailable) }
    }

    fn store(&mut self, key: &str, _: &[u8], expect: Expect) -> Result<(), CellError> {
        if self.store == Ok(()) {
            // Another worker has an hour more.
            let offset = WALL + HOUR;
            let bytes = [offset, !offset].map(u64::to_le_bytes);
            self.inner.store(key, bytes.as_flattened(), expect)?;
            return Err(CellError::Conflict);
        }
        self.store
    }
}

#[test]
fn who_comes_second_takes_what_is_there() {
    let mut cells = Bad { inner: MemoryCells::default(), load: true, store: Ok(()) };
    let mut clock = Clock::default();
    clock.agree(&mut cells, now(WALL, 0), &mut Vec::new()).unwrap();
    assert_eq!(clock.moment(now(0, 5)).agreed_nanos, WALL + HOUR + 5);
}

#[test]
fn without_shared_data_there_is_no_clock_and_it_is_asked_for_again() {
    use CellError::{Conflict, Unavailable};
    let rows = [(false, Ok(()), Unavailable), (true, Err(Unavailable), Unavailable), (true, Err(Conflict), Conflict)];
    let mut table = Rows::default();
    for (load, store, expected) in rows {
        let name = format!("load {load}, store {store:?}");
        let mut cells = Bad { inner: MemoryCells::default(), load, store };
        let mut clock = Clock::default();
        table.check(&name, clock.agree(&mut cells, now(WALL, 0), &mut Vec::new()), Err(expected));
        table.check(&name, clock.agree(&mut cells.inner, now(WALL, 3), &mut Vec::new()), Ok(()));
        table.check(&name, clock.moment(now(0, 3)).agreed_nanos, WALL);
    }
}

/// Workers of one process, each of them replaced now and then, under a wall clock that goes where it likes.
fn run(rule: &Algorithm, window_seconds: Option<u64>, step: u64, keyed: bool, seed: u64) -> Vec<(u64, u64)> {
    let mut numbers = Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut cells = MemoryCells::default();
    let mut workers: Vec<Table> = (0..3).map(|_| Table::new("edge")).collect();
    let allocation = if keyed { Allocation::Sets { first: 0, count: 1 } } else { Allocation::Single(0) };
    let excursions = [0, 0, HOUR, DAY, 0u64.wrapping_sub(HOUR), 0u64.wrapping_sub(DAY), 40 * DAY];
    let mut passed = Vec::new();
    let (mut mono, mut ahead) = (1_000 * SECOND, 0);
    for turn in 0..600 {
        mono += numbers.below(step);
        // The first worker sets the offset; from then on the wall clock does not count.
        if turn > 0 && numbers.below(4) == 0 {
            ahead = excursions[usize::try_from(numbers.below(7)).unwrap()];
        }
        let now = now((WALL + mono).wrapping_add(ahead), mono);
        let who = usize::try_from(numbers.below(3)).unwrap();
        if numbers.below(20) == 0 {
            workers[who] = Table::new("edge");
        }
        let table = &mut workers[who];
        table.agree_clock(&mut cells, now).unwrap();
        let moment = table.moment(now);
        assert_eq!(moment.agreed_nanos, WALL + mono, "seed {seed}: the agreed clock never steps");
        // Eight others make sure that the set is full, so that keys come and go.
        let fingerprint = if keyed && numbers.below(2) == 0 { 2 + numbers.below(12) } else { 1 };
        let key = Key { limit: 7, allocation, fingerprint };
        let outcome = table.charge(&mut cells, &key, rule, 1, Charge::IfFits, moment);
        match outcome {
            Outcome::Taken { .. } if fingerprint == 1 => passed.push((mono, moment.agreed_nanos)),
            Outcome::Exceeded { retry: Retry::After(retry), .. } | Outcome::Full { retry: Retry::After(retry), .. } => {
                if let Some(seconds) = window_seconds {
                    let left = seconds * SECOND - moment.agreed_nanos % (seconds * SECOND);
                    assert_eq!(retry, left, "seed {seed}: out until this window ends and no longer");
                    let then = Moment { agreed_nanos: moment.agreed_nanos + retry, mono_nanos: mono + retry };
                    let again = table.charge(&mut cells.clone(), &key, rule, 1, Charge::IfFits, then);
                    assert!(matches!(again, Outcome::Taken { .. }), "seed {seed}: {again:?}");
                }
            }
            Outcome::Taken { .. } => {}
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    passed
}

#[test]
fn no_excursion_of_the_wall_clock_lets_over_or_locks_out() {
    for seconds in [1, 60, 3_600, 86_400] {
        for (keyed, seed) in [false, true].into_iter().flat_map(|keyed| (1..=40).map(move |seed| (keyed, seed))) {
            let rule = window(5, seconds);
            let passed = run(&rule, Some(seconds), seconds * SECOND / 10, keyed, seed);
            let mut windows = BTreeMap::<u64, u32>::new();
            for (_, agreed) in &passed {
                *windows.entry(agreed / (seconds * SECOND)).or_default() += 1;
            }
            assert!(windows.values().all(|count| *count <= 5), "{seconds} s, seed {seed}: {windows:?}");
            assert!(windows.len() > 15, "{seconds} s, seed {seed}: windows are passed, not waited for");
        }
    }
}

#[test]
fn gcra_does_not_know_the_wall_clock() {
    let (rate, burst) = (10, 3);
    let rule = gcra(rate, 1, burst);
    for seed in 1..=40 {
        let passed = run(&rule, None, SECOND / 10, false, seed);
        for (start, (from, _)) in passed.iter().enumerate() {
            for (count, (to, _)) in (1u64..).zip(&passed[start..]) {
                let allowed = u64::from(burst) * SECOND + u64::from(rate) * (to - from);
                assert!(count * SECOND <= allowed, "seed {seed}: {count} in {}", to - from);
            }
        }
        let (first, last) = (passed[0].0, passed[passed.len() - 1].0);
        let fewest = u64::from(rate) * (last - first) / SECOND / 2;
        assert!(u64::try_from(passed.len()).unwrap() > fewest, "seed {seed}: no client is locked out");
    }
}
