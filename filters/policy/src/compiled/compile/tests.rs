use super::{Order, SectionRule, index_as_text};
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
    let text = |rule: &SectionRule| format!("{}{}]", order.name(rule), rule.index);
    let all: Vec<SectionRule> =
        (0..6).flat_map(|policy| [0, 1, 2, 10, 11, 100].map(|index| rule(policy, index))).collect();
    let mut rows = Rows::default();
    for a in &all {
        for b in &all {
            rows.check(format!("{} and {}", text(a), text(b)), order.compare(a, b), text(a).cmp(&text(b)));
        }
    }
}
