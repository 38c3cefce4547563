use super::*;
use crate::Template;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

fn pattern(text: &str) -> Pattern {
    match text.strip_prefix("glob:") {
        Some(glob) => Pattern::Glob(Glob::parse(glob)),
        None if Template::is_meant(text) => Pattern::Template(Template::parse(text).unwrap()),
        None => Cidr::parse(text).map_or_else(|| Pattern::parse(text), Pattern::Cidr),
    }
}

const PATTERNS: [&str; 34] = [
    "/a",
    "/a*",
    "/ab*",
    "/abc/*",
    "*.png",
    "*png",
    "*b.png",
    "*",
    "/x/{*}/y",
    "/x/{**}",
    "/x/{**}/z",
    "/x/{**}/y/z",
    "/x/{**}/",
    "/{**}/y/z",
    "/{**}/z",
    "/{*}",
    "/{*}/",
    "/{*}/{*}",
    "/{**}",
    "/b*",
    "/b",
    "glob:/a*b",
    "glob:/a*b*c",
    "glob:*b*",
    "glob:/a*",
    "glob:*",
    "glob:",
    "glob:/a",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3",
    "0.0.0.0/0",
    "fd00::/8",
    "::/0",
];

fn all() -> (Patterns, Vec<u32>) {
    let mut patterns = Patterns::new(2);
    let numbers: Vec<u32> = PATTERNS.iter().map(|text| patterns.intern(1, &pattern(text)).unwrap()).collect();
    let again: Vec<u32> = PATTERNS.iter().map(|text| patterns.intern(1, &pattern(text)).unwrap()).collect();
    assert_eq!(numbers, again, "equal patterns have equal numbers");
    assert_eq!(numbers, (0..34).collect::<Vec<u32>>(), "different ones do not");
    assert_eq!(patterns.intern(2, &Pattern::Any), None);
    patterns.finish();
    (patterns, numbers)
}

#[test]
fn looking_up_finds_what_each_pattern_alone_matches() {
    let (patterns, _) = all();
    let mut rows = Rows::default();
    let pieces = ["/", "a", "b", "x", "y", "z", ".png", "c", "ab", "\u{e4}", "/x/", " "];
    let mut hits = BitSet::default();
    let mut values: Vec<String> = vec![String::new()];
    for first in pieces {
        for second in pieces {
            for third in pieces {
                values.push(format!("/{first}{second}{third}"));
                values.push(format!("{first}{second}/{third}/z"));
                values.push(format!("/x/{first}/{second}{third}/y/z"));
            }
        }
    }
    for value in &values {
        hits.start(patterns.len());
        patterns.look_up(1, value.as_bytes(), &mut hits);
        // A second time adds nothing.
        patterns.look_up(1, value.as_bytes(), &mut hits);
        patterns.look_up(0, value.as_bytes(), &mut hits);
        patterns.look_up(9, value.as_bytes(), &mut hits);
        for (text, number) in PATTERNS.iter().zip(0u32..) {
            rows.check(format!("{text} on {value:?}"), hits.contains(number), pattern(text).matches(value.as_bytes()));
        }
    }
}

#[test]
fn addresses_hit_the_ranges_that_hold_them() {
    let (patterns, _) = all();
    let mut hits = BitSet::default();
    let mut rows = Rows::default();
    for address in ["10.1.2.3", "10.1.2.4", "10.2.2.3", "11.0.0.0", "fd12::1", "::1"] {
        let address: IpAddr = address.parse().unwrap();
        hits.start(patterns.len());
        patterns.look_up_address(1, address, &mut hits);
        for (text, number) in PATTERNS.iter().zip(0u32..) {
            let expected = matches!(pattern(text), Pattern::Cidr(cidr) if cidr.contains(address));
            rows.check(format!("{text} on {address}"), hits.contains(number), expected);
        }
    }
}

#[test]
fn presence_has_a_number_of_its_own() {
    let mut patterns = Patterns::new(1);
    assert_eq!((patterns.present(0), patterns.any(0), patterns.is_empty()), (None, None, true));
    let any = patterns.intern(0, &Pattern::Any);
    let present = patterns.intern(0, &Pattern::Present);
    patterns.finish();
    assert_eq!((patterns.present(0), patterns.any(0), patterns.len()), (present, any, 2));
    let mut hits = BitSet::default();
    hits.start(2);
    patterns.look_up(0, b"", &mut hits);
    assert_eq!(hits.members(), [0]);
}
