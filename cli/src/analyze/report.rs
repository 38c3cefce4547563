//! What an analysis found, as text, as JSON, as Markdown for a pull request and as annotations.

mod github;
mod json;
mod markdown;
mod text;

use super::workloads::Places;
use crate::diagnostic::count;
use std::collections::BTreeSet;
use weir_policy::{
    Access, Decided, Difference, Differences, Effect, Everybody, PolicyMeaning, Reach, Reaching, RuleMeaning,
    RuleVerdict, Why,
};

/// How many findings of a kind a person is shown.
const SHOWN: usize = 50;

/// How many rules that cover another are named.
const NAMED: usize = 4;

/// What was found of one workload.
#[derive(Debug)]
pub(crate) struct OfWorkload {
    /// Such as `shop/cart`.
    pub(super) id: String,
    /// Whether the policies decide nothing.
    pub(super) is_off: bool,
    /// How many policies and rules there are.
    pub(super) count: (usize, usize),
    /// The provider that is asked, whose answers are not known.
    pub(super) provider: Option<String>,
    /// The rules that ask for expressions in CEL, which only Envoy evaluates.
    pub(super) with_expressions: Vec<String>,
    pub(super) differences: Option<Differences>,
    pub(super) rules: Vec<RuleMeaning>,
    pub(super) policies: Vec<PolicyMeaning>,
    pub(super) everybody: Everybody,
    pub(super) reach: Option<Reach>,
    /// Whether that is a part of the report, and not only of the picture.
    pub(super) shows_reach: bool,
    pub(super) shows_examples: bool,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) of: Vec<OfWorkload>,
    /// Policies for none of the workloads.
    pub(super) unused: BTreeSet<String>,
    pub(super) places: Places,
    pub(super) is_against: bool,
}

/// What is notable about all that a policy matches.
pub(super) enum Extent {
    All,
    None,
    Unknown,
}

impl Report {
    /// Whether something is not as it should be, or is not known.
    pub(super) fn has_findings(&self) -> bool {
        let of_one = |of: &OfWorkload| match &of.differences {
            Some(differences) => differences.are_equivalent() != Some(true),
            None => of.never().next().is_some() || of.unknown().next().is_some(),
        };
        self.of.iter().any(of_one) || !self.is_against && !self.unused.is_empty()
    }
}

impl OfWorkload {
    /// Rules that never decide, and why.
    pub(super) fn never(&self) -> impl Iterator<Item = (&RuleMeaning, &Why)> {
        self.rules.iter().filter_map(|meaning| match &meaning.verdict {
            RuleVerdict::Never(why) => Some((meaning, why)),
            RuleVerdict::Decides(_) | RuleVerdict::Unknown => None,
        })
    }

    /// Rules of which it is not known.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &RuleMeaning> {
        self.rules.iter().filter(|meaning| meaning.verdict == RuleVerdict::Unknown)
    }

    /// Policies in force that match every request, or none, or of which that is not known.
    pub(super) fn extents(&self) -> impl Iterator<Item = (&PolicyMeaning, Extent)> {
        self.policies.iter().filter(|policy| policy.is_enforced).filter_map(|policy| {
            let extent = match (policy.matches_all, policy.matches_none) {
                (Some(true), _) => Extent::All,
                (_, Some(true)) => Extent::None,
                (None, _) | (_, None) => Extent::Unknown,
                (Some(false), Some(false)) => return None,
            };
            Some((policy, extent))
        })
    }

    /// The first line about the workload.
    fn heading(&self) -> String {
        let (policies, rules) = self.count;
        let count = format!("{} with {}", count(policies, "policy", "policies"), count(rules, "rule", "rules"));
        let off = if self.is_off { "; the policies are off, so every request passes" } else { "" };
        format!("{}: {count}{off}", self.id)
    }

    /// What all policies come to, where that is the same for every request, or is not known.
    fn overall(&self) -> Option<&'static str> {
        match (&self.everybody.passes, &self.everybody.refused) {
            (Ok(None), _) => Some("no request passes"),
            (_, Ok(None)) => Some("no request is refused"),
            (Err(_), _) | (_, Err(_)) => {
                Some("whether any request passes, or is refused, is not known: the time ended first")
            }
            (Ok(Some(_)), Ok(Some(_))) => None,
        }
    }

    /// What the answer to the comparison is.
    fn comparison(&self) -> Option<String> {
        let differences = self.differences.as_ref()?;
        Some(match differences.are_equivalent() {
            Some(true) => "both sets of policies decide every request alike".to_owned(),
            Some(false) => {
                let number = differences.found.len();
                let refused = differences.found.iter().filter(|found| is_refusal(found)).count();
                format!(
                    "the sets of policies differ in {}: {refused} newly refused, {} newly allowed",
                    count(number, "kind of request", "kinds of requests"),
                    number - refused
                )
            }
            None => {
                "whether both sets of policies decide every request alike is not known: the time ended first".to_owned()
            }
        })
    }

    /// What is said of what cannot be known.
    fn caveats(&self) -> Vec<String> {
        let provider = self.provider.as_ref().map(|provider| {
            format!(
                "what provider `{provider}` answers is not known: that it is asked is all that is said of such requests"
            )
        });
        let mut names: Vec<&str> = self.with_expressions.iter().take(NAMED).map(String::as_str).collect();
        let more = format!("{} more", self.with_expressions.len().saturating_sub(NAMED));
        names.extend((self.with_expressions.len() > NAMED).then_some(more.as_str()));
        let expressions = (!names.is_empty()).then(|| {
            format!(
                "what expressions in CEL come to, only Envoy can tell: those of {} are taken for true, false or failing for \
                 any request, and `expressions` of a request says which",
                names.join(", ")
            )
        });
        provider.into_iter().chain(expressions).collect()
    }
}

/// Whether requests are refused that were not, or are for a provider to refuse.
fn is_refusal(difference: &Difference) -> bool {
    let rank = |decided: &Decided| match decided.effect {
        Effect::Allow => 0,
        Effect::Ask => 1,
        Effect::Deny => 2,
    };
    rank(&difference.new) > rank(&difference.old)
}

/// A decision in words.
fn decided(Decided { effect, by }: &Decided) -> String {
    match (effect, by) {
        (Effect::Allow, Some(rule)) => format!("allowed by {rule}"),
        (Effect::Allow, None) => "allowed: no rule refuses it, and none has to allow it".to_owned(),
        (Effect::Deny, Some(rule)) => format!("refused by {rule}"),
        (Effect::Deny, None) => "refused: no ALLOW rule matches".to_owned(),
        (Effect::Ask, Some(rule)) => format!("for the provider to decide, by {rule}"),
        (Effect::Ask, None) => "for the provider to decide".to_owned(),
    }
}

/// The word for an effect.
fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
        Effect::Ask => "ask",
    }
}

/// Why a rule never decides, in words.
fn why(meaning: &RuleMeaning, why: &Why) -> String {
    match why {
        Why::Contradiction(fields) if fields.is_empty() => "no request matches it".to_owned(),
        Why::Contradiction(fields) => {
            let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
            format!("no request matches it: it asks for what cannot be together of {}", fields.join(", "))
        }
        Why::Unreadable => {
            "it allows nothing: it asks for the address of the direct peer, which needs `workload.directAddress`"
                .to_owned()
        }
        Why::Covered(by) => {
            let mut names: Vec<String> = by.iter().take(NAMED).map(ToString::to_string).collect();
            let more = by.len().saturating_sub(NAMED);
            names.extend((more > 0).then(|| format!("{more} more")));
            let before = match (meaning.action, by.as_slice()) {
                ("ALLOW", [_]) => "which decides before it",
                ("ALLOW", _) => "which decide before it",
                (_, [_]) => "which comes before it",
                _ => "which come before it",
            };
            format!("what it matches is matched by {}, {before}", names.join(", "))
        }
    }
}

/// What a policy's extent means, in words.
fn extent(policy: &PolicyMeaning, extent: &Extent) -> String {
    match (policy.action, extent) {
        ("ALLOW", Extent::All) => "allows every request that nothing refuses".to_owned(),
        ("DENY", Extent::All) => "refuses every request".to_owned(),
        ("CUSTOM", Extent::All) => "asks its provider about every request".to_owned(),
        ("ALLOW", Extent::None) => "allows no request, so what no other ALLOW policy allows is refused".to_owned(),
        ("DENY", Extent::None) => "refuses no request".to_owned(),
        ("CUSTOM", Extent::None) => "asks about no request".to_owned(),
        (_, Extent::All) => "matches every request".to_owned(),
        (_, Extent::None) => "matches no request".to_owned(),
        (_, Extent::Unknown) => {
            "it is not known whether it matches every request, or none: the time ended first".to_owned()
        }
    }
}

/// Callers, methods or paths in words.
pub(super) fn reaching(part: &Reaching) -> String {
    match part {
        Reaching::All => "*".to_owned(),
        Reaching::Pattern { of: "principal" | "method" | "path", text } => text.clone(),
        Reaching::Pattern { of, text } => format!("{of} {text}"),
        Reaching::Others => "(others)".to_owned(),
        Reaching::Nameless => "(no identity)".to_owned(),
    }
}

/// The rows of a table: caller, methods, path and access, one for all methods that have the same.
fn table(reach: &Reach) -> Vec<[String; 4]> {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for row in &reach.rows {
        let next = [reaching(&row.caller), reaching(&row.method), reaching(&row.path), access(row.access).to_owned()];
        let [caller, method, path, access] = &next;
        let is_alike = |known: &&mut [String; 4]| {
            let [of_caller, _, of_path, of_access] = &**known;
            (of_caller, of_path, of_access) == (caller, path, access)
        };
        match rows.iter_mut().rev().take_while(|known| known.first() == Some(caller)).find(is_alike) {
            Some([_, methods, ..]) => *methods += &format!(", {method}"),
            None => rows.push(next),
        }
    }
    rows
}

/// The word for access.
pub(super) fn access(access: Access) -> &'static str {
    match access {
        Access::Always => "always",
        Access::Sometimes => "sometimes",
        Access::Never => "never",
        Access::Unknown => "unknown",
    }
}
