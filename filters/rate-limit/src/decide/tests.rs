use super::{Charging, Limiter};
use crate::algorithm::Retry;
use crate::clock::SECOND;
use crate::compiled::limits::LimitTree;
use crate::config;
use crate::decision::{Decision, LimitDecision, OnFull, Reason};
use crate::descriptor::Descriptors;
use crate::table::{Allocation, Charge, Key, Outcome, Table};
use crate::testing::{Numbers, gcra};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::read_document;
use weir_model::{Cells, Expect, MemoryCells, Now};
use weir_testing::Rows;

const NOW: Now = Now { wall_nanos: 6_000 * SECOND, mono_nanos: 6_000 * SECOND };

struct World {
    tree: LimitTree,
    table: Table,
    cells: MemoryCells,
    limiter: Limiter,
    /// When the request that was refused last fits.
    retry: Option<Retry>,
}

/// Limits called after their keys.
fn world(limits: &str, charging: Charging) -> World {
    let items = limits.split_whitespace().map(|limit| {
        let (key, rest) = limit.split_once('=').unwrap();
        format!(r#"{{"key":"{key}",{rest}}}"#)
    });
    let config = format!(r#"{{"domain":"d","descriptors":[{}]}}"#, items.collect::<Vec<_>>().join(","));
    let tree = read_document(config.as_bytes(), |at| config::read_limits(&at, &mut Vec::new(), 64)).unwrap();
    let limiter = Limiter::new(charging, OnFull::Deny);
    World { tree, table: Table::new("edge"), cells: MemoryCells::default(), limiter, retry: None }
}

impl World {
    /// Asks with descriptors of one entry each, `key:value:hits`. Gives the key of the limit that refuses.
    fn ask(&mut self, descriptors: &str) -> Option<String> {
        let mut list = Descriptors::default();
        for descriptor in descriptors.split_whitespace() {
            let parts: Vec<&str> = descriptor.split(':').collect();
            let mark = list.mark();
            list.entry(parts[0].as_bytes(), |bytes| {
                bytes.extend_from_slice(parts[1].as_bytes());
                true
            });
            list.keep(mark, parts[2].parse().unwrap());
        }
        match self.limiter.decide(&self.tree, &list, &mut self.table, &mut self.cells, NOW) {
            Decision::Refused(by, refusal) => {
                self.retry = refusal.retry;
                Some(self.tree.label(by.limit).to_owned())
            }
            Decision::Allowed(_) | Decision::NoLimit => None,
        }
    }

    fn left(&mut self, descriptor: &str) -> u64 {
        assert_eq!(self.ask(&format!("{descriptor}:0")), None);
        self.limiter.decisions[0].quota.unwrap().remaining
    }
}

const TWO: &str = r#"a="rate_limit":{"unit":"minute","requests_per_unit":5}
                     b="rate_limit":{"unit":"minute","requests_per_unit":2}"#;

#[test]
fn a_refused_request_counts_nowhere() {
    let mut world = world(TWO, Charging::AllOrNothing);
    for refused in [None, None, Some("b"), Some("b")] {
        assert_eq!(world.ask("a:x:1 b:y:1").as_deref(), refused);
    }
    assert_eq!((world.left("a:x"), world.left("b:y")), (3, 0));
}

#[test]
fn the_service_counts_everywhere() {
    let mut world = world(TWO, Charging::Reference);
    for refused in [None, None, Some("b"), Some("b")] {
        assert_eq!(world.ask("a:x:1 b:y:1").as_deref(), refused);
    }
    assert_eq!(world.left("a:x"), 1);
    assert_eq!(world.ask("a:x:1 b:z:1"), None);
    assert_eq!(world.ask("a:x:1 b:z:1").as_deref(), Some("a"));
    assert_eq!(world.ask("b:z:1").as_deref(), Some("b"), "a refusal elsewhere counted here");
}

#[test]
fn values_are_counted_alone_and_hits_add_up() {
    let mut world = world(TWO, Charging::AllOrNothing);
    assert_eq!(world.ask("a:x:3"), None);
    assert_eq!(world.ask("a:x:3").as_deref(), Some("a"));
    assert_eq!(world.ask("a:y:5"), None);
    assert_eq!(world.ask("a:x:2"), None);
    assert_eq!(world.ask("a:x:1 a:x:1").as_deref(), Some("a"));
    assert_eq!(world.ask("unknown:x:1"), None);
    assert!(world.limiter.decisions.is_empty());
}

#[test]
fn the_same_descriptor_twice_counts_twice() {
    let mut world = world(TWO, Charging::AllOrNothing);
    assert_eq!(world.ask("b:x:1 b:x:1"), None);
    assert_eq!(world.ask("b:x:1").as_deref(), Some("b"));
    assert_eq!(world.ask("b:z:1"), None);
    assert_eq!(world.ask("b:z:1 b:z:1").as_deref(), Some("b"));
    assert_eq!(world.left("b:z"), 1);
}

#[test]
fn shadow_limits_count_and_never_refuse() {
    let limits = r#"s="shadow_mode":true,"rate_limit":{"unit":"minute","requests_per_unit":1}
                    a="rate_limit":{"unit":"minute","requests_per_unit":3}"#;
    let mut world = world(limits, Charging::AllOrNothing);
    for over in [false, true, true] {
        assert_eq!(world.ask("s:x:1 a:y:1"), None);
        let shadow = world.limiter.decisions.iter().find(|decision| decision.shadow).unwrap();
        assert_eq!(shadow.is_over(), over);
    }
    assert_eq!(world.ask("s:x:1 a:y:1").as_deref(), Some("a"));
}

#[test]
fn unlimited_limits_use_no_cell() {
    let mut world = world(r#"u="rate_limit":{"unlimited":true}"#, Charging::AllOrNothing);
    assert_eq!(world.ask("u:x:1"), None);
    assert_eq!(world.limiter.decisions[0].reason, Reason::Unlimited);
    assert_eq!(world.cells.keys().count(), 0);
}

#[test]
fn replaced_limits_are_neither_applied_nor_counted() {
    let limits = r#"a="rate_limit":{"name":"base","unit":"minute","requests_per_unit":1}
                    b="rate_limit":{"name":"more","replaces":[{"name":"base"}],"unit":"minute","requests_per_unit":3}"#;
    let mut world = world(limits, Charging::AllOrNothing);
    for refused in [None, None, None, Some("more")] {
        assert_eq!(world.ask("a:x:1 b:y:1").as_deref(), refused);
    }
    assert_eq!(world.ask("a:x:1"), None);
    assert_eq!(world.ask("a:x:1").as_deref(), Some("base"));
}

#[test]
fn a_limit_without_client_values_has_one_cell() {
    let limits = r#"a="value":"v","rate_limit":{"unit":"minute","requests_per_unit":1}
                    w="value":"p*","share_threshold":true,"rate_limit":{"unit":"minute","requests_per_unit":1}"#;
    let mut world = world(limits, Charging::AllOrNothing);
    assert_eq!(world.ask("a:v:1"), None);
    assert_eq!(world.ask("a:v:1").as_deref(), Some("a_v"));
    assert_eq!(world.ask("w:p1:1"), None);
    assert_eq!(world.ask("w:p2:1").as_deref(), Some("w_p*"));
    let names: Vec<&str> = world.cells.keys().filter(|name| *name != "w1/clock").collect();
    let number =
        |name: &&str| name.strip_prefix("w1/edge/unspecified/s").is_some_and(|slot| slot.parse::<u32>().is_ok());
    assert!(names.len() == 2 && names.iter().all(number), "{names:?}");
}

/// Shared data in which one cell cannot be reached.
struct Without(&'static str, MemoryCells);

impl Cells for Without {
    fn load(&mut self, key: &str, out: &mut Vec<u8>) -> Result<Option<u32>, weir_model::CellError> {
        if key.ends_with(self.0) { Err(weir_model::CellError::Unavailable) } else { self.1.load(key, out) }
    }

    fn store(&mut self, key: &str, value: &[u8], expect: Expect) -> Result<(), weir_model::CellError> {
        self.1.store(key, value, expect)
    }
}

#[test]
fn without_seed_or_clock_limits_that_need_it_refuse() {
    let limits = r#"u="rate_limit":{"unit":"minute","requests_per_unit":5}
                    s="value":"x","rate_limit":{"unit":"minute","requests_per_unit":5}
                    n="rate_limit":{"unlimited":true}"#;
    // The cell that is missing, the key, and the reason of its limit.
    let rows = [
        ("seed", "u", Reason::Unavailable),
        ("seed", "s", Reason::Within),
        ("seed", "n", Reason::Unlimited),
        ("clock", "u", Reason::Unavailable),
        ("clock", "s", Reason::Unavailable),
        ("clock", "n", Reason::Unlimited),
        ("none", "u", Reason::Within),
    ];
    let mut results = Rows::default();
    for (missing, key, reason) in rows {
        let World { tree, mut table, cells, mut limiter, .. } = world(limits, Charging::AllOrNothing);
        let mut cells = Without(missing, cells);
        let mut list = Descriptors::default();
        list.entry(key.as_bytes(), |bytes| {
            bytes.push(b'x');
            true
        });
        list.keep(0, 1);
        let decision = limiter.decide(&tree, &list, &mut table, &mut cells, NOW);
        let found = limiter.decisions.first().map(|decision: &LimitDecision| decision.reason);
        let refuses = reason == Reason::Unavailable;
        results.check(format!("{missing} {key}"), (found, decision.refuses()), (Some(reason), refuses));
        cells.0 = "none";
        let healed = limiter.decide(&tree, &list, &mut table, &mut cells, NOW);
        results.check(format!("{missing} {key}, when the cell is back"), healed.refuses(), false);
    }
}

#[test]
fn without_a_clock_gcra_goes_on() {
    let mut table = Table::new("edge");
    let mut cells = Without("clock", MemoryCells::default());
    assert!(table.agree_clock(&mut cells, NOW).is_err());
    let rule = gcra(5, 60, 2);
    let key = Key { limit: 1, allocation: Allocation::Single(0), fingerprint: 1 };
    let moment = table.moment(NOW);
    assert!(matches!(table.charge(&mut cells, &key, &rule, 1, Charge::IfFits, moment), Outcome::Taken { .. }));
}

#[test]
fn the_longest_wait_decides() {
    let limits = r#"m="rate_limit":{"unit":"minute","requests_per_unit":1}
                    h="rate_limit":{"unit":"hour","requests_per_unit":1}
                    z="rate_limit":{"unit":"minute","requests_per_unit":0}"#;
    let (minute, hour) = (Some(Retry::After(60 * SECOND)), Some(Retry::After(1_200 * SECOND)));
    // How limits are charged, the request that is refused after one like it, by which limit, and the wait.
    let rows = [
        (Charging::Reference, "m:x:1 h:x:1", "h", hour),
        (Charging::Reference, "h:x:1 m:x:1", "h", hour),
        (Charging::Reference, "m:x:1 h:x:2", "h", Some(Retry::Never)),
        (Charging::Reference, "h:x:1 z:x:1 m:x:1", "z", Some(Retry::Never)),
        (Charging::AllOrNothing, "m:x:1 h:x:1", "h", hour),
        (Charging::AllOrNothing, "h:x:1 m:x:1", "h", hour),
        (Charging::AllOrNothing, "m:x:2", "m", Some(Retry::Never)),
        (Charging::AllOrNothing, "z:x:1", "z", Some(Retry::Never)),
        // Together they are two of one.
        (Charging::AllOrNothing, "m:x:1 h:x:1 m:x:1", "m", Some(Retry::Never)),
        (Charging::AllOrNothing, "m:x:1 m:y:1", "m", minute),
    ];
    let mut table = Rows::default();
    for (charging, request, limit, wait) in rows {
        let mut world = world(limits, charging);
        world.ask(request);
        let refused = world.ask(request);
        table.check(format!("{charging:?} {request}"), (refused.as_deref(), world.retry), (Some(limit), wait));
    }
}

/// Between a load and its store, another worker may run a whole request: that is every interleaving that
/// compare-and-swap can distinguish.
struct Crowd<'c> {
    inner: &'c mut MemoryCells,
    others: &'c mut Vec<(Table, Limiter)>,
    tree: &'c LimitTree,
    requests: &'c [&'c [(&'c str, &'c str)]],
    passed: &'c mut Vec<usize>,
    random: &'c mut Numbers,
}

impl Crowd<'_> {
    /// One worker decides one of the requests.
    fn go(&mut self) {
        let Some((mut table, mut limiter)) = self.others.pop() else { return };
        let which = usize::try_from(self.random.below(u64::try_from(self.requests.len()).unwrap())).unwrap();
        let mut list = Descriptors::default();
        for (key, value) in self.requests[which] {
            let mark = list.mark();
            list.entry(key.as_bytes(), |bytes| {
                bytes.extend_from_slice(value.as_bytes());
                true
            });
            list.keep(mark, 1);
        }
        let tree = self.tree;
        if !limiter.decide(tree, &list, &mut table, self, NOW).refuses() {
            self.passed.push(which);
        }
        self.others.push((table, limiter));
    }
}

impl Cells for Crowd<'_> {
    fn load(&mut self, key: &str, out: &mut Vec<u8>) -> Result<Option<u32>, weir_model::CellError> {
        self.inner.load(key, out)
    }

    fn store(&mut self, key: &str, value: &[u8], expect: Expect) -> Result<(), weir_model::CellError> {
        if self.random.below(2) == 0 {
            self.go();
        }
        self.inner.store(key, value, expect)
    }
}

#[test]
fn several_limits_are_never_exceeded_while_workers_give_back() {
    let limits = r#"a="rate_limit":{"unit":"minute","requests_per_unit":6}
                    b="rate_limit":{"unit":"minute","requests_per_unit":4}"#;
    let requests: [&[(&str, &str)]; 4] =
        [&[("a", "x"), ("b", "y")], &[("a", "x")], &[("b", "y"), ("a", "z")], &[("b", "y"), ("a", "x")]];
    let uses = |which: usize, entry: (&str, &str)| requests[which].contains(&entry);
    let mut refused = 0;
    for seed in 1..=300u64 {
        let World { tree, mut cells, .. } = world(limits, Charging::AllOrNothing);
        let mut others: Vec<_> =
            (0..8).map(|_| (Table::new("edge"), Limiter::new(Charging::AllOrNothing, OnFull::Deny))).collect();
        let (mut passed, mut random) = (Vec::new(), Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let mut crowd = Crowd {
            inner: &mut cells,
            others: &mut others,
            tree: &tree,
            requests: &requests,
            passed: &mut passed,
            random: &mut random,
        };
        for _ in 0..20 {
            crowd.go();
        }
        for (entry, limit) in [(("a", "x"), 6), (("a", "z"), 6), (("b", "y"), 4)] {
            let count = passed.iter().filter(|which| uses(**which, entry)).count();
            assert!(count <= limit, "seed {seed}: {count} of {entry:?}");
        }
        refused += usize::from(passed.len() < 20);
    }
    assert_eq!(refused, 300);
}
