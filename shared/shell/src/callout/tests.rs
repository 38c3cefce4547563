use super::*;
use weir_testing::Rows;

/// Remembers what it was called with.
#[derive(Default)]
struct Seen(Rc<RefCell<Vec<(u64, String)>>>);

impl Caller for Seen {
    fn answered(&self, _: u32, id: CallId, answer: Answer<'_>) {
        self.0.borrow_mut().push((id.number, format!("{answer:?}")));
    }

    fn goes_on(&self, lender: u32) {
        self.0.borrow_mut().push((lender.into(), "goes on".to_owned()));
    }
}

fn register_as(token: Token, number: u64, caller: &Rc<Seen>) {
    let caller: Rc<dyn Caller> = Rc::clone(caller) as _;
    register(token, CallId { owner: 0, number }, Rc::downgrade(&caller), (1, false));
}

#[test]
fn each_token_is_answered_once_and_unknown_ones_are_left_alone() {
    let seen = Rc::new(Seen::default());
    register_as(Token::Http(4), 1, &seen);
    register_as(Token::Grpc(9), 2, &seen);
    // Of the other kind, never given out, and two times.
    weir_on_grpc_close(1, 4, 14);
    weir_on_http_call_response(1, 9, 0, 0, 0);
    weir_on_grpc_receive(1, 77, 5);
    weir_on_grpc_close(1, 9, 7);
    weir_on_grpc_close(1, 9, 7);
    weir_on_http_call_response(1, 4, 0, 0, 0);
    weir_on_http_call_response(1, 4, 3, 5, 0);
    let expected = [(2, "Failed(Status(7))".to_owned()), (1, "Failed(Reset)".to_owned())];
    assert_eq!(*seen.0.borrow(), expected);
}

#[test]
fn what_is_too_large_is_not_read_and_what_cannot_be_read_has_no_answer() {
    let seen = Rc::new(Seen::default());
    let answers: [(&dyn Fn(u32), &str); 4] = [
        (&|token| weir_on_http_call_response(1, token, 1, ANSWER_LIMIT + 1, 0), "Failed(Unreadable)"),
        (
            &|token| weir_on_grpc_receive(1, token, ANSWER_LIMIT + 1),
            "TooLarge { bytes: 1048577, headers: Headers { bytes: [], count: 0 } }",
        ),
        // Outside a host every hostcall fails.
        (&|token| weir_on_http_call_response(1, token, 1, ANSWER_LIMIT, 0), "Failed(Unreadable)"),
        (&|token| weir_on_grpc_receive(1, token, ANSWER_LIMIT), "Failed(Unreadable)"),
    ];
    let mut rows = Rows::default();
    for (at, (answer, expected)) in answers.into_iter().enumerate() {
        let number = u32::try_from(at).unwrap() + 100;
        register_as(Token::Http(number), u64::from(number), &seen);
        register_as(Token::Grpc(number), u64::from(number), &seen);
        answer(number);
        rows.check(format!("{at:?}"), seen.0.borrow_mut().pop(), Some((u64::from(number), expected.to_owned())));
    }
}

#[test]
fn tokens_end_with_their_caller() {
    let (gone, stays) = (Rc::new(Seen::default()), Rc::new(Seen::default()));
    register_as(Token::Http(4), 1, &gone);
    register_as(Token::Http(8), 2, &stays);
    drop(gone);
    forget_dead();
    assert_eq!(IN_FLIGHT.with(|calls| calls.borrow().len()), 1);
    weir_on_http_call_response(1, 4, 0, 0, 0);
    assert!(stays.0.borrow().is_empty());
}

#[test]
fn what_runs_on_a_lent_root_keeps_its_caller_and_ends_with_the_root() {
    let seen = Seen::default();
    let lent = |token, number, root| {
        let caller: Rc<dyn Caller> = Rc::new(Seen(seen.0.clone()));
        register(token, CallId { owner: 0, number }, Rc::downgrade(&caller), (root, true));
        Rc::downgrade(&caller)
    };
    let (answered, ended) = (lent(Token::Grpc(4), 1, 2), lent(Token::Grpc(8), 2, 3));
    forget_dead();
    assert_eq!((lent_calls(), answered.strong_count(), ended.strong_count()), (2, 1, 1));
    weir_on_grpc_close(2, 4, 14);
    assert_eq!(seen.0.take(), [(1, "Failed(Status(14))".to_owned())]);
    assert_eq!((lent_calls(), answered.strong_count()), (1, 0), "the last answer lets it go");
    let stays = Rc::new(Seen::default());
    register_as(Token::Http(12), 3, &stays);
    let guests = forget_root(3);
    assert_eq!((guests.len(), ended.strong_count(), lent_calls()), (1, 1, 0));
    drop(guests);
    assert_eq!(ended.strong_count(), 0);
    assert!(forget_root(1).is_empty(), "it was not lent");
    weir_on_http_call_response(1, 12, 0, 0, 0);
    assert!(stays.0.borrow().is_empty(), "the host cancels callouts with their root");
}

fn lent_calls() -> usize {
    super::lent()
}

#[test]
fn only_what_envoy_reads_as_it_is_meant_may_be_sent() {
    let pair = |name: &[u8], value: &[u8]| vec![(name.to_vec(), value.to_vec())];
    let mut rows = Rows::default();
    for (name, value, sent) in [
        (b":path".as_slice(), b"/\xff\x80%41".as_slice(), true),
        (b"x-a_b", b"", true),
        (b"", b"a", false),
        (b":", b"a", false),
        (b"a b", b"a", false),
        (b"a\xff", b"a", false),
        (b"a", b"a\r\nb: c", false),
        (b"a", b"a\0", false),
    ] {
        rows.check(format!("{name:?}: {value:?}"), pairs(&pair(name, value)).is_some(), sent);
    }
    assert_eq!(pairs(&[]), Some(Vec::new()));
    let many = |count| vec![(b"n".to_vec(), b"v".to_vec()); count];
    assert!(pairs(&many(PAIRS)).is_some() && pairs(&many(PAIRS + 1)).is_none(), "Envoy would read none");
    assert!(pairs(&pair(b"n", &vec![b'v'; PAIRS_BYTES])).is_none(), "Envoy would read none");
}

#[test]
fn timeouts_are_positive_and_parts_of_a_path_hold_no_slash() {
    assert_eq!([0, 1, 5, u32::MAX].map(timeout), [1, 1, 5, 0x7fff_ffff]);
    let parts = [("a.B", true), ("", false), ("a/b", false), ("a b", false), ("a\r", false), ("é", false)];
    let mut rows = Rows::default();
    for (part, fits) in parts {
        rows.check(format!("{part:?}"), is_path_part(part), fits);
    }
}
