//! Answers as text and as JSON.

mod text;

pub(super) use text::text;

use serde_json::{Map, Value, json};
use weir_config::Mode;
use weir_policy::{Answer, Answers, ClauseOutcome, Explanation, Outcome, RuleName, RuleOutcome};

/// What an answer is about.
pub(super) struct Context {
    pub(super) mode: Mode,
    /// Label `weir_plugin`.
    pub(super) name: String,
    pub(super) of: String,
}

impl Context {
    /// The word for an answer. Where the filter is off, everything passes.
    pub(super) fn decision(&self, answer: &Answer<'_>) -> &'static str {
        match (self.mode, answer.allow) {
            (Mode::Off, _) | (_, Some(true)) => "allow",
            (_, Some(false)) => "deny",
            (_, None) => "undecided",
        }
    }

    fn is_off(&self) -> bool {
        self.mode == Mode::Off
    }
}

/// The word for an outcome.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Yes => "matched",
        Outcome::No => "not_matched",
        Outcome::Unknown => "unknown",
    }
}

fn rule_name(rule: Option<&RuleName<'_>>) -> (Value, Value) {
    match rule {
        Some(RuleName { namespace, policy, index }) => (json!(format!("{namespace}/{policy}")), json!(index)),
        None => (Value::Null, Value::Null),
    }
}

/// The fields that every answer has, and what it hangs on where there is something.
fn answer(decision: &str, answer: &Answer<'_>) -> Map<String, Value> {
    let (policy, rule) = rule_name(answer.rule.as_ref());
    let mut fields = Map::from_iter([
        ("decision".to_owned(), json!(decision)),
        ("policy".to_owned(), policy),
        ("rule".to_owned(), rule),
        ("reason".to_owned(), json!(answer.reason.word())),
    ]);
    fields.extend(answer.unknown.map(|unknown| ("unknown".to_owned(), json!(unknown))));
    if !answer.missing.is_empty() {
        let missing: Vec<String> = answer.missing.iter().map(ToString::to_string).collect();
        fields.insert("missing".to_owned(), json!(missing));
    }
    fields
}

/// What was decided, without the rules that were considered.
pub(super) fn summary(context: &Context, answers: &Answers<'_>) -> Value {
    let Answers { enforced, shadow } = answers;
    let plain = Context { mode: Mode::Enforce, name: String::new(), of: String::new() };
    let mut fields = answer(context.decision(enforced), enforced);
    if context.is_off() {
        for name in ["policy", "rule", "unknown", "missing"] {
            fields.remove(name);
        }
        fields.extend([("policy".to_owned(), Value::Null), ("rule".to_owned(), Value::Null)]);
        fields.insert("reason".to_owned(), json!("off"));
    }
    let shadow = shadow.iter().filter(|_| !context.is_off()).map(|shadow| {
        let of = shadow.policy.map_or_else(|| "all".to_owned(), |(namespace, name)| format!("{namespace}/{name}"));
        let mut fields = answer(plain.decision(&shadow.answer), &shadow.answer);
        fields.insert("of".to_owned(), json!(of));
        Value::Object(fields)
    });
    let labels = if context.is_off() { Vec::new() } else { enforced.labels(&context.name, context.mode) };
    let labels: Map<String, Value> = labels.into_iter().map(|(name, value)| (name, json!(value))).collect();
    fields.insert("shadow".to_owned(), shadow.collect());
    fields.insert("limits".to_owned(), json!([]));
    fields.insert("labels".to_owned(), Value::Object(labels));
    fields.insert("mode".to_owned(), json!(context.mode.word()));
    Value::Object(fields)
}

/// The whole explanation.
pub(super) fn json(context: &Context, explanation: &Explanation<'_>) -> Value {
    let mut all = summary(context, &explanation.answers);
    let policies = explanation.policies.iter().map(|policy| {
        json!({
            "policy": format!("{}/{}", policy.namespace, policy.name),
            "action": policy.action,
            "dryRun": policy.dry_run,
            "rules": policy.rules.iter().map(rule).collect::<Vec<_>>(),
        })
    });
    if let Some(fields) = all.as_object_mut() {
        fields.insert("policies".to_owned(), policies.collect());
    }
    all
}

fn rule(rule: &RuleOutcome<'_>) -> Value {
    let parts = rule.parts.iter().map(|part| {
        let items = part.items.iter().map(|item| {
            let clauses: Vec<Value> = item.clauses.iter().map(clause).collect();
            json!({"outcome": word(item.outcome), "clauses": clauses})
        });
        json!({"part": part.name, "outcome": word(part.outcome), "items": items.collect::<Vec<_>>()})
    });
    let mut fields = Map::from_iter([
        ("rule".to_owned(), json!(rule.index)),
        ("outcome".to_owned(), json!(word(rule.outcome))),
        ("parts".to_owned(), parts.collect()),
    ]);
    if !rule.left_out.is_empty() {
        fields.insert("leftOut".to_owned(), json!(rule.left_out));
        fields.insert("skipped".to_owned(), json!(rule.is_skipped));
    }
    Value::Object(fields)
}

fn clause(clause: &ClauseOutcome<'_>) -> Value {
    let mut fields = Map::from_iter([
        ("field".to_owned(), json!(clause.field)),
        ("negated".to_owned(), json!(clause.negated)),
        ("values".to_owned(), json!(clause.values)),
        ("outcome".to_owned(), json!(word(clause.outcome))),
        ("lookedAt".to_owned(), json!(clause.looks_at.to_string())),
        ("compared".to_owned(), json!(clause.compared)),
    ]);
    fields.extend(clause.unknown.map(|unknown| ("unknown".to_owned(), json!(unknown))));
    if clause.is_missing {
        fields.insert("missing".to_owned(), json!(clause.looks_at.to_string()));
    }
    Value::Object(fields)
}
