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
    assert_eq!((waiting.take(5), waiting.streams.len()), (None, 1));
}

#[test]
fn only_streams_that_wait_count() {
    let mut waiting = Waiting::default();
    let contexts = |of: u64| (0..64u32).map(move |place| u32::try_from(of).unwrap() * 64 + place);
    for context in contexts(0) {
        waiting.keep(context, None, ());
    }
    assert!(!waiting.is_full(call(0)));
    for of in 0..16 {
        assert!(!waiting.is_full(call(of)), "no stream waits for callout {of}");
        for context in contexts(of) {
            waiting.take(context);
            waiting.keep(context, Some(call(of)), ());
        }
        assert!(waiting.is_full(call(of)));
    }
    assert!(waiting.is_full(call(16)), "1,024 wait");
    assert_eq!(waiting.take_all(call(1)).len(), LIMIT_OF_CALL);
    assert_eq!([1, 2, 16].map(|number| waiting.is_full(call(number))), [false, true, false]);
}
