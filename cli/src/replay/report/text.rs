//! For a person at a terminal.

use super::super::options::For;
use super::super::tally::Example;
use super::{Report, SHOWN, grouped, most, share};
use crate::print::Lines;

/// Adds the requests that are given as examples.
fn add_examples(lines: &mut Lines, indent: usize, examples: &[Example]) {
    for example in examples {
        let Example { place, method, host, path, caller } = example;
        lines.add(indent, &format!("{method} {host}{path} from {caller}  {}:{}", place.file, place.line));
    }
}

impl Report<'_> {
    /// The report as text.
    pub(in super::super) fn text(&self) -> String {
        let mut lines = Lines::default();
        if self.of.is_some() {
            lines.add(0, &self.summary());
            self.text_of_changes(&mut lines);
            self.text_of_undecidable(&mut lines);
        }
        self.text_of_strict(&mut lines);
        self.text_of_rest(&mut lines);
        if let Some(configuration) = self.configuration(For::Envoy) {
            lines.head("the log format that has everything (for a mesh: --print-format istio):");
            configuration.lines().for_each(|line| lines.add(2, line));
        }
        lines.0
    }

    fn text_of_changes(&self, lines: &mut Lines) {
        for (allow, title) in [(false, "newly refused"), (true, "newly allowed")] {
            let groups: Vec<_> = self.changes.iter().filter(|group| group.to.allow == Some(allow)).collect();
            if groups.is_empty() {
                continue;
            }
            lines.head(&format!("{title}: {}", grouped(self.to(allow))));
            for group in groups {
                lines.add(2, &format!("{:>7}  {}", grouped(group.count), group.title()));
                let (callers, more) = most(&group.callers);
                for (caller, count) in callers {
                    lines.add(11, &format!("{} from {caller}", grouped(count)));
                }
                lines.more(11, more);
                add_examples(lines, 11, &group.examples);
            }
        }
        match self.tally.alike {
            0 => {}
            count => lines.head(&format!(
                "the same answer, though the log lacks what it is: {} meet the same rules",
                grouped(count)
            )),
        }
        match self.tally.by_other_rules() {
            0 => {}
            count => lines.head(&format!("the same answer by another rule: {}", grouped(count))),
        }
    }

    fn text_of_undecidable(&self, lines: &mut Lines) {
        if self.missing.is_empty() {
            return;
        }
        let (count, of) = (self.undecided(), self.tally.compared());
        lines.head(&format!("undecidable: {} ({}), for the log lacks", grouped(count), share(count, of)));
        for (field, count, policies) in &self.missing {
            lines.add(2, &format!("{:>7}  {field}", grouped(*count)));
            let (policies, more) = most(policies);
            for (policy, count) in policies {
                lines.add(11, &format!("{} asked by {policy}", grouped(count)));
            }
            lines.more(11, more);
        }
    }

    fn text_of_strict(&self, lines: &mut Lines) {
        let Some(strict) = &self.tally.strict else { return };
        lines.head(&format!(
            "mutual TLS: {} requests have it, {} would be refused if it were required, of {} the log does not say",
            grouped(strict.mutual),
            grouped(strict.refused),
            grouped(strict.unknown)
        ));
        if strict.nameless > 0 {
            lines.add(
                2,
                &format!(
                    "{} of them only because they have no server name, which Istio's proxies send",
                    grouped(strict.nameless)
                ),
            );
        }
        let callers = strict.sorted();
        for (name, caller) in callers.iter().take(SHOWN) {
            lines.add(2, &format!("{:>7}  {name}", grouped(caller.count)));
            let (paths, more) = most(&caller.paths);
            for (path, count) in paths {
                lines.add(11, &format!("{} to {path}", grouped(count)));
            }
            lines.more(11, more);
            add_examples(lines, 11, &caller.examples);
        }
        lines.more(2, callers.len().saturating_sub(SHOWN));
    }

    fn text_of_rest(&self, lines: &mut Lines) {
        let tally = self.tally;
        if tally.disagreeing > 0 {
            lines.head(&format!(
                "answered otherwise than the old policies say: {}; is --against what was deployed?",
                grouped(tally.disagreeing)
            ));
            add_examples(lines, 11, &tally.disagreeing_at);
        }
        if !self.unmatched.is_empty() {
            lines.head(&format!("rules that matched no request: {}", self.unmatched.len()));
            for (rule, perhaps) in self.unmatched.iter().take(SHOWN) {
                let may = if *perhaps { ", and may have: the log lacks what it asks for" } else { "" };
                lines.add(2, &format!("{rule}{may}"));
            }
            lines.more(2, self.unmatched.len().saturating_sub(SHOWN));
        }
        if !tally.set_aside.is_empty() {
            let (kinds, more) = most(&tally.set_aside);
            lines.head(&format!("not compared: {}", grouped(tally.set_aside.values().sum())));
            kinds.into_iter().for_each(|(why, count)| lines.add(2, &format!("{:>7}  {why}", grouped(count))));
            lines.more(2, more);
        }
        if tally.broken > 0 {
            lines.head(&format!("lines that cannot be read: {}", grouped(tally.broken)));
            for (place, why) in &tally.broken_at {
                lines.add(2, &format!("{}:{}: {why}", place.file, place.line));
            }
        }
        let times = tally.first.as_ref().zip(tally.last.as_ref());
        let times = times.map_or_else(String::new, |(first, last)| format!(", from {first} to {last}"));
        lines.head(&format!("{} lines read{times}", grouped(tally.lines)));
    }
}
