use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::PairsBuilder;
use weir_proto::ext_authz::BoolValue;
use weir_testing::Rows;

#[test]
fn edits_depend_on_what_is_there() {
    let mut rows = Rows::default();
    let block = PairsBuilder::default().push(b"x-a", b"1").push(b"x-a", b"2").push(b"cookie", b"c").finish();
    for (how, name, expected) in [
        (How::Add, "x-a", "1 2 v"),
        (How::Set, "x-a", "v"),
        (How::Set, "x-b", "v"),
        (How::AddIfAbsent, "x-a", "1 2"),
        (How::AddIfAbsent, "x-b", "v"),
        (How::SetIfPresent, "x-a", "v"),
        (How::SetIfPresent, "x-b", ""),
        (How::Append, "x-a", "1,v 2"),
        (How::Append, "cookie", "c; v"),
        (How::Append, "x-b", ""),
    ] {
        let change = Change { how, name: name.into(), value: b"v".to_vec() };
        let mut headers = EditedHeaders::new(Headers::new(&block));
        edits(vec![change], Headers::new(&block)).iter().for_each(|edit| headers.apply(edit));
        let found: Vec<_> = headers.all(name.as_bytes()).map(String::from_utf8_lossy).collect();
        rows.check(format!("{how:?} {name}"), found.join(" "), expected.to_owned());
    }
}

#[test]
fn options_become_changes_as_in_envoy() {
    let mut rows = Rows::default();
    for (append, append_action, request, response) in [
        (None, 0, How::Set, How::Add),
        (None, 1, How::Set, How::AddIfAbsent),
        (None, 2, How::Set, How::Set),
        (None, 3, How::Set, How::SetIfPresent),
        (None, 9, How::Set, How::Set),
        (Some(true), 2, How::Append, How::Add),
        (Some(false), 0, How::Set, How::Set),
    ] {
        let option = HeaderOption {
            header: Some(NameValue { key: "X-A".to_owned(), value: "v".to_owned() }),
            append: append.map(|value| BoolValue { value }),
            append_action,
        };
        for (of_response, how) in [(false, request), (true, response)] {
            let change = Change::of(option.clone(), of_response);
            rows.check(
                format!("{append:?} {append_action} {of_response}"),
                change.map(|change| (change.how, change.name)),
                Some((how, b"x-a".to_vec())),
            );
        }
    }
    let nameless = HeaderOption {
        header: Some(NameValue { key: "x a".to_owned(), value: String::new() }),
        ..HeaderOption::default()
    };
    assert_eq!(Change::of(nameless, false), None);
}

#[test]
fn an_answer_may_not_ask_for_any_number_of_changes() {
    let changes = |count| Changes { remove: vec![b"a".to_vec(); count], ..Changes::default() }.bounded();
    assert!(matches!(changes(CHANGES), Consulted::Allowed(_)));
    assert_eq!(changes(CHANGES + 1), Consulted::failed(Failure::BadAnswer));
}
