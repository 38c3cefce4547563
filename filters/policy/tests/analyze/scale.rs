//! Ten thousand rules are analyzed in a few seconds, and so is a change to them.

use crate::generate;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;
use weir_model::Node;
use weir_policy::{Analysis, Budget, Explainer, Protocol, RuleVerdict, Why};

const RULES: usize = 10_000;

/// Ten seconds is the goal, for a release build; one with checks is slower. The time is that of the processor, so that other
/// work of the machine does not matter.
const MOST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 10 });

/// What this thread has used of the processor.
fn used() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<u64> = fields.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
    // User and system time in hundredths of a second.
    Duration::from_millis((fields[11] + fields[12]) * 10)
}

fn compile(document: &Value) -> Explainer {
    Explainer::compile(document.to_string().as_bytes(), &Node::default()).unwrap()
}

#[test]
fn ten_thousand_rules_are_analyzed_in_time() {
    let document = generate::document(RULES);
    let start = used();
    let mut never = || false;
    let mut budget = Budget::new(&mut never);
    let mut analysis = Analysis::new(Protocol::Http, compile(&document));
    let rules = analysis.rules(&mut budget);
    let taken = used() - start;
    let count = |is_it: &dyn Fn(&RuleVerdict) -> bool| rules.iter().filter(|rule| is_it(&rule.verdict)).count();
    let decides = count(&|verdict| matches!(verdict, RuleVerdict::Decides(_)));
    let covered = count(&|verdict| matches!(verdict, RuleVerdict::Never(Why::Covered(_))));
    let contradicting = count(&|verdict| matches!(verdict, RuleVerdict::Never(Why::Contradiction(_))));
    eprintln!("{RULES} rules in {taken:?}: {decides} decide, {covered} are covered, {contradicting} match nothing");
    // Fifty rules are alike, and every hundredth asks for a request without a method, but for the first of these fifty and the
    // last rule.
    assert_eq!((covered, contradicting), (49, 99));
    assert_eq!(decides, RULES - 49 - 99);
    assert!(taken < MOST, "{taken:?}");

    let policies = analysis.policies(&rules, &mut budget);
    assert_eq!((policies[0].matches_all, policies[0].matches_none), (Some(false), Some(false)));
    let everybody = analysis.everybody(&mut budget);
    assert!(
        everybody.passes.is_ok_and(|found| found.is_some()) && everybody.refused.is_ok_and(|found| found.is_some())
    );
}

#[test]
fn a_change_to_ten_thousand_rules_is_found_in_time() {
    let old = generate::document(RULES);
    let start = used();
    let mut never = || false;
    let mut budget = Budget::new(&mut never);
    let mut analysis = Analysis::against(Protocol::Http, compile(&old), compile(&old));
    assert_eq!(analysis.differences(&mut budget).are_equivalent(), Some(true));
    let same = used() - start;

    let mut new = old.clone();
    let rules = new["policies"][0]["spec"]["rules"].as_array_mut().unwrap();
    // One is taken away, one asks for another method too, and an equal one is put in front.
    rules[77] = rules[78].clone();
    rules[5_001]["to"][0]["operation"]["methods"] = json!(["GET"]);
    let start = used();
    let mut analysis = Analysis::against(Protocol::Http, compile(&new), compile(&old));
    let differences = analysis.differences(&mut budget);
    let changed = used() - start;
    let by: Vec<String> = differences.found.iter().map(|found| found.old.by.as_ref().unwrap().to_string()).collect();
    eprintln!("no change to {RULES} rules in {same:?}, a change in {changed:?}: {by:?}");
    assert_eq!(by, ["shop/generated[5001]", "shop/generated[77]"]);
    assert!(differences.unknown.is_empty() && same < MOST && changed < MOST, "{same:?} {changed:?}");
}
