use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn finds_what_was_put_in_and_nothing_else() {
    let mut table = Table::default();
    for number in 0..5000u32 {
        table.insert(number % 7, Box::from(format!("/path/{number}").as_bytes()), number);
    }
    for number in 0..5000u32 {
        let key = format!("/path/{number}");
        let hash = Hash::of(key.as_bytes());
        assert_eq!(table.get(number % 7, hash, key.as_bytes()), Some(number));
        assert_eq!(table.get(7, hash, key.as_bytes()), None);
    }
    assert_eq!(table.get(0, Hash::of(b"/path/"), b"/path/"), None);
    assert_eq!(Table::default().get(0, Hash::EMPTY, b""), None);
    assert!(table.slots.len() > 2 * table.entries.len(), "at least half of the slots are empty");
}
