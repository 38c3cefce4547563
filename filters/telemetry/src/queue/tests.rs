//! Who gets the next series.

use super::Queue;
use crate::key::Rank;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A queue in which every row lacks its counter and one histogram.
fn queue(rows: &[(Rank, u32, u32)]) -> Queue {
    let mut queue = Queue::default();
    for (rank, account, row) in rows {
        queue.push(*rank, *account, 0, *row);
        queue.push(*rank, *account, 1, *row);
    }
    queue
}

fn missing(_row: u32, bits: u8) -> u8 {
    bits & 0b0011
}

#[test]
fn overflow_comes_first_and_made_up_names_last() {
    let rows = [(Rank::Invented, 0, 1), (Rank::Plain, 0, 2), (Rank::Overflow, 0, 3)];
    assert_eq!(queue(&rows).next(9, missing), [(3, 0), (3, 1), (2, 0), (2, 1), (1, 0), (1, 1)]);
}

const MILLI: u64 = 1_000_000;

#[test]
fn the_account_that_took_the_least_time_is_next() {
    let mut queue = queue(&[(Rank::Vouched, 7, 1), (Rank::Vouched, 7, 2), (Rank::Plain, 0, 3), (Rank::Vouched, 5, 4)]);
    let first = |queue: &Queue| queue.next(1, missing).first().map(|(row, _)| *row);
    for (account, millis, next) in [(0, 1, 4), (5, 3, 1), (7, 2, 3), (0, 4, 1), (7, 5, 4)] {
        queue.charge(account, millis * MILLI);
        assert_eq!(first(&queue), Some(next), "account {account} paid {millis} ms");
    }
}

#[test]
fn what_an_account_took_long_ago_is_forgiven_in_part() {
    let mut queue = queue(&[(Rank::Vouched, 7, 1), (Rank::Vouched, 5, 2)]);
    queue.charge(7, 1000 * MILLI);
    queue.trim(|row, _| row == 1);
    queue.push(Rank::Vouched, 7, 0, 3);
    assert_eq!(queue.next(9, missing), [(2, 0), (2, 1), (3, 0)]);
    // Its debt of a second counts for twenty milliseconds.
    queue.charge(5, 25 * MILLI);
    assert_eq!(queue.next(1, missing), [(3, 0)]);
    queue.trim(|_, _| true);
    assert!(queue.is_empty() && queue.next(9, missing).is_empty());
}

#[test]
fn newcomers_one_after_the_other_do_not_starve_an_account() {
    let mut queue = queue(&[(Rank::Vouched, 1, 1)]);
    queue.charge(1, 10 * MILLI);
    let mut served = false;
    for newcomer in 2..30 {
        queue.push(Rank::Vouched, newcomer, 0, newcomer);
        let Some((row, _)) = queue.next(1, missing).first().copied() else { break };
        served |= row == 1;
        queue.charge(row, 3 * MILLI);
        queue.trim(|other, _| other == row);
    }
    assert!(served, "row 1 was never next");
}

#[test]
fn one_account_does_not_take_all_room() {
    let mut queue = Queue::default();
    let mut admitted = 0;
    while queue.has_room(Rank::Vouched, 7) && admitted < 100_000 {
        queue.push(Rank::Vouched, 7, 0, admitted);
        admitted += 1;
    }
    assert_eq!(admitted, 2048);
    assert!(queue.has_room(Rank::Vouched, 5) && queue.has_room(Rank::Plain, 0));
}
