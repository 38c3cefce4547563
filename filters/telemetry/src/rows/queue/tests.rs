//! Who gets the next series.

use super::{Lane, Queue};
use crate::labels::key::Rank;
use crate::metrics::Metric::{Duration, Requests};
use crate::metrics::MetricSet;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A queue in which every row lacks its counter and one histogram.
fn queue(rows: &[(Rank, u32, u32)]) -> Queue {
    let mut queue = Queue::default();
    for (rank, account, row) in rows {
        queue.push(*rank, *account, Lane::Counter, *row);
        queue.push(*rank, *account, Lane::Histograms, *row);
    }
    queue
}

fn missing(_row: u32, lane: Lane) -> MetricSet {
    let mut lacks = MetricSet::EMPTY;
    [Requests, Duration].into_iter().for_each(|metric| lacks.insert(metric));
    lane.metrics().and(lacks)
}

#[test]
fn overflow_comes_first_and_made_up_names_last() {
    let rows = [(Rank::Invented, 0, 1), (Rank::Plain, 0, 2), (Rank::Overflow, 0, 3)];
    assert_eq!(
        queue(&rows).next(9, missing),
        [(3, Requests), (3, Duration), (2, Requests), (2, Duration), (1, Requests), (1, Duration)]
    );
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
    queue.push(Rank::Vouched, 7, Lane::Counter, 3);
    assert_eq!(queue.next(9, missing), [(2, Requests), (2, Duration), (3, Requests)]);
    // Its debt of a second counts for twenty milliseconds.
    queue.charge(5, 25 * MILLI);
    assert_eq!(queue.next(1, missing), [(3, Requests)]);
    queue.trim(|_, _| true);
    assert!(queue.is_empty() && queue.next(9, missing).is_empty());
}

#[test]
fn newcomers_one_after_the_other_do_not_starve_an_account() {
    let mut queue = queue(&[(Rank::Vouched, 1, 1)]);
    queue.charge(1, 10 * MILLI);
    let mut served = false;
    for newcomer in 2..30 {
        queue.push(Rank::Vouched, newcomer, Lane::Counter, newcomer);
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
        queue.push(Rank::Vouched, 7, Lane::Counter, admitted);
        admitted += 1;
    }
    assert_eq!(admitted, 2048);
    assert!(queue.has_room(Rank::Vouched, 5) && queue.has_room(Rank::Plain, 0));
}
