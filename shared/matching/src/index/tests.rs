use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn anchor(dimension: u16, pattern: &str) -> Anchor {
    let pattern = match crate::Template::is_meant(pattern) {
        true => Pattern::Template(crate::Template::parse(pattern).unwrap()),
        false => crate::Cidr::parse(pattern).map_or_else(|| Pattern::parse(pattern), Pattern::Cidr),
    };
    Anchor { dimension, pattern }
}

/// One rule with one group of one alternative of one clause.
fn rule(dimension: u16, patterns: &[&str]) -> Vec<Group> {
    vec![vec![vec![patterns.iter().map(|pattern| anchor(dimension, pattern)).collect()]]]
}

fn all(index: &Index, candidates: &mut Candidates) -> Vec<u32> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(rule) = index.next(from, candidates) {
        found.push(rule);
        from = rule + 1;
    }
    found
}

#[test]
fn each_kind_of_pattern_leads_to_its_rules() {
    let rules = [
        rule(0, &["/a"]),
        rule(0, &["/a*"]),
        rule(0, &["*.png"]),
        rule(0, &["*"]),
        rule(0, &["/x/{*}/y"]),
        rule(0, &["/x/{**}"]),
        vec![],
        rule(0, &["/a", "/b*"]),
        rule(0, &["/x/{**}/z"]),
    ];
    let index = Index::new(&rules, &[]);
    assert_eq!(index.unanchored(), 1);
    let cases: [(&str, &[u32]); 8] = [
        ("/a", &[0, 1, 3, 6, 7]),
        ("/ab.png", &[1, 2, 3, 6]),
        ("/x/1/y", &[3, 4, 5, 6, 8]),
        ("/x/1/q", &[3, 5, 6, 8]),
        ("/bb", &[3, 6, 7]),
        ("", &[6]),
        ("/x", &[3, 6]),
        ("//////", &[3, 6]),
    ];
    let mut candidates = Candidates::default();
    for (value, expected) in cases {
        index.start(&mut candidates);
        index.probe(0, value.as_bytes(), &mut candidates);
        assert_eq!(all(&index, &mut candidates), expected, "{value}");
    }
}

#[test]
fn ranges_presence_and_the_unknown() {
    let rules = [rule(2, &["10.0.0.0/8"]), rule(2, &["10.1.0.0/16", "fd00::/8"]), rule(1, &["*"])];
    let index = Index::new(&rules, &[2]);
    let mut candidates = Candidates::default();
    let cases: [(&str, &[u32]); 4] = [("10.1.2.3", &[0, 1]), ("10.2.2.3", &[0]), ("fd12::1", &[1]), ("11.0.0.1", &[])];
    for (address, expected) in cases {
        index.start(&mut candidates);
        index.probe_address(2, address.parse().unwrap(), &mut candidates);
        assert_eq!(all(&index, &mut candidates), expected, "{address}");
    }
    index.start(&mut candidates);
    index.probe_unknown(2, &mut candidates);
    index.probe_present(1, &mut candidates);
    assert_eq!(all(&index, &mut candidates), [0, 1, 2]);
    index.start(&mut candidates);
    index.probe(9, b"x", &mut candidates);
    assert_eq!(all(&index, &mut candidates), [0u32; 0]);
}

#[test]
fn a_rule_is_anchored_where_fewest_others_are() {
    let with = |path: &str| vec![vec![vec![vec![anchor(0, "GET")], vec![anchor(1, path)]]]];
    let rules: Vec<Vec<Group>> = (0..100).map(|number| with(&format!("/{number}"))).collect();
    let index = Index::new(&rules, &[]);
    let mut candidates = Candidates::default();
    index.start(&mut candidates);
    index.probe(0, b"GET", &mut candidates);
    index.probe(1, b"/42", &mut candidates);
    assert_eq!(all(&index, &mut candidates), [42]);
    // An alternative without a positive pattern leaves the group, here the only one, unusable.
    let mut open = with("/1");
    open[0].push(vec![]);
    assert_eq!(Index::new(&[open], &[]).unanchored(), 1);
}
