//! For a person.

use super::super::request;
use super::{OfWorkload, Report, SHOWN, decided, extent, is_refusal, table, why};
use crate::print::{Lines, plain};
use weir_policy::{Access, Reach, RuleVerdict};

impl Report {
    /// The report as text.
    pub(in super::super) fn text(&self) -> String {
        let mut lines = Lines::default();
        for (of, number) in self.of.iter().zip(0..) {
            if number > 0 {
                lines.0.push('\n');
            }
            lines.add(0, &of.heading());
            of.overall().into_iter().for_each(|line| lines.add(0, line));
            of.caveats().iter().for_each(|line| lines.add(0, line));
            of.text_of_differences(&mut lines);
            self.text_of_rules(of, &mut lines);
            of.text_of_policies(&mut lines);
            if let Some(reach) = of.reach.as_ref().filter(|_| of.shows_reach) {
                text_of_reach(reach, &mut lines);
            }
        }
        if !self.unused.is_empty() {
            lines.head(&format!("policies for none of the {} workloads: {}", self.of.len(), self.unused.len()));
            self.unused.iter().take(SHOWN).for_each(|policy| lines.add(2, policy));
            lines.more(2, self.unused.len().saturating_sub(SHOWN));
        }
        lines.0
    }

    fn text_of_rules(&self, of: &OfWorkload, lines: &mut Lines) {
        let never = of.never().count();
        match never {
            0 if of.rules.is_empty() || of.unknown().next().is_some() => {}
            0 => lines.head("every rule can decide"),
            _ => lines.head(&format!("rules that can never decide: {never}")),
        }
        for (meaning, reason) in of.never().take(SHOWN) {
            let place = self.places.rule(&meaning.rule).map_or_else(String::new, |place| format!("  {place}"));
            let off = if meaning.is_enforced { "" } else { ", not in force" };
            lines.add(2, &format!("{} ({}{off}){place}", meaning.rule, meaning.action));
            lines.add(4, &why(meaning, reason));
        }
        lines.more(2, never.saturating_sub(SHOWN));
        let unknown: Vec<String> = of.unknown().map(|meaning| meaning.rule.to_string()).collect();
        if !unknown.is_empty() {
            lines.head(&format!("rules of which that is not known, since the time ended first: {}", unknown.len()));
            unknown.iter().take(SHOWN).for_each(|rule| lines.add(2, rule));
            lines.more(2, unknown.len().saturating_sub(SHOWN));
        }
        if of.shows_examples {
            lines.head("a request that each rule decides:");
            for meaning in &of.rules {
                if let RuleVerdict::Decides(example) = &meaning.verdict {
                    lines.add(2, &format!("{}: {}", meaning.rule, request::json(example)));
                }
            }
        }
    }
}

impl OfWorkload {
    fn text_of_differences(&self, lines: &mut Lines) {
        let (Some(differences), Some(comparison)) = (&self.differences, self.comparison()) else { return };
        lines.head(&comparison);
        for (refused, title) in [(true, "newly refused"), (false, "newly allowed")] {
            for found in differences.found.iter().filter(|found| is_refusal(found) == refused).take(SHOWN) {
                lines.add(2, &format!("{title}: {}, before {}", decided(&found.new), decided(&found.old)));
                lines.add(4, &request::json(&found.request).to_string());
            }
        }
        lines.more(2, differences.found.len().saturating_sub(SHOWN));
        if !differences.unknown.is_empty() || differences.unmatched_unknown {
            let mut names: Vec<String> = differences.unknown.iter().take(SHOWN).map(ToString::to_string).collect();
            names.extend(differences.unmatched_unknown.then(|| "what no rule matches".to_owned()));
            lines.add(2, &format!("not known, since the time ended first: {}", names.join(", ")));
            lines.more(2, differences.unknown.len().saturating_sub(SHOWN));
        }
    }

    fn text_of_policies(&self, lines: &mut Lines) {
        let notable: Vec<_> = self.extents().collect();
        if notable.is_empty() {
            return;
        }
        lines.head("policies that match every request, or none:");
        for (policy, of) in notable.iter().take(SHOWN) {
            lines.add(2, &format!("{}/{} ({}) {}", policy.namespace, policy.name, policy.action, extent(policy, of)));
        }
        lines.more(2, notable.len().saturating_sub(SHOWN));
    }
}

/// Who can reach what, as columns.
fn text_of_reach(reach: &Reach, lines: &mut Lines) {
    lines.head("who can reach what; what has no row never passes, and sometimes depends on more, such as a header:");
    let mut rows = vec![["caller".to_owned(), "method".to_owned(), "path".to_owned(), "access".to_owned()]];
    rows.extend(table(reach).into_iter().map(|row| row.map(|cell| plain(&cell))));
    let mut widths = [0; 4];
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.chars().count().max(*width));
    }
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        lines.add(2, cells.join("  ").trim_end());
    }
    if reach.is_cut {
        lines.add(2, "rows are missing: there are too many, or the time ended first");
    }
    if reach.rows.iter().any(|row| row.access == Access::Unknown) {
        lines.add(2, "unknown: the time ended first");
    }
}
