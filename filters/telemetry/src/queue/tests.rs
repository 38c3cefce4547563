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

#[test]
fn the_account_that_took_the_least_time_is_next() {
    let mut queue = queue(&[(Rank::Vouched, 7, 1), (Rank::Vouched, 7, 2), (Rank::Plain, 0, 3), (Rank::Vouched, 5, 4)]);
    let first = |queue: &Queue| queue.next(1, missing).first().map(|(row, _)| *row);
    for (account, nanos, next) in [(0, 10, 4), (5, 30, 1), (7, 20, 3), (0, 40, 1), (7, 50, 4)] {
        queue.charge(account, nanos);
        assert_eq!(first(&queue), Some(next), "account {account} paid {nanos}");
    }
}

#[test]
fn an_account_without_rows_keeps_what_it_took() {
    let mut queue = queue(&[(Rank::Vouched, 7, 1), (Rank::Vouched, 5, 2)]);
    queue.charge(5, 10);
    queue.charge(7, 20);
    queue.trim(|row, _| row == 1);
    queue.push(Rank::Vouched, 7, 0, 3);
    assert_eq!(queue.next(9, missing), [(2, 0), (2, 1), (3, 0)]);
    queue.trim(|_, _| true);
    assert!(queue.is_empty() && queue.next(9, missing).is_empty());
}
