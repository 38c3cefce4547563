//! For the comment on a pull request.

use super::super::request;
use super::{OfWorkload, Report, SHOWN, decided, extent, is_refusal, table, why};
use crate::print::plain;
use std::fmt::Write as _;
use weir_policy::RuleVerdict;

/// A cell of a table. What came out of a file is code, and ends no cell.
fn cell(text: &str) -> String {
    let text = plain(text).replace('`', "'").replace('|', "\\|");
    format!("`{text}`")
}

impl Report {
    /// The report as Markdown.
    pub(in super::super) fn markdown(&self) -> String {
        let mut text = String::from("### What these policies mean\n\n");
        for of in &self.of {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "**{}**\n", plain(&of.heading()));
            for line in of.overall().map(str::to_owned).into_iter().chain(of.caveats()) {
                let _ = writeln!(text, "{}\n", plain(&line));
            }
            of.markdown_of_differences(&mut text);
            self.markdown_of_rules(of, &mut text);
            of.markdown_of_rest(&mut text);
        }
        if !self.unused.is_empty() {
            let names: Vec<String> = self.unused.iter().take(SHOWN).map(|policy| cell(policy)).collect();
            let _ = writeln!(
                text,
                "{} for none of the {} workloads: {}",
                self.unused.len(),
                self.of.len(),
                names.join(", ")
            );
        }
        text
    }

    fn markdown_of_rules(&self, of: &OfWorkload, text: &mut String) {
        if of.never().next().is_some() {
            *text += "| rule that can never decide | why | where |\n| --- | --- | --- |\n";
            for (meaning, reason) in of.never().take(SHOWN) {
                let place = self.places.rule(&meaning.rule).map_or_else(String::new, |place| cell(&place));
                let _ = writeln!(
                    text,
                    "| {} | {} | {place} |",
                    cell(&format!("{} ({})", meaning.rule, meaning.action)),
                    cell(&why(meaning, reason))
                );
            }
            text.push('\n');
            more(text, of.never().count());
        }
        let unknown: Vec<String> = of.unknown().take(SHOWN).map(|meaning| cell(&meaning.rule.to_string())).collect();
        if !unknown.is_empty() {
            let _ = writeln!(text, "Not known, since the time ended first: {}\n", unknown.join(", "));
            more(text, of.unknown().count());
        }
        if of.shows_examples {
            *text += "| rule | a request that it decides |\n| --- | --- |\n";
            for meaning in &of.rules {
                if let RuleVerdict::Decides(example) = &meaning.verdict {
                    let (rule, example) = (meaning.rule.to_string(), request::json(example).to_string());
                    let _ = writeln!(text, "| {} | {} |", cell(&rule), cell(&example));
                }
            }
            text.push('\n');
        }
    }
}

fn more(text: &mut String, count: usize) {
    if count > SHOWN {
        let _ = writeln!(text, "and {} more\n", count - SHOWN);
    }
}

impl OfWorkload {
    fn markdown_of_differences(&self, text: &mut String) {
        let (Some(differences), Some(comparison)) = (&self.differences, self.comparison()) else { return };
        let _ = writeln!(text, "{comparison}\n");
        if !differences.found.is_empty() {
            *text += "| | now | before | for example |\n| --- | --- | --- | --- |\n";
            for found in differences.found.iter().take(SHOWN) {
                let _ = writeln!(
                    text,
                    "| newly {} | {} | {} | {} |",
                    if is_refusal(found) { "refused" } else { "allowed" },
                    cell(&decided(&found.new)),
                    cell(&decided(&found.old)),
                    cell(&request::json(&found.request).to_string())
                );
            }
            text.push('\n');
            more(text, differences.found.len());
        }
        if !differences.unknown.is_empty() || differences.unmatched_unknown {
            let mut names: Vec<String> =
                differences.unknown.iter().take(SHOWN).map(|rule| cell(&rule.to_string())).collect();
            names.extend(differences.unmatched_unknown.then(|| "what no rule matches".to_owned()));
            let _ = writeln!(text, "Not known, since the time ended first: {}\n", names.join(", "));
            more(text, differences.unknown.len());
        }
    }

    fn markdown_of_rest(&self, text: &mut String) {
        for (policy, of) in self.extents().take(SHOWN) {
            let name = cell(&format!("{}/{} ({})", policy.namespace, policy.name, policy.action));
            let _ = writeln!(text, "- {name} {}", extent(policy, &of));
        }
        if self.extents().next().is_some() {
            text.push('\n');
        }
        let Some(reach) = self.reach.as_ref().filter(|_| self.shows_reach) else { return };
        *text += "| caller | method | path | access |\n| --- | --- | --- | --- |\n";
        for [caller, methods, path, access] in table(reach) {
            let _ = writeln!(text, "| {} | {} | {} | {access} |", cell(&caller), cell(&methods), cell(&path));
        }
        text.push('\n');
        if reach.is_cut {
            *text += "Rows are missing: there are too many, or the time ended first.\n\n";
        }
    }
}
