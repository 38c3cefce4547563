//! An explanation for people: the decision and the rule that made it first, then the rules, clause by clause.

use super::Context;
use crate::explain::request::Request;
use std::fmt::Write as _;
use weir_config::Mode;
use weir_policy::{
    Answer, ClauseOutcome, Explanation, Outcome, PartOutcome, PolicyOutcome, Reason, RequestField, RuleName,
    RuleOutcome,
};

/// The most rules that are printed unless all are asked for.
const RULES: usize = 20;

/// The most values of a clause, and of the request, that are printed.
const VALUES: usize = 8;

/// The explanation of one request.
pub(in crate::explain) fn text(
    context: &Context,
    explanation: &Explanation<'_>,
    request: &Request,
    all_rules: bool,
) -> String {
    let enforced = &explanation.answers.enforced;
    let mut out = String::new();
    if context.is_off() {
        line(&mut out, "allow: the policies of the document are off, or for another direction, and decide nothing");
        return out;
    }
    line(&mut out, &format!("{}: {}", context.decision(enforced), why(enforced, explanation)));
    if context.mode != Mode::Enforce {
        line(&mut out, &format!("mode {}: the decision is counted, and no request is refused", context.mode.word()));
    }
    if let Some(recorded) = &request.recorded {
        line(&mut out, &format!("recorded: {recorded}"));
    }
    for shadow in &explanation.answers.shadow {
        let of = match shadow.policy {
            Some((namespace, name)) => format!("{namespace}/{name} alone"),
            None => "all policies under dry run".to_owned(),
        };
        let decision = match shadow.answer.allow {
            Some(true) => "would allow",
            Some(false) => "would deny",
            None => "undecided",
        };
        line(&mut out, &format!("dry run, {of}: {decision}: {}", why(&shadow.answer, explanation)));
    }
    let rules: usize = explanation.policies.iter().map(|policy| policy.rules.len()).sum();
    line(&mut out, "");
    line(
        &mut out,
        &format!(
            "considered for {}: {} with {}",
            context.of,
            counted(explanation.policies.len(), "policy", "policies"),
            counted(rules, "rule", "rules")
        ),
    );
    let farthest = if all_rules { usize::MAX } else { farthest(explanation) };
    let mut left_out = 0;
    for policy in &explanation.policies {
        left_out += print_policy(&mut out, policy, farthest);
    }
    if left_out > 0 {
        line(&mut out, &format!("\n{left_out} more rules do not match: --all-rules prints them"));
    }
    out
}

fn counted(count: usize, one: &str, several: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {several}") }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

/// Why an answer is as it is.
fn why(answer: &Answer<'_>, explanation: &Explanation<'_>) -> String {
    let rule = |rule: &RuleName<'_>| format!("{}/{} rule {}", rule.namespace, rule.policy, rule.index);
    let missing: Vec<String> = answer.missing.iter().map(ToString::to_string).collect();
    match (answer.reason, &answer.rule, answer.unknown) {
        (_, Some(name), _) if answer.allow.is_none() => {
            let is_expression = |field: &RequestField| matches!(field, RequestField::Expression(_));
            let expressions = answer.missing.iter().filter(|field| is_expression(field)).count();
            let why = match expressions {
                0 => "which the request does not say",
                all if all == answer.missing.len() => "which only Envoy evaluates",
                _ => "which the request does not say, or only Envoy evaluates",
            };
            format!("{} and perhaps others hang on {}, {why}", rule(name), missing.join(", "))
        }
        (Reason::Matched, Some(name), _) => {
            let is_it = |policy: &&PolicyOutcome<'_>| (policy.namespace, policy.name) == (name.namespace, name.policy);
            let action = explanation.policies.iter().find(is_it).map_or("", |policy| policy.action);
            format!("{} ({action}) matches", rule(name))
        }
        (Reason::Unknown, Some(name), Some(unknown)) => {
            format!("{} cannot be decided, because the filter cannot read {}", rule(name), source(unknown))
        }
        (Reason::NoMatch, ..) if answer.allow == Some(true) => {
            "no DENY rule matches, and there is no ALLOW policy".to_owned()
        }
        (Reason::NoMatch, ..) => "no ALLOW rule matches, and there is an ALLOW policy".to_owned(),
        (Reason::NoPolicy, ..) => "no policy in force is for the workload".to_owned(),
        (reason, ..) => reason.word().to_owned(),
    }
}

/// What the filter cannot read, in words.
fn source(unknown: &str) -> String {
    let why = match unknown {
        "direct-address" => " (`workload.directAddress` of the document is not given)",
        "peer-identity" => " (the peer's name is not a plain URI)",
        "path" => " (`ignorePathParameters` is set, and what is compared depends on Envoy's release)",
        "request-principal" | "claim" | "metadata" => " (it has a line feed or another control character)",
        _ => "",
    };
    format!("{unknown}{why}")
}

/// How many clauses of a rule keep it from matching: the fewest of each part.
fn distance(rule: &RuleOutcome<'_>) -> usize {
    let failed = |part: &PartOutcome<'_>| {
        let items = part.items.iter();
        items.map(|item| item.clauses.iter().filter(|clause| clause.outcome == Outcome::No).count()).min().unwrap_or(0)
    };
    match rule.outcome {
        Outcome::No => rule.parts.iter().map(failed).sum::<usize>().max(1),
        Outcome::Yes | Outcome::Unknown => 0,
    }
}

/// The greatest distance of rules that are printed: that of the first [`RULES`] of the nearest.
fn farthest(explanation: &Explanation<'_>) -> usize {
    let mut distances: Vec<usize> =
        explanation.policies.iter().flat_map(|policy| &policy.rules).map(distance).collect();
    distances.sort_unstable();
    match distances.get(RULES) {
        None => usize::MAX,
        Some(next) => next.saturating_sub(1),
    }
}

/// Prints a policy and its rules up to a distance; returns how many were left out.
fn print_policy(out: &mut String, policy: &PolicyOutcome<'_>, farthest: usize) -> usize {
    let shown: Vec<&RuleOutcome<'_>> = policy.rules.iter().filter(|rule| distance(rule) <= farthest).collect();
    let left_out = policy.rules.len() - shown.len();
    if shown.is_empty() && left_out > 0 {
        return left_out;
    }
    let trial = if policy.dry_run { ", dry run" } else { "" };
    line(out, &format!("\n{}/{} ({}{trial})", policy.namespace, policy.name, policy.action));
    if policy.action == "AUDIT" {
        line(out, "  changes no decision");
    }
    if policy.rules.is_empty() {
        line(out, "  has no rules, so that it never matches");
    }
    for rule in shown {
        let outcome = match rule.outcome {
            Outcome::Yes => "matches",
            Outcome::No => "does not match",
            Outcome::Unknown => "is not decided",
        };
        let asks = match rule.left_out {
            _ if rule.quarantined => ": parts of it cannot be read and count as if they held".to_owned(),
            [] if rule.parts.is_empty() => ": it asks for nothing".to_owned(),
            [] => String::new(),
            fields if rule.is_skipped => {
                format!(": it asks for {}, which a connection does not have, and is skipped", fields.join(", "))
            }
            fields => format!(" without {}, which a connection does not have", fields.join(", ")),
        };
        line(out, &format!("  rule {} {outcome}{asks}", rule.index));
        for part in &rule.parts {
            for (item, number) in part.items.iter().zip(0usize..) {
                let place =
                    if part.items.len() > 1 { format!("{}[{number}]", part.name) } else { part.name.to_owned() };
                item.clauses.iter().for_each(|clause| print_clause(out, &place, clause));
            }
        }
    }
    left_out
}

fn print_clause(out: &mut String, place: &str, clause: &ClauseOutcome<'_>) {
    let mark = match clause.outcome {
        Outcome::Yes => "yes",
        Outcome::No => "no",
        Outcome::Unknown => "?",
    };
    let negated = if clause.negated && !clause.field.starts_with("not") { " not" } else { "" };
    let values = listed(clause.values.iter().map(String::as_str), clause.values.len());
    let found = match (clause.is_missing, clause.unknown, clause.compared.as_slice()) {
        (true, ..) if matches!(clause.looks_at, RequestField::Expression(_)) => "only Envoy evaluates it".to_owned(),
        (true, ..) => format!("{} is not known", clause.looks_at),
        _ if matches!(clause.looks_at, RequestField::Expression(_)) => match clause.outcome {
            Outcome::Unknown => "it fails, as the request says".to_owned(),
            outcome => format!("it is {}, as the request says", (outcome == Outcome::Yes) != clause.negated),
        },
        (_, Some(unknown), _) => format!("the filter cannot read {}", source(unknown)),
        (.., compared) => {
            let values = listed(compared.iter().map(String::as_str), compared.len());
            let is_absent = compared.is_empty();
            match &clause.looks_at {
                RequestField::Claim(_) | RequestField::RequestPrincipal if is_absent => {
                    "the JWT, if there is one, has no such text".to_owned()
                }
                RequestField::Claim(_) | RequestField::RequestPrincipal => format!("the JWT has {values}"),
                RequestField::MetadataValue { .. } if is_absent => "the metadata has no such text".to_owned(),
                RequestField::MetadataValue { .. } => format!("the metadata has {values}"),
                field if is_absent => format!("{field} is absent"),
                field => format!("{field} is {values}"),
            }
        }
    };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "    {mark:<4}{place}: {}{negated} {values} <- {found}", clause.field);
}

/// The first values, and how many more there are. What a client sent may hold what moves a terminal's cursor.
fn listed<'v>(values: impl Iterator<Item = &'v str>, count: usize) -> String {
    let plain = |text: &str| match text.chars().any(char::is_control) || text.is_empty() {
        true => format!("{text:?}"),
        false => text.to_owned(),
    };
    let first: Vec<String> = values.take(VALUES).map(plain).collect();
    let more = count.checked_sub(VALUES).filter(|more| *more > 0);
    first.join(", ") + &more.map_or_else(String::new, |more| format!(" and {more} more"))
}
