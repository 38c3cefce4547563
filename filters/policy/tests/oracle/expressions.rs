//! Conditions in CEL on random policies: decisions are those of an evaluator that asks for all of them, and what is said
//! without Envoy holds for all that Envoy may say.

use super::explained::rules;
use super::generator::Random;
use super::naive::{self, Request};
use super::{document, requests, with_facts};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use weir_model::{CelError, CelValue, Edits, Effects, Expressions, Filter, Io, MemoryCells, Node, Now, Verdict};
use weir_policy::{Explainer, Knowledge, Missing, Policy, Reason, RequestField, Stream};
use weir_testing::Rows;

const POLICY_SETS: u64 = 60;
const REQUESTS: usize = 10;
const ASSIGNMENTS: usize = 5;

/// What each expression comes to; `None` if it fails.
type Values = BTreeMap<String, Option<bool>>;

struct Host<'v> {
    texts: Vec<String>,
    values: &'v Values,
    asked: RefCell<Vec<String>>,
}

impl Expressions for Host<'_> {
    fn evaluate(&self, _: u8, number: usize) -> Result<CelValue, CelError> {
        let text = &self.texts[number];
        self.asked.borrow_mut().push(text.clone());
        self.values[text].map(CelValue::Bool).ok_or(CelError::Failed)
    }
}

/// A document whose rules have conditions in CEL besides, and its policies.
fn with_expressions(random: &mut Random) -> (Vec<Value>, Vec<u8>) {
    let (mut policies, text) = document(random);
    for rule in policies.iter_mut().filter_map(|policy| policy["spec"]["rules"].as_array_mut()).flatten() {
        if random.chance(50) {
            let mut list =
                || -> Vec<String> { (0..1 + random.below(2)).map(|_| format!("e{}", random.below(6))).collect() };
            let mut condition = json!({"key": "cel"});
            let (holding, failing) = (list(), list());
            match random.below(4) {
                0 => condition["notValues"] = json!(failing),
                1 => {
                    condition["values"] = json!(holding);
                    condition["notValues"] = json!(failing);
                }
                _ => condition["values"] = json!(holding),
            }
            match rule["when"].as_array_mut() {
                Some(when) => when.push(condition),
                None => rule["when"] = json!([condition]),
            }
        }
    }
    let mut whole: Value = serde_json::from_slice(&text).unwrap();
    whole["policies"] = json!(policies);
    whole["accessLogState"] = json!("always");
    (policies, whole.to_string().into_bytes())
}

/// Whether a rule matches; `None` if that cannot be decided.
fn matches(rule: &Value, values: &Values, request: &Request) -> Option<bool> {
    let mut rest = rule.clone();
    let mut outcomes = Vec::new();
    if let Some(when) = rest["when"].as_array_mut() {
        for condition in when.extract_if(.., |condition| condition["key"] == "cel") {
            let any = |name: &str| {
                let texts = condition[name].as_array()?;
                let found: Vec<Option<bool>> = texts.iter().map(|text| values[text.as_str().unwrap()]).collect();
                Some(if found.contains(&Some(true)) { Some(true) } else { (!found.contains(&None)).then_some(false) })
            };
            outcomes.extend(any("values"));
            outcomes.extend(any("notValues").map(|found| found.map(|found| !found)));
        }
        if when.is_empty() {
            rest.as_object_mut().unwrap().remove("when");
        }
    }
    outcomes.push(naive::rule_matches(&rest, request));
    if outcomes.contains(&Some(false)) { Some(false) } else { (!outcomes.contains(&None)).then_some(true) }
}

/// Whether the policies in force allow a request.
fn allows(policies: &[Value], values: &Values, request: &Request) -> bool {
    let of = |action: &str| -> Option<Vec<Option<bool>>> {
        let is_it = |policy: &&Value| {
            let is_trial = policy["metadata"]["annotations"]["istio.io/dry-run"] == "true";
            policy["spec"]["action"].as_str().unwrap_or("ALLOW") == action && !is_trial
        };
        let mut policies = policies.iter().filter(is_it).peekable();
        policies.peek()?;
        Some(policies.flat_map(rules).map(|rule| matches(rule, values, request)).collect())
    };
    let refuses = of("DENY").is_some_and(|found| found.iter().any(|outcome| *outcome != Some(false)));
    !refuses && of("ALLOW").is_none_or(|found| found.contains(&Some(true)))
}

/// What the filter does with a request: whether it passes, what the access log says, what was asked of Envoy.
fn live(policy: &mut Policy, request: &Request, values: &Values) -> (bool, String, Vec<String>) {
    let texts = policy.expressions().into_iter().map(|expression| expression.text).collect();
    let host = Host { texts, values, asked: RefCell::default() };
    let (mut cells, mut effects, mut edits) = (MemoryCells::default(), Effects::default(), Edits::default());
    let mut io = Io { expressions: Some(&host), ..Io::new(Now::default(), &mut cells, &mut effects) };
    let verdict = with_facts(request, |facts| policy.request(&mut Stream::default(), facts, &mut edits, &mut io));
    let text = edits.filter_state.first().map(|(_, text)| String::from_utf8_lossy(text).into_owned());
    (verdict == Verdict::Continue, text.unwrap_or_else(|| "allow -".to_owned()), host.asked.into_inner())
}

#[test]
fn decisions_hold_whatever_envoy_says_of_what_they_do_not_hang_on() {
    let mut rows = Rows::default();
    let mut seen: BTreeMap<(Option<bool>, bool), usize> = BTreeMap::new();
    for seed in 0..POLICY_SETS {
        let mut random = Random::new(seed);
        let (policies, document) = with_expressions(&mut random);
        let mut policy = Policy::compile(&document, &Node::default()).unwrap();
        let mut explainer = Explainer::compile(&document, &Node::default()).unwrap();
        for number in 0..REQUESTS {
            let request = requests::request(&mut random);
            let (said, rule, missing) = with_facts(&request, |facts| {
                let explanation = explainer.explain(facts, &Missing::default());
                let answer = &explanation.answers.enforced;
                let rule = answer.rule.map(|rule| format!("{}/{}[{}]", rule.namespace, rule.policy, rule.index));
                // Which of several rules that cannot be read is named may hang on an expression.
                let rule = (answer.reason != Reason::Unknown).then(|| rule.unwrap_or_else(|| "-".to_owned()));
                (answer.allow, rule, answer.missing.clone())
            });
            let name = format!("seed {seed}, request {number}");
            rows.check(&name, said.is_none(), !missing.is_empty());
            for field in &missing {
                rows.check(&name, matches!(field, RequestField::Expression(text) if text.starts_with('e')), true);
            }
            let (mut passed, mut refused) = (false, false);
            for _ in 0..ASSIGNMENTS {
                let value = |number: usize, random: &mut Random| {
                    (format!("e{number}"), [Some(true), Some(false), None][random.below(3)])
                };
                let values: Values = (0..6).map(|number| value(number, &mut random)).collect();
                let (passes, text, asked) = live(&mut policy, &request, &values);
                rows.check(format!("{name} {values:?}"), passes, allows(&policies, &values, &request));
                let mut once = asked.clone();
                once.sort_unstable();
                once.dedup();
                rows.check(format!("{name} asked {asked:?}"), once.len(), asked.len());
                if let Some((allow, rule)) = said.zip(rule.as_ref()) {
                    let expected = format!("{} {rule}", if allow { "allow" } else { "deny" });
                    let found = text.split(' ').take(2).collect::<Vec<_>>().join(" ");
                    rows.check(format!("{name} {values:?}"), found, expected);
                }
                *seen.entry((said, asked.is_empty())).or_default() += 1;
                passed |= passes;
                refused |= !passes;
            }
            rows.check(&name, said.is_none() || !(passed && refused), true);
        }
    }
    // AUDIT policies and those under dry run are asked about where the decision is known.
    for kind in [(Some(true), true), (Some(true), false), (Some(false), true), (Some(false), false), (None, false)] {
        rows.check(format!("{kind:?} in {seen:?}"), seen.get(&kind).copied().unwrap_or(0) > 100, true);
    }
    rows.check("open and nothing asked", seen.get(&(None, true)), None);
}

/// Where an expression stands in a document makes no difference between two sets of policies; what it says does.
#[test]
fn open_verdicts_follow_from_the_texts_of_expressions() {
    let policy = |name: &str, text: &str| {
        let rule = json!({"when": [{"key": "cel", "values": [text]}]});
        let spec = json!({"rules": [rule]});
        json!({"kind": "AuthorizationPolicy", "metadata": {"name": name, "namespace": "ns"}, "spec": spec})
    };
    let never = json!({"kind": "AuthorizationPolicy", "metadata": {"name": "z", "namespace": "ns"},
        "spec": {"rules": [{"to": [{"operation": {"paths": ["/never"]}}]}]}});
    let mut random = Random::new(1);
    let request = requests::request(&mut random);
    let verdict = |policies: &[&Value]| {
        let workload = json!({"namespace": "ns", "labels": {}});
        let document = json!({"schema": 1, "name": "t", "policies": policies, "workload": workload});
        let mut explainer = Explainer::compile(document.to_string().as_bytes(), &Node::default()).unwrap();
        let set = explainer.missing_set(|_| Knowledge::Whole);
        let verdict = with_facts(&request, |facts| explainer.verdict(facts, set));
        assert_eq!(explainer.hangs_on(verdict).first().map(|(policy, _)| policy.as_str()), Some("ns/a"));
        explainer.verdict_of(verdict).cloned().unwrap()
    };
    let (one, other) = (policy("a", "e1"), policy("a", "e2"));
    let [first, moved, changed] = [[&one, &never], [&never, &one], [&other, &never]].map(|policies| verdict(&policies));
    assert_eq!((first.allow, &first.follows_from), (None, &moved.follows_from));
    assert_ne!(first.follows_from, changed.follows_from);
}
