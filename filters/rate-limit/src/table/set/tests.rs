use super::{Line, WAYS};
use crate::algorithm::Algorithm;
use crate::clock::{Moment, SECOND};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const RULE: Algorithm = Algorithm::FixedWindow { seconds: 60, limit: 100 };
const NOW: Moment = Moment { agreed_nanos: 6_000 * SECOND, mono_nanos: 0 };

fn put(line: &mut Line, fingerprint: u64, hits: u64) -> bool {
    let seat = line.seat(fingerprint, &RULE, NOW);
    line.settle(&seat, fingerprint, RULE.force(seat.start, hits, NOW), false);
    seat.evicts
}

fn count(line: &Line, fingerprint: u64) -> Option<u64> {
    line.find(fingerprint).map(|(_, way)| way.state & 0xffff_ffff)
}

#[test]
fn what_is_written_is_read() {
    for ways in [1, WAYS] {
        let mut line = Line::new(7, ways);
        for fingerprint in 1..=9 {
            put(&mut line, fingerprint, fingerprint);
        }
        let bytes = line.encoded().to_vec();
        assert_eq!(bytes.len(), 20 + 20 * ways);
        assert_eq!(Line::decode(&bytes, 7, ways), Some(line));
    }
}

#[test]
fn anything_else_is_not_read() {
    let bytes = Line::new(7, WAYS).encoded().to_vec();
    assert_eq!(Line::decode(&bytes, 8, WAYS), None);
    assert_eq!(Line::decode(&bytes, 7, 1), None);
    for cut in 0..bytes.len() {
        assert_eq!(Line::decode(&bytes[..cut], 7, WAYS), None);
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(Line::decode(&longer, 7, WAYS), None);
    for at in 0..4 {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x80;
        assert_eq!(Line::decode(&damaged, 7, WAYS), None);
    }
}

#[test]
fn the_least_debt_goes_and_leaves_its_mark() {
    let mut line = Line::new(7, WAYS);
    for fingerprint in 1..=8 {
        assert!(!put(&mut line, fingerprint, 10 * fingerprint));
    }
    assert!(put(&mut line, 9, 1));
    assert_eq!((count(&line, 1), count(&line, 9)), (None, Some(11)));
    assert!(put(&mut line, 1, 1));
    assert_eq!((count(&line, 9), count(&line, 1)), (None, Some(12)));
    assert_eq!(count(&line, 2), Some(20));
}

#[test]
fn what_has_passed_is_taken_first_and_owes_nothing() {
    let mut line = Line::new(7, WAYS);
    for fingerprint in 1..=8 {
        put(&mut line, fingerprint, 50);
    }
    put(&mut line, 9, 1);
    let later = Moment { agreed_nanos: NOW.agreed_nanos + 60 * SECOND, mono_nanos: 0 };
    let seat = line.seat(10, &RULE, later);
    assert_eq!((seat.start, seat.evicts, seat.newcomer), (0, false, true));
}

#[test]
fn a_place_given_back_still_owes_what_left_the_line() {
    let mut line = Line::new(7, WAYS);
    for fingerprint in 1..=8 {
        put(&mut line, fingerprint, 10 * fingerprint);
    }
    put(&mut line, 9, 1);
    let seat = line.seat(2, &RULE, NOW);
    line.settle(&seat, 2, RULE.give_back(seat.start, 20), false);
    let seat = line.seat(10, &RULE, NOW);
    assert_eq!((seat.start & 0xffff_ffff, seat.evicts), (10, false));
}
