//! Annotations of GitHub Actions, each at the rule or policy that it is about.

use super::super::request;
use super::{Extent, Report, decided, extent, is_refusal, why};
use crate::print::plain;
use crate::validate::annotation;
use weir_policy::RuleId;

/// The ids of findings.
const NEVER: &str = "rule-never-decides";
const UNKNOWN: &str = "rule-not-known";
const EXTENT: &str = "policy-matches-all-or-none";
const UNUSED: &str = "policy-for-no-workload";
const DIFFERENCE: &str = "decided-otherwise";

impl Report {
    /// The report as annotations, one a line.
    pub(in super::super) fn github(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for of in &self.of {
            for found in of.differences.iter().flat_map(|differences| &differences.found) {
                let word = if is_refusal(found) { "newly refused" } else { "newly allowed" };
                let (new, old, example) = (decided(&found.new), decided(&found.old), request::json(&found.request));
                let message = format!("{word} for {}: {new}, before {old}: {example}", of.id);
                lines.push(self.annotation(found.new.by.as_ref(), DIFFERENCE, message));
            }
            if let (Some(comparison), Some(None)) =
                (of.comparison(), of.differences.as_ref().map(|differences| differences.are_equivalent()))
            {
                lines.push(self.annotation(None, UNKNOWN, format!("{}: {comparison}", of.id)));
            }
            for (meaning, reason) in of.never() {
                let message = format!("can never decide for {}: {}", of.id, why(meaning, reason));
                lines.push(self.annotation(Some(&meaning.rule), NEVER, message));
            }
            for meaning in of.unknown() {
                let message = format!("whether it can decide for {} is not known: the time ended first", of.id);
                lines.push(self.annotation(Some(&meaning.rule), UNKNOWN, message));
            }
            for (policy, of_policy) in of.extents().filter(|(_, of_policy)| !matches!(of_policy, Extent::Unknown)) {
                let name = format!("{}/{}", policy.namespace, policy.name);
                let message = format!("for {} it {}", of.id, extent(policy, &of_policy));
                lines.extend(self.places.line_of_policy(&name, EXTENT, message).map(|line| annotation(&line)));
            }
        }
        for policy in &self.unused {
            let message = "it is for none of the workloads in the files".to_owned();
            lines.extend(self.places.line_of_policy(policy, UNUSED, message).map(|line| annotation(&line)));
        }
        lines.join("\n")
    }

    /// An annotation of a rule; without a place where it is not in the files.
    fn annotation(&self, rule: Option<&RuleId>, id: &'static str, message: String) -> String {
        let line = rule.and_then(|rule| self.places.line(rule, id, message.clone()));
        line.map_or_else(|| format!("::warning::{}", plain(&message.replace('%', "%25"))), |line| annotation(&line))
    }
}
