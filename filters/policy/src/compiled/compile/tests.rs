use super::{Order, SectionRule, in_text_order, index_as_text, sorted};
use crate::compiled::{Enforcement, Section};
use crate::config::object::{Action, Rule};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_testing::Rows;

#[test]
fn indices_are_in_the_order_of_their_text() {
    let mut rows = Rows::default();
    let indices =
        [0, 1, 2, 9, 10, 11, 19, 20, 99, 100, 101, 109, 110, 999, 1000, 1009, 12_345, 123_456, u32::MAX - 1, u32::MAX];
    for a in indices {
        for b in indices {
            let expected = format!("{a}]").cmp(&format!("{b}]"));
            rows.check(format!("{a} and {b}"), index_as_text(a).cmp(&index_as_text(b)), expected);
        }
    }
}

#[test]
fn all_indices_come_in_the_order_of_their_text() {
    let mut rows = Rows::default();
    for count in (0..130).chain([999, 1000, 1001, 12_345]) {
        let mut expected: Vec<u32> = (0..count).collect();
        expected.sort_by_key(|index| format!("{index}]"));
        rows.check(format!("{count}"), in_text_order(count).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn rules_of_a_policy_are_sorted_and_none_is_lost() {
    let mut rows = Rows::default();
    for (name, indices) in [
        ("none", vec![]),
        ("few", vec![0, 1, 2]),
        ("many", (0..300).collect::<Vec<u32>>()),
        ("some left out", (0..300).filter(|index| index % 7 != 3).collect()),
        ("most left out", vec![3, 1000]),
    ] {
        let rules = indices.iter().map(|index| Rule { index: *index, ..Rule::default() }).collect();
        let mut found: Vec<u32> = sorted(rules).iter().map(|rule| rule.index).collect();
        let mut expected = indices;
        if name.starts_with("most") {
            found.sort_unstable();
        } else {
            expected.sort_by_key(|index| format!("{index}]"));
        }
        rows.check(name, found, expected);
    }
}

#[test]
fn rules_are_in_the_order_of_their_names() {
    let names = [
        "ns[a]-policy[b]-rule[",
        "ns[a]-policy[b]-rule[1",
        "ns[a]-policy[b]-rule[]",
        "ns[a]-policy[c]-rule[",
        "ns[]-policy[b]-rule[",
        "ns[a]-policy[b]-rule[",
    ];
    let order = Order { names: names.map(str::to_owned).to_vec() };
    let section = Section { enforcement: Enforcement::Enforced, action: Action::Deny, end: 0 };
    let rule = |policy: u32, index: u32| SectionRule::new(section, policy, index, Rule::default());
    let text = |rule: &SectionRule| format!("{}{}]", order.name(rule.policy), rule.index);
    let all: Vec<SectionRule> =
        (0..6).flat_map(|policy| [0, 1, 2, 10, 11, 100].map(|index| rule(policy, index))).collect();
    let mut rows = Rows::default();
    for a in &all {
        for b in &all {
            rows.check(format!("{} and {}", text(a), text(b)), order.compare(a, b), text(a).cmp(&text(b)));
        }
    }
}
