use super::set::Set;
use super::{Allocation, Charge, Direction, Key, Outcome, Table, fingerprint};
use crate::algorithm::Algorithm;
use crate::clock::{Moment, SECOND};
use crate::testing::{Numbers, gcra, window};
use std::hash::Hasher as _;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{CellError, Cells, Expect, MemoryCells};
use weir_testing::Rows;

const MINUTE: Algorithm = window(10, 60);
const NOW: Moment = Moment { agreed_nanos: 6_000 * SECOND, mono_nanos: 6_000 * SECOND };
const SINGLE: Key = Key { limit: 7, allocation: Allocation::Single(0), fingerprint: 7 };

/// A number of virtual machines over one store. Between any load and store of one, others may run whole charges: that
/// is every interleaving that compare-and-swap can distinguish.
struct Crowd<'c> {
    inner: &'c mut MemoryCells,
    others: &'c mut Vec<Table>,
    numbers: &'c mut Numbers,
    job: Job,
    passed: &'c mut u64,
    chance: u64,
}

#[derive(Clone, Copy)]
struct Job {
    key: Key,
    rule: Algorithm,
    hits: u64,
    now: Moment,
}

impl Cells for Crowd<'_> {
    fn load(&mut self, key: &str, out: &mut Vec<u8>) -> Result<Option<u32>, CellError> {
        self.inner.load(key, out)
    }

    fn store(&mut self, key: &str, value: &[u8], expect: Expect) -> Result<(), CellError> {
        if self.numbers.below(100) < self.chance
            && let Some(mut other) = self.others.pop()
        {
            let mut cells = Crowd {
                inner: &mut *self.inner,
                others: &mut *self.others,
                numbers: &mut *self.numbers,
                passed: &mut *self.passed,
                ..*self
            };
            let Job { key, rule, hits, now } = self.job;
            if let Outcome::Taken { .. } = other.charge(&mut cells, &key, &rule, hits, Charge::IfFits, now) {
                *self.passed += hits;
            }
            self.others.push(other);
        }
        self.inner.store(key, value, expect)
    }
}

fn tables(count: usize) -> Vec<Table> {
    (0..count).map(|_| Table::new("edge")).collect()
}

#[test]
fn never_over_the_limit_however_eight_workers_interleave() {
    let slow = gcra(1, 3_600, 5);
    for seed in 1..=300u64 {
        let mut numbers = Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for (rule, limit) in [(MINUTE, 10), (slow, 5), (window(1, 60), 1)] {
            let allocation = if seed % 2 == 0 { SINGLE.allocation } else { Allocation::Sets { first: 0, count: 1 } };
            let job = Job { key: Key { allocation, ..SINGLE }, rule, hits: 1, now: NOW };
            let (mut cells, mut others, mut passed) = (MemoryCells::default(), tables(8), 0);
            for _ in 0..30 {
                let Some(mut table) = others.pop() else { panic!() };
                let mut crowd = Crowd {
                    inner: &mut cells,
                    others: &mut others,
                    numbers: &mut numbers,
                    job,
                    passed: &mut passed,
                    chance: 60,
                };
                let outcome = table.charge(&mut crowd, &job.key, &rule, 1, Charge::IfFits, NOW);
                passed += u64::from(matches!(outcome, Outcome::Taken { .. }));
                let at = usize::try_from(numbers.below(8)).unwrap();
                others.insert(at, table);
            }
            assert_eq!(passed, limit, "seed {seed} {rule:?}");
        }
    }
}

#[test]
fn of_eight_first_hits_on_one_exactly_one_passes() {
    let mut rows = Rows::default();
    for chance in [0, 50, 100] {
        let rule = window(1, 60);
        let job = Job { key: SINGLE, rule, hits: 1, now: NOW };
        let (mut cells, mut others, mut passed, mut numbers) = (MemoryCells::default(), tables(7), 0, Numbers(3));
        let mut crowd =
            Crowd { inner: &mut cells, others: &mut others, numbers: &mut numbers, job, passed: &mut passed, chance };
        let first = Table::new("edge").charge(&mut crowd, &SINGLE, &rule, 1, Charge::IfFits, NOW);
        passed += u64::from(matches!(first, Outcome::Taken { .. }));
        rows.check(chance, passed, 1);
    }
}

/// Another worker writes before every store.
struct Busy {
    inner: MemoryCells,
    tries: u32,
}

impl Cells for Busy {
    fn load(&mut self, key: &str, out: &mut Vec<u8>) -> Result<Option<u32>, CellError> {
        self.inner.load(key, out)
    }

    fn store(&mut self, _: &str, _: &[u8], _: Expect) -> Result<(), CellError> {
        self.tries += 1;
        Err(CellError::Conflict)
    }
}

#[test]
fn nine_tries_then_refused() {
    let mut cells = Busy { inner: MemoryCells::default(), tries: 0 };
    let outcome = Table::new("edge").charge(&mut cells, &SINGLE, &MINUTE, 1, Charge::IfFits, NOW);
    assert_eq!((outcome, cells.tries), (Outcome::Contended, 9));
    assert!(Table::new("edge").hasher(&mut cells).is_err());
}

struct Gone;

impl Cells for Gone {
    fn load(&mut self, _: &str, _: &mut Vec<u8>) -> Result<Option<u32>, CellError> {
        Err(CellError::Unavailable)
    }

    fn store(&mut self, _: &str, _: &[u8], _: Expect) -> Result<(), CellError> {
        Err(CellError::Unavailable)
    }
}

#[test]
fn without_cells_nothing_passes() {
    let mut table = Table::new("edge");
    assert_eq!(table.charge(&mut Gone, &SINGLE, &MINUTE, 1, Charge::IfFits, NOW), Outcome::Unavailable);
    assert!(table.hasher(&mut Gone).is_err());
}

/// Can be read and not written.
struct ReadOnly(MemoryCells);

impl Cells for ReadOnly {
    fn load(&mut self, key: &str, out: &mut Vec<u8>) -> Result<Option<u32>, CellError> {
        self.0.load(key, out)
    }

    fn store(&mut self, _: &str, _: &[u8], _: Expect) -> Result<(), CellError> {
        Err(CellError::Unavailable)
    }
}

#[test]
fn what_cannot_be_counted_does_not_pass() {
    let mut cells = ReadOnly(MemoryCells::default());
    let outcome = Table::new("edge").charge(&mut cells, &SINGLE, &MINUTE, 1, Charge::IfFits, NOW);
    assert_eq!(outcome, Outcome::Unavailable);
    assert!(Table::new("edge").hasher(&mut cells).is_err());
}

fn key(table: &mut Table, cells: &mut dyn Cells, user: u64, sets: u32) -> Key {
    let mut hasher = table.hasher(cells).unwrap();
    hasher.write_u64(user);
    Key { limit: 7, allocation: Allocation::Sets { first: 0, count: sets }, fingerprint: fingerprint(&hasher) }
}

#[test]
fn all_workers_use_the_first_seed() {
    let mut cells = MemoryCells::default();
    let (mut one, mut two) = (Table::new("edge"), Table::new("edge"));
    let first = key(&mut one, &mut cells, 1, 64).fingerprint;
    assert_eq!(key(&mut two, &mut cells, 1, 64).fingerprint, first);
    let mut other = MemoryCells::default();
    assert_ne!(key(&mut Table::new("edge"), &mut other, 1, 64).fingerprint, first);
}

#[test]
fn a_damaged_seed_is_replaced_once_for_all() {
    let mut cells = MemoryCells::default();
    cells.store("w1/edge/seed", b"short", Expect::Absent).unwrap();
    let first = key(&mut Table::new("edge"), &mut cells, 1, 64).fingerprint;
    assert_eq!(key(&mut Table::new("edge"), &mut cells, 1, 64).fingerprint, first);
}

/// A million clients in one window, and innocent ones at a tenth of their limit between them.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn a_million_keys_stay_bounded_and_innocents_pass() {
    let mut cells = MemoryCells::default();
    cells.store("w1/edge/seed", &[7; 16], Expect::Absent).unwrap();
    let mut table = Table::new("edge");
    let rule = window(100, 60);
    let (mut asked, mut refused) = (0u64, 0u64);
    for user in 0..1_000_000u64 {
        let attacker = key(&mut table, &mut cells, user + 1_000_000, 8_192);
        table.charge(&mut cells, &attacker, &rule, 1, Charge::IfFits, NOW);
        if user % 100 == 0 {
            // A thousand innocents, ten hits each.
            let innocent = key(&mut table, &mut cells, user / 100 % 1_000, 8_192);
            let outcome = table.charge(&mut cells, &innocent, &rule, 1, Charge::IfFits, NOW);
            asked += 1;
            refused += u64::from(!matches!(outcome, Outcome::Taken { .. }));
        }
    }
    assert_eq!(asked, 10_000);
    assert!(refused * 100 < asked, "{refused} of {asked}");
    assert!(cells.keys().count() <= 8_192 + 1);
    assert!(table.take_events().evictions > 900_000);
    let digits = |name: &str| name.strip_prefix("w1/edge/unspecified/").is_some_and(|set| set.parse::<u32>().is_ok());
    assert!(cells.keys().all(|name| digits(name) || name == "w1/edge/seed"));
}

#[test]
fn eviction_is_of_no_advantage() {
    let rule = window(20, 60);
    for seed in 1..=50 {
        let mut numbers = Numbers(seed);
        let mut cells = MemoryCells::default();
        cells.store("w1/edge/seed", &[7; 16], Expect::Absent).unwrap();
        let mut table = Table::new("edge");
        let mut passed = [0u64; 30];
        for _ in 0..3_000 {
            let user = numbers.below(30);
            let key = key(&mut table, &mut cells, user, 1);
            let outcome = table.charge(&mut cells, &key, &rule, 1, Charge::IfFits, NOW);
            passed[usize::try_from(user).unwrap()] += u64::from(matches!(outcome, Outcome::Taken { .. }));
        }
        assert!(passed.iter().all(|count| *count <= 20), "seed {seed}: {passed:?}");
    }
}

#[test]
fn hits_are_given_back_in_their_window_only() {
    let mut cells = MemoryCells::default();
    let mut table = Table::new("edge");
    let remaining = |table: &mut Table, cells: &mut MemoryCells, now| match table.charge(
        cells,
        &SINGLE,
        &MINUTE,
        0,
        Charge::IfFits,
        now,
    ) {
        Outcome::Taken { quota, .. } => quota.remaining,
        other => panic!("{other:?}"),
    };
    let Outcome::Taken { receipt: Some(receipt), .. } =
        table.charge(&mut cells, &SINGLE, &MINUTE, 4, Charge::IfFits, NOW)
    else {
        panic!()
    };
    table.give_back(&mut cells, &SINGLE, &MINUTE, 4, receipt);
    assert_eq!(remaining(&mut table, &mut cells, NOW), 10);
    let later = Moment { agreed_nanos: NOW.agreed_nanos + 60 * SECOND, ..NOW };
    table.charge(&mut cells, &SINGLE, &MINUTE, 4, Charge::IfFits, later);
    table.give_back(&mut cells, &SINGLE, &MINUTE, 4, receipt);
    assert_eq!(remaining(&mut table, &mut cells, later), 6);
}

#[test]
fn gcra_gives_back_only_to_the_usage_it_took_from() {
    let rule = gcra(1, 1, 5);
    let mut cells = MemoryCells::default();
    let mut table = Table::new("edge");
    let Outcome::Taken { receipt: Some(receipt), .. } =
        table.charge(&mut cells, &SINGLE, &rule, 1, Charge::IfFits, NOW)
    else {
        panic!()
    };
    let later = Moment { mono_nanos: NOW.mono_nanos + 2 * SECOND, ..NOW };
    table.charge(&mut cells, &SINGLE, &rule, 5, Charge::IfFits, later);
    table.give_back(&mut cells, &SINGLE, &rule, 1, receipt);
    let outcome = table.charge(&mut cells, &SINGLE, &rule, 1, Charge::IfFits, later);
    assert!(matches!(outcome, Outcome::Exceeded { .. }), "{outcome:?}");
}

#[test]
fn damaged_cells_are_replaced_and_counted() {
    let mut rows = Rows::default();
    for damage in [b"".as_slice(), b"hello", &[0xff; 40], &[1; 180]] {
        let mut cells = MemoryCells::default();
        cells.store("w1/edge/unspecified/s0", damage, Expect::Absent).unwrap();
        let mut table = Table::new("edge");
        let outcome = table.charge(&mut cells, &SINGLE, &MINUTE, 1, Charge::IfFits, NOW);
        rows.check(format!("{damage:?}"), matches!(outcome, Outcome::Taken { .. }), true);
        rows.check(format!("{damage:?}"), table.take_events().restarts, 1);
        let mut bytes = Vec::new();
        cells.load("w1/edge/unspecified/s0", &mut bytes).unwrap();
        rows.check(format!("{damage:?}"), Set::decode(&bytes, 7, 1).is_some(), true);
    }
}

#[test]
fn a_full_set_is_reported_as_full() {
    let rule = window(3, 60);
    let allocation = Allocation::Sets { first: 0, count: 1 };
    let mut cells = MemoryCells::default();
    let mut table = Table::new("edge");
    for fingerprint in 1..=8 {
        let outcome =
            table.charge(&mut cells, &Key { allocation, fingerprint, ..SINGLE }, &rule, 3, Charge::IfFits, NOW);
        assert!(matches!(outcome, Outcome::Taken { .. }));
    }
    let newcomer = Key { allocation, fingerprint: 9, ..SINGLE };
    let outcome = table.charge(&mut cells, &newcomer, &rule, 1, Charge::IfFits, NOW);
    assert!(matches!(outcome, Outcome::Full { .. }), "{outcome:?}");
    let busy = Key { allocation, fingerprint: 1, ..SINGLE };
    let outcome = table.charge(&mut cells, &busy, &rule, 1, Charge::IfFits, NOW);
    assert!(matches!(outcome, Outcome::Exceeded { .. }), "busy keys stay limited: {outcome:?}");
}

#[test]
fn under_gcra_a_client_that_keeps_asking_is_let_in_at_its_rate() {
    let rule = gcra(1, 1, 5);
    let mut rows = Rows::default();
    for charge in [Charge::IfFits, Charge::Always] {
        let mut cells = MemoryCells::default();
        let mut table = Table::new("edge");
        let passed = (0..400).filter(|step| {
            let now = Moment { mono_nanos: NOW.mono_nanos + step * SECOND / 20, ..NOW };
            matches!(table.charge(&mut cells, &SINGLE, &rule, 1, charge, now), Outcome::Taken { .. })
        });
        rows.check(format!("burst and rate, {charge:?}"), passed.count(), 5 + 19);
    }
}

#[test]
fn a_table_with_a_quarter_of_its_ways_in_use_hardly_ever_has_a_full_set() {
    let rule = window(3, 60);
    let mut rows = Rows::default();
    for (keys, most) in [(2_000u64, 1), (4_000, 40)] {
        let mut cells = MemoryCells::default();
        // Not a random one: the same keys meet in every run.
        cells.store("w1/edge/seed", &[7; 16], Expect::Absent).unwrap();
        let mut table = Table::new("edge");
        let start = table.hasher(&mut cells).unwrap();
        let full = (0..keys).filter(|number| {
            let mut hasher = start;
            hasher.write_u64(*number);
            let key = Key {
                allocation: Allocation::Sets { first: 0, count: 1_000 },
                fingerprint: fingerprint(&hasher),
                ..SINGLE
            };
            matches!(table.charge(&mut cells, &key, &rule, 3, Charge::IfFits, NOW), Outcome::Full { .. })
        });
        let full = full.count();
        rows.check(format!("{full} of {keys} keys in 8,000 ways"), full <= most, true);
        rows.check(keys, table.take_events().evictions, 0);
    }
}

#[test]
fn directions_do_not_share() {
    let rule = window(1, 60);
    let mut cells = MemoryCells::default();
    let mut table = Table::new("edge");
    for direction in [Some(1), Some(2), Some(0)] {
        table.set_direction(Direction::of(direction));
        let outcome = table.charge(&mut cells, &SINGLE, &rule, 1, Charge::IfFits, NOW);
        assert!(matches!(outcome, Outcome::Taken { .. }));
    }
    assert_eq!(cells.keys().count(), 3);
}
