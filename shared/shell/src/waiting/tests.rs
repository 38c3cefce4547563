use super::*;

fn call(number: u64) -> CallId {
    CallId { owner: 0, number }
}

#[test]
fn streams_leave_in_the_order_in_which_they_came() {
    let mut waiting = Waiting::default();
    for (context, number) in [(5, 1), (3, 2), (4, 1), (9, 1)] {
        waiting.keep(context, Some(call(number)), context);
    }
    assert_eq!(waiting.take(4), Some((4, true)), "it left before the answer");
    assert_eq!(waiting.take_all(call(1)), [(5, 5), (9, 9)]);
    assert_eq!(waiting.take_all(call(1)), [], "an answer is given once");
    waiting.keep(5, None, 50);
    assert_eq!(waiting.take(5), Some((50, false)), "it was decided");
    assert_eq!((waiting.take(5), waiting.waiting), (None, 1));
}

#[test]
fn only_streams_that_wait_count() {
    let mut waiting = Waiting::default();
    for context in 0..u32::try_from(LIMIT).unwrap() {
        waiting.keep(context, None, ());
    }
    assert!(!waiting.is_full());
    for context in 0..u32::try_from(LIMIT).unwrap() {
        waiting.take(context);
        waiting.keep(context, Some(call(1)), ());
    }
    assert!(waiting.is_full());
    assert_eq!(waiting.take_all(call(1)).len(), LIMIT);
    assert!(!waiting.is_full());
}
