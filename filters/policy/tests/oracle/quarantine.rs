//! With `onInvalid: quarantine` no request passes that would be refused if the author had written what he meant in place of
//! what cannot be read: here that is the policy before it was damaged.

use super::generator::{self, Random};
use super::{naive, requests, with_facts};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use weir_model::{Filter as _, Node};
use weir_policy::Policy;

const POLICY_SETS: u64 = 1_500;
const REQUESTS: usize = 20;

/// All places below `value`, as JSON pointers.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    let mut below = |name: &str, inner: &Value| {
        let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        places(inner, &place, out);
        out.push(place);
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| below(&index.to_string(), item)),
        Value::Object(fields) => fields.iter().for_each(|(name, inner)| below(name, inner)),
        _ => {}
    }
}

/// Gives a field another name, or adds it.
fn rename(object: &mut Value, from: &str, to: &str) {
    let fields = object.as_object_mut().unwrap();
    let value = fields.remove(from).unwrap_or(json!({}));
    fields.insert(to.to_owned(), value);
}

/// Damages a policy in one place, and says what kind of place that is.
fn damage(policy: &mut Value, random: &mut Random) -> &'static str {
    if random.chance(70) {
        let mut all = Vec::new();
        places(&policy["spec"]["rules"], "", &mut all);
        let place = match all.len() {
            0 => String::new(),
            count => all[random.below(count)].clone(),
        };
        let (parent, name) = place.rsplit_once('/').unwrap_or_default();
        let rules = &mut policy["spec"]["rules"];
        let renamed = rules.pointer(parent).is_some_and(Value::is_object) && random.chance(30);
        if renamed {
            rename(rules.pointer_mut(parent).unwrap(), name, "surprise");
            return "field";
        }
        *rules.pointer_mut(&place).unwrap() = json!(7);
        return match place.matches('/').count() {
            0 => "rules",
            1 => "rule",
            _ => "part",
        };
    }
    match random.below(9) {
        0 => policy["spec"]["action"] = json!("DENYY"),
        1 => rename(&mut policy["spec"], "action", "acton"),
        2 => rename(&mut policy["spec"], "rules", "rulez"),
        3 => policy["spec"]["selector"] = json!(7),
        4 => rename(&mut policy["spec"], "selector", "selecter"),
        5 => policy["metadata"]["annotations"]["istio.io/dry-run"] = json!("on"),
        6 => policy["metadata"]["name"] = json!(7),
        7 => policy["spec"] = json!(7),
        _ => rename(policy, "spec", "sepc"),
    }
    "object"
}

#[test]
fn no_request_passes_that_a_repaired_document_refuses() {
    let mut seen: BTreeMap<(&str, bool, bool), usize> = BTreeMap::new();
    for seed in 0..POLICY_SETS {
        let mut random = Random::new(seed.wrapping_add(77_777));
        let meant = generator::policies(&mut random);
        if meant.is_empty() {
            continue;
        }
        let mut written = meant.clone();
        let place = random.below(written.len());
        let kind = damage(&mut written[place], &mut random);
        let document = |on_invalid: &str| {
            let document = json!({
                "schema": 1, "name": "t", "onInvalid": on_invalid, "policies": written,
                "workload": {"namespace": "ns", "labels": {}, "directAddress": {"filterState": "direct"}},
            });
            Policy::compile(document.to_string().as_bytes(), &Node::default())
        };
        assert!(document("refuse").is_err(), "seed {seed}: {written:?}");
        let mut policy =
            document("quarantine").unwrap_or_else(|problems| panic!("seed {seed}: {problems}\n{written:?}"));
        for _ in 0..REQUESTS {
            let request = requests::request(&mut random);
            let (expected, _) = naive::decide(&meant, &request);
            let allowed = with_facts(&request, |facts| policy.decide(facts).enforced.allow);
            assert!(
                !allowed || expected.allow,
                "seed {seed}, {kind}: {request:?}\nmeant {meant:?}\nwritten {written:?}"
            );
            *seen.entry((kind, allowed, expected.allow)).or_default() += 1;
        }
    }
    // Requests still pass, are still refused, and some are refused only because something cannot be read.
    for kind in ["field", "rule", "part", "object"] {
        for (allowed, meant) in [(true, true), (false, false), (false, true)] {
            let count = seen.get(&(kind, allowed, meant)).copied().unwrap_or(0);
            assert!(count > 50, "{kind}, {allowed}, {meant}: {seen:?}");
        }
    }
}
