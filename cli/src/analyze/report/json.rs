//! For programs.

use super::super::request;
use super::{OfWorkload, Report, access, word};
use serde_json::{Value, json};
use weir_policy::{Decided, Differences, Everywhere, Reach, Reaching, RuleId, RuleVerdict, Why};

fn names(rules: &[RuleId]) -> Vec<String> {
    rules.iter().map(ToString::to_string).collect()
}

fn decided(Decided { effect, by }: &Decided) -> Value {
    json!({"decision": word(*effect), "rule": by.as_ref().map(ToString::to_string)})
}

fn found(everywhere: &Everywhere) -> Value {
    match everywhere {
        Ok(Some(example)) => json!({"any": true, "request": request::json(example)}),
        Ok(None) => json!({"any": false}),
        Err(_) => json!({"any": null}),
    }
}

fn differences(differences: &Differences) -> Value {
    let found = differences.found.iter().map(|found| {
        json!({"old": decided(&found.old), "new": decided(&found.new), "request": request::json(&found.request)})
    });
    json!({
        "equivalent": differences.are_equivalent(),
        "found": found.collect::<Vec<_>>(),
        "unknown": names(&differences.unknown),
        "unmatchedUnknown": differences.unmatched_unknown,
    })
}

fn reaching(part: &Reaching) -> Value {
    match part {
        Reaching::All => json!({"of": "all"}),
        Reaching::Pattern { of, text } => json!({"of": of, "pattern": text}),
        Reaching::Others => json!({"of": "others"}),
        Reaching::Nameless => json!({"of": "no identity"}),
    }
}

fn reach(reach: &Reach) -> Value {
    let rows = reach.rows.iter().map(|row| {
        json!({
            "caller": reaching(&row.caller),
            "method": reaching(&row.method),
            "path": reaching(&row.path),
            "access": access(row.access),
            "passes": row.passes.as_deref().map(request::json),
            "refused": row.refused.as_deref().map(request::json),
        })
    });
    json!({"rows": rows.collect::<Vec<_>>(), "isCut": reach.is_cut})
}

impl Report {
    /// The report as one object.
    pub(in super::super) fn json(&self) -> Value {
        let workloads: Vec<Value> = self.of.iter().map(|of| self.json_of(of)).collect();
        json!({"workloads": workloads, "forNoWorkload": self.unused})
    }

    fn json_of(&self, of: &OfWorkload) -> Value {
        let never = of.never().map(|(meaning, why)| {
            let (why, by, fields) = match why {
                Why::Covered(by) => ("covered", names(by), Vec::new()),
                Why::Contradiction(fields) => {
                    ("contradiction", Vec::new(), fields.iter().map(ToString::to_string).collect())
                }
                Why::Unreadable => ("unreadable", Vec::new(), Vec::<String>::new()),
            };
            json!({
                "rule": meaning.rule.to_string(),
                "action": meaning.action,
                "enforced": meaning.is_enforced,
                "why": why,
                "by": by,
                "fields": fields,
                "place": self.places.rule(&meaning.rule),
            })
        });
        let policies = of.policies.iter().map(|policy| {
            json!({
                "policy": format!("{}/{}", policy.namespace, policy.name),
                "action": policy.action,
                "enforced": policy.is_enforced,
                "matchesAll": policy.matches_all,
                "matchesNone": policy.matches_none,
                "unmatched": policy.unmatched.as_deref().map(request::json),
            })
        });
        let examples = of.rules.iter().filter_map(|meaning| match &meaning.verdict {
            RuleVerdict::Decides(example) => Some(json!({
                "rule": meaning.rule.to_string(),
                "action": meaning.action,
                "enforced": meaning.is_enforced,
                "request": request::json(example),
            })),
            RuleVerdict::Never(_) | RuleVerdict::Unknown => None,
        });
        let (number, rules) = of.count;
        let mut json = json!({
            "workload": of.id,
            "off": of.is_off,
            "policyCount": number,
            "ruleCount": rules,
            "provider": of.provider,
            "withExpressions": of.with_expressions,
            "passes": found(&of.everybody.passes),
            "refused": found(&of.everybody.refused),
            "neverDecide": never.collect::<Vec<_>>(),
            "unknown": of.unknown().map(|meaning| meaning.rule.to_string()).collect::<Vec<_>>(),
            "policies": policies.collect::<Vec<_>>(),
            "differences": of.differences.as_ref().map(differences),
        });
        if let Some(fields) = json.as_object_mut() {
            let shown = of.reach.as_ref().filter(|_| of.shows_reach);
            fields.extend(shown.map(|found| ("reach".to_owned(), reach(found))));
            if of.shows_examples {
                fields.insert("examples".to_owned(), examples.collect());
            }
        }
        json
    }
}
