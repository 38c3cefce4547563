use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_proto::Severity;
use weir_testing::Rows;

fn record(body: &str) -> LogRecord<'_> {
    let (severity, event_name, attributes) = (Severity::Info, "e", &[]);
    LogRecord { time_nanos: 1, severity, event_name, body, attributes, trace_id: None }
}

/// The bytes that a record with this body takes.
fn size(body: &str) -> usize {
    let mut bytes = Vec::new();
    record(body).append_to(&mut bytes, &mut Vec::new());
    bytes.len()
}

fn limits(records: usize, bytes: usize, batch: usize) -> Limits {
    Limits { records, bytes, batch, interval: Duration::from_secs(1) }
}

#[test]
fn batches_are_full_at_their_number_or_at_their_bytes() {
    let large = "l".repeat(BATCH_BYTES / 2);
    let mut rows = Rows::default();
    for (bodies, expected) in [
        (vec!["a"; 7], vec![3, 3, 1]),
        (vec!["a"; 3], vec![3]),
        (vec![], vec![]),
        (vec![&large, &large, &large], vec![2, 1]),
    ] {
        let mut queue = Queue::new(limits(100, 100 * BATCH_BYTES, 3));
        bodies.iter().for_each(|body| assert!(queue.push(&record(body))));
        let taken: Vec<usize> = std::iter::from_fn(|| queue.take(true)).map(|batch| batch.records).collect();
        rows.check(format!("{} records", bodies.len()), (taken, queue.is_empty()), (expected, true));
    }
    let mut queue = Queue::new(limits(100, 10_000, 3));
    assert!(queue.push(&record("a")));
    assert!(queue.take(false).is_none(), "the open batch waits");
}

#[test]
fn what_is_taken_out_keeps_its_room_until_it_is_released() {
    let mut queue = Queue::new(limits(4, 10_000, 2));
    assert!((0..4).all(|_| queue.push(&record("a"))));
    assert!(!queue.push(&record("a")));
    let batch = queue.take(false).unwrap();
    assert!(!queue.has_room() && !queue.push(&record("a")));
    queue.release(&batch);
    assert!(queue.push(&record("a")) && queue.push(&record("a")) && !queue.push(&record("a")));
    assert_eq!((queue.clear(), queue.clear(), queue.is_empty()), (4, 0, true));
    assert_eq!((queue.records, queue.bytes), (0, 0));
}

#[test]
fn bytes_are_bounded_to_the_last_one() {
    let one = size("abc");
    let mut rows = Rows::default();
    for (bytes, fit) in [(3 * one, 3), (3 * one - 1, 2), (one, 1), (one - 1, 0), (0, 0)] {
        let mut queue = Queue::new(limits(100, bytes, 100));
        let kept = (0..10).filter(|_| queue.push(&record("abc"))).count();
        rows.check(bytes, (kept, queue.bytes, queue.open.bytes.len()), (fit, fit * one, fit * one));
    }
    // A record that does not fit leaves no trace, and a smaller one may.
    let mut queue = Queue::new(limits(100, one, 100));
    assert!(!queue.push(&record("abcd")) && queue.push(&record("abc")));
    assert_eq!(queue.take(true).unwrap().bytes.len(), one);
}
