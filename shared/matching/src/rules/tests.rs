use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

fn candidates(index: &RuleIndex, candidates: &mut Candidates, hits: &[u32]) -> Vec<u32> {
    candidates.start(index);
    hits.iter().for_each(|key| candidates.hit(index, *key));
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(rule) = candidates.next(index, from) {
        found.push(rule);
        from = rule + 1;
    }
    found
}

#[test]
fn hits_lead_to_their_rules_in_order_and_each_once() {
    let mut keys = RuleKeys { rules: 6, keys: 4, always: vec![4], ..RuleKeys::default() };
    for (key, rule) in [(0, 5), (0, 1), (1, 1), (2, 3), (0, 1), (2, 5), (2, 0), (2, 1), (2, 2)] {
        keys.posted.add(key, rule);
    }
    let index = RuleIndex::new(keys);
    assert_eq!(index.unposted(), 1);
    let cases: [(&[u32], &[u32]); 6] = [
        (&[], &[4]),
        (&[0], &[1, 4, 5]),
        (&[1], &[1, 4]),
        (&[2, 1, 2], &[0, 1, 2, 3, 4, 5]),
        (&[3], &[4]),
        (&[77], &[4]),
    ];
    let mut kept = Candidates::default();
    let mut rows = Rows::default();
    for (hits, expected) in cases {
        rows.check(format!("{hits:?}"), candidates(&index, &mut kept, hits), expected);
    }
}

#[test]
fn the_index_finds_what_walking_the_lists_finds() {
    // Key k posts every rule that k + 1 divides, so there are long lists and short ones; odd keys also exclude.
    for rules in [1u32, 63, 64, 65, 1000, 9000] {
        let mut keys = RuleKeys { rules: rules as usize, keys: 40, ..RuleKeys::default() };
        keys.always = (0..rules).filter(|rule| rule % 997 == 3).collect();
        let posts = |key: u32, rule: u32| rule.is_multiple_of(key * key * key + 1);
        let excludes = |key: u32, rule: u32| key % 2 == 1 && rule % (key + 3) == 1;
        for key in 0..40 {
            (0..rules).rev().filter(|rule| posts(key, *rule)).for_each(|rule| keys.posted.add(key, rule));
            (0..rules).filter(|rule| excludes(key, *rule)).for_each(|rule| keys.excluded.add(key, rule));
        }
        let index = RuleIndex::new(keys);
        let mut kept = Candidates::default();
        for hits in [vec![], vec![1], vec![0, 3], vec![39, 2, 39], vec![7, 8, 9, 31], (0..40).collect()] {
            let found = candidates(&index, &mut kept, &hits);
            let is_candidate = |rule: u32| rule % 997 == 3 || hits.iter().any(|key| posts(*key, rule));
            // Leaving out is for lists that are long; a rule that is left in is tried and rejected.
            let is_excluded = |rule: u32| hits.iter().any(|key| excludes(*key, rule));
            let most: Vec<u32> = (0..rules).filter(|rule| is_candidate(*rule)).collect();
            let least: Vec<u32> = most.iter().copied().filter(|rule| !is_excluded(*rule)).collect();
            assert!(found.is_sorted() && found.iter().all(|rule| most.contains(rule)), "{rules} {hits:?}");
            assert!(least.iter().all(|rule| found.contains(rule)), "{rules} {hits:?}");
            if rules == 9000 && hits == [1] {
                assert_eq!(found, least, "a quarter of the rules is a long list");
            }
        }
    }
}

#[test]
fn asking_from_any_rule_on() {
    let mut keys = RuleKeys { rules: 300, keys: 1, ..RuleKeys::default() };
    [0, 63, 64, 299].into_iter().for_each(|rule| keys.posted.add(0, rule));
    let index = RuleIndex::new(keys);
    let mut kept = Candidates::default();
    kept.start(&index);
    kept.hit(&index, 0);
    let cases =
        [(0, Some(0)), (1, Some(63)), (63, Some(63)), (64, Some(64)), (65, Some(299)), (300, None), (5000, None)];
    let mut rows = Rows::default();
    for (from, expected) in cases {
        rows.check(from, kept.next(&index, from), expected);
    }
}
