use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn finds_what_was_put_in_and_nothing_else() {
    let mut table = Table::default();
    for number in 0..5000u32 {
        let key = format!("/path/{number}");
        table.insert(number % 7, Hash::of(key.as_bytes()), key.as_bytes(), number);
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

#[test]
fn nested_keys_are_found_from_either_end() {
    // Each of these is a prefix of `aabbaabb`, a suffix of it, both, or neither.
    let keys = ["a", "aa", "aab", "aabbaabb", "b", "bb", "abb", "baabb", "ab", "x", "aax", "xbb"];
    for side in [Side::Start, Side::End] {
        let mut table = Table::default();
        for (key, number) in keys.iter().zip(0u32..) {
            let hash = match side {
                Side::Start => Hash::of(key.as_bytes()),
                Side::End => Hash::of_reversed(key.as_bytes()),
            };
            assert_eq!(table.intern(3, hash, key.as_bytes(), number), number);
            assert_eq!(table.intern(3, hash, key.as_bytes(), 99), number);
        }
        let lengths = [1, 2, 3, 5, 8];
        table.link(|tag| (tag == 3).then_some((side, lengths.as_slice())));
        for value in ["aabbaabb", "aabbaabbc", "caabbaabb", "aab", "abb", "", "x", "xx", "aax", "bbbb"] {
            let mut found = Vec::new();
            table.find_all(3, side, &lengths, value.as_bytes(), &mut |number, _| found.push(keys[number as usize]));
            let mut expected: Vec<&str> = keys.to_vec();
            expected.retain(|key| match side {
                Side::Start => value.starts_with(key),
                Side::End => value.ends_with(key),
            });
            expected.sort_by_key(|key| key.len());
            assert_eq!(found, expected, "{side:?} {value}");
        }
    }
}
