use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn what_is_written_is_read_back() {
    let some = Callbacks { response: Need::Some, end: Need::Always, ..Callbacks::NONE };
    assert_eq!(&some.encode(), b"?+--");
    let mut rows = Rows::default();
    for callbacks in [Callbacks::NONE, some] {
        rows.check(format!("{callbacks:?}"), Callbacks::decode(&callbacks.encode()), Some(callbacks));
    }
    for damaged in [b"".as_slice(), b"?+-", b"?+---", b"?+-x"] {
        rows.check(format!("{damaged:?}"), Callbacks::decode(damaged), None);
    }
}

#[test]
fn a_composition_needs_what_any_part_needs() {
    let (never, some, always) = (Need::Never, Need::Some, Need::Always);
    let one = Callbacks { response: some, end: never, calls: never, finish: some };
    let other = Callbacks { response: always, end: some, calls: never, finish: never };
    let both = Callbacks { response: always, end: some, calls: never, finish: some };
    assert_eq!((one.union(other), other.union(one)), (both, both));
}
