//! For the comment on a pull request.

use super::super::options::For;
use super::super::tally::Example;
use super::{Report, SHOWN, grouped, most};
use crate::print::plain;
use std::fmt::Write as _;

/// A cell of a table. What came out of a log is code, and ends no cell.
fn cell(text: &str) -> String {
    let text = plain(text).replace('`', "'").replace('|', "\\|");
    format!("`{text}`")
}

fn example(Example { place, method, host, path, caller }: &Example) -> String {
    cell(&format!("{method} {host}{path} from {caller} ({}:{})", place.file, place.line))
}

impl Report<'_> {
    /// The report as Markdown.
    pub(in super::super) fn markdown(&self) -> String {
        let mut text = String::from("### Replay of recorded requests\n\n");
        // Writing to a String cannot fail.
        if self.of.is_some() {
            let _ = writeln!(text, "**{}**\n", self.summary());
        }
        if !self.changes.is_empty() {
            text += "| requests | answer | callers | examples |\n| ---: | --- | --- | --- |\n";
            for group in self.changes.iter().take(SHOWN) {
                let (callers, more) = most(&group.callers);
                let mut callers: Vec<String> =
                    callers.into_iter().map(|(name, count)| format!("{} {}", grouped(count), cell(name))).collect();
                callers.extend((more > 0).then(|| format!("and {more} more")));
                let examples: Vec<String> = group.examples.iter().map(example).collect();
                let (count, title) = (grouped(group.count), cell(&group.title()));
                let _ = writeln!(text, "| {count} | {title} | {} | {} |", callers.join("<br>"), examples.join("<br>"));
            }
            let more = self.changes.len().saturating_sub(SHOWN);
            if more > 0 {
                let _ = writeln!(text, "\nand {more} more kinds of change");
            }
            text.push('\n');
        }
        self.markdown_of_missing(&mut text);
        self.markdown_of_strict(&mut text);
        self.markdown_of_rest(&mut text);
        text
    }

    fn markdown_of_missing(&self, text: &mut String) {
        if !self.missing.is_empty() {
            *text += "| undecidable | the log lacks | asked by |\n| ---: | --- | --- |\n";
            for (field, count, policies) in &self.missing {
                let (policies, more) = most(policies);
                let mut policies: Vec<String> =
                    policies.into_iter().map(|(name, count)| format!("{} {}", grouped(count), cell(name))).collect();
                policies.extend((more > 0).then(|| format!("and {more} more")));
                let _ = writeln!(
                    text,
                    "| {} | {} | {} |",
                    grouped(*count),
                    cell(&field.to_string()),
                    policies.join("<br>")
                );
            }
            text.push('\n');
        }
        if let Some(configuration) = self.configuration(For::Istio) {
            *text += "<details><summary>The log format that has everything</summary>\n\n```yaml\n";
            *text += &configuration;
            *text += "```\n\n</details>\n\n";
        }
    }

    fn markdown_of_strict(&self, text: &mut String) {
        let Some(strict) = &self.tally.strict else { return };
        let (mutual, refused, unknown) = (grouped(strict.mutual), grouped(strict.refused), grouped(strict.unknown));
        let _ = writeln!(
            text,
            "**Mutual TLS**: {mutual} requests have it, {refused} would be refused if it were required, of {unknown} the log does not say.\n"
        );
        if strict.callers.is_empty() {
            return;
        }
        *text += "| requests | caller | paths |\n| ---: | --- | --- |\n";
        let callers = strict.sorted();
        for (name, caller) in callers.iter().take(SHOWN) {
            let (paths, more) = most(&caller.paths);
            let mut paths: Vec<String> =
                paths.into_iter().map(|(path, count)| format!("{} {}", grouped(count), cell(path))).collect();
            paths.extend((more > 0).then(|| format!("and {more} more")));
            let _ = writeln!(text, "| {} | {} | {} |", grouped(caller.count), cell(name), paths.join("<br>"));
        }
        let more = callers.len().saturating_sub(SHOWN);
        if more > 0 {
            let _ = writeln!(text, "\nand {more} more callers");
        }
        text.push('\n');
    }

    fn markdown_of_rest(&self, text: &mut String) {
        let tally = self.tally;
        let mut notes = Vec::new();
        let mut note = |count: u64, what: &str| notes.extend((count > 0).then(|| format!("{} {what}", grouped(count))));
        note(tally.by_other_rules(), "requests get the same answer by another rule");
        note(tally.disagreeing, "requests were answered otherwise than the old policies say");
        note(tally.set_aside.values().sum(), "requests are not compared");
        note(tally.broken, "lines cannot be read");
        if !self.unmatched.is_empty() {
            let rules: Vec<String> = self.unmatched.iter().take(SHOWN).map(|(rule, _)| cell(rule)).collect();
            let more = self.unmatched.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            notes.push(format!("rules that matched no request: {}{more}", rules.join(", ")));
        }
        for note in notes {
            let _ = writeln!(text, "- {note}");
        }
    }
}
