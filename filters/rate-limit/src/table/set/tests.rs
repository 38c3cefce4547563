use super::{Access, Set, WAYS};
use crate::algorithm::{Algorithm, Usage};
use crate::clock::{Moment, SECOND};
use crate::testing::window;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

const RULE: Algorithm = window(100, 60);
const NOW: Moment = Moment { agreed_nanos: 6_000 * SECOND, mono_nanos: 0 };

fn put(set: &mut Set, fingerprint: u64, hits: u64) -> bool {
    let lookup = set.lookup(fingerprint, &RULE, NOW);
    set.write(&lookup, fingerprint, RULE.overdraw(lookup.usage, hits, NOW), false);
    lookup.access == Access::Eviction
}

fn hits(usage: Usage) -> u64 {
    usage.0 & 0xffff_ffff
}

fn count(set: &Set, fingerprint: u64) -> Option<u64> {
    set.find(fingerprint).map(|(_, entry)| hits(entry.usage))
}

#[test]
fn what_is_written_is_read() {
    let mut rows = Rows::default();
    for ways in [1, WAYS] {
        let mut set = Set::new(7, ways);
        for fingerprint in 1..=9 {
            put(&mut set, fingerprint, fingerprint);
        }
        let bytes = set.encoded().to_vec();
        rows.check(ways, bytes.len(), 20 + 20 * ways);
        rows.check(ways, Set::decode(&bytes, 7, ways), Some(set));
    }
}

#[test]
fn anything_else_is_not_read() {
    let bytes = Set::new(7, WAYS).encoded().to_vec();
    assert_eq!(Set::decode(&bytes, 8, WAYS), None);
    assert_eq!(Set::decode(&bytes, 7, 1), None);
    for cut in 0..bytes.len() {
        assert_eq!(Set::decode(&bytes[..cut], 7, WAYS), None);
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(Set::decode(&longer, 7, WAYS), None);
    for at in 0..4 {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x80;
        assert_eq!(Set::decode(&damaged, 7, WAYS), None);
    }
}

#[test]
fn the_least_usage_is_evicted_and_remembered() {
    let mut set = Set::new(7, WAYS);
    for fingerprint in 1..=8 {
        assert!(!put(&mut set, fingerprint, 10 * fingerprint));
    }
    assert!(put(&mut set, 9, 1));
    assert_eq!((count(&set, 1), count(&set, 9)), (None, Some(11)));
    assert!(put(&mut set, 1, 1));
    assert_eq!((count(&set, 9), count(&set, 1)), (None, Some(12)));
    assert_eq!(count(&set, 2), Some(20));
}

#[test]
fn an_expired_entry_is_replaced_and_leaves_no_usage() {
    let mut set = Set::new(7, WAYS);
    for fingerprint in 1..=8 {
        put(&mut set, fingerprint, 50);
    }
    put(&mut set, 9, 1);
    let later = Moment { agreed_nanos: NOW.agreed_nanos + 60 * SECOND, mono_nanos: 0 };
    let lookup = set.lookup(10, &RULE, later);
    assert_eq!((lookup.usage, lookup.access), (Usage::NONE, Access::Miss));
}

#[test]
fn a_free_way_still_starts_with_the_evicted_usage() {
    let mut set = Set::new(7, WAYS);
    for fingerprint in 1..=8 {
        put(&mut set, fingerprint, 10 * fingerprint);
    }
    put(&mut set, 9, 1);
    let lookup = set.lookup(2, &RULE, NOW);
    set.write(&lookup, 2, RULE.give_back(lookup.usage, 20), false);
    let lookup = set.lookup(10, &RULE, NOW);
    assert_eq!((hits(lookup.usage), lookup.access), (10, Access::Miss));
}
