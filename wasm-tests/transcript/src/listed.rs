//! The differences that are allowed, each with its reason.

use crate::difference::Difference;
use serde::Deserialize;

/// One entry of `differences.yaml`. In each text but the reason, `*` stands for any characters; what is left out matches
/// everything.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Name of the run.
    #[serde(default = "anything")]
    pub run: String,
    /// Phase.
    #[serde(default = "anything")]
    pub phase: String,
    /// Call with its arguments.
    pub call: String,
    /// The outcome in real Envoy; `absent` where the line is missing.
    #[serde(default = "anything")]
    pub envoy: String,
    /// The same for the in-process host.
    #[serde(default = "anything")]
    pub host: String,
    /// The Envoy lines, such as `1.36`, that it is for; all where absent.
    #[serde(default)]
    pub lines: Option<Vec<String>>,
    /// Why it is allowed.
    pub reason: String,
}

fn anything() -> String {
    "*".to_owned()
}

impl Listed {
    /// Whether it is for an Envoy line, such as `1.36`.
    #[must_use]
    pub fn is_for(&self, envoy: &str) -> bool {
        self.lines.as_ref().is_none_or(|lines| lines.iter().any(|line| line == envoy))
    }

    fn covers(&self, run: &str, difference: &Difference) -> bool {
        let outcome = |outcome: &Option<String>| outcome.clone().unwrap_or_else(|| "absent".to_owned());
        glob(&self.run, run)
            && glob(&self.phase, &difference.location.phase)
            && glob(&self.call, once(&difference.call))
            && glob(&self.envoy, &outcome(&difference.envoy))
            && glob(&self.host, &outcome(&difference.host))
    }
}

/// A call without the number of its repetition in one location.
fn once(call: &str) -> &str {
    let numbered = call.rsplit_once('#').filter(|(_, number)| number.parse::<u32>().is_ok());
    numbered.map_or(call, |(call, _)| call)
}

/// Whether a text matches a pattern in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    let ends = (0..=rest.len()).filter_map(|at| rest.get(at..));
    ends.into_iter().any(|rest| glob(tail, rest))
}

/// What the list makes of the differences of all runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many differences are listed.
    pub allowed: usize,
    /// Those that are not, with the name of their run.
    pub unlisted: Vec<(String, Difference)>,
    /// Entries that no difference needs any more.
    pub stale: Vec<Listed>,
}

/// Compares differences with the list. Each difference counts for the first entry that covers it.
#[must_use]
pub fn compare_with_list(differences: Vec<(String, Difference)>, list: &[Listed]) -> Verdict {
    let mut used = vec![false; list.len()];
    let mut verdict = Verdict::default();
    for (run, difference) in differences {
        let found = list.iter().zip(&mut used).find(|(entry, _)| entry.covers(&run, &difference));
        match found {
            Some((_, used)) => {
                *used = true;
                verdict.allowed += 1;
            }
            None => verdict.unlisted.push((run, difference)),
        }
    }
    verdict.stale = list.iter().zip(used).filter(|(_, used)| !used).map(|(entry, _)| entry.clone()).collect();
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Location;
    use weir_testing::Rows;

    #[test]
    fn globs() {
        let mut rows = Rows::default();
        for (pattern, text, matches) in [
            ("*", "", true),
            ("*", "anything", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acb", false),
            ("*b*", "abc", true),
            ("abc", "abcd", false),
            ("é*", "tété", false),
            ("*é", "été", true),
        ] {
            rows.check(format!("{pattern} {text}"), glob(pattern, text), matches);
        }
    }

    #[test]
    fn an_entry_covers_a_call_however_often_it_was_made() {
        let entries = [listed("a", "absent")];
        assert_eq!(compare_with_list(vec![difference("a"), difference("a#2")], &entries).allowed, 2);
        assert_eq!(compare_with_list(vec![difference("a#b")], &entries).allowed, 0);
    }

    #[test]
    fn an_entry_is_for_every_line_unless_it_names_some() {
        let all = listed("a", "absent");
        let some = Listed { lines: Some(vec!["1.36".to_owned(), "1.37".to_owned()]), ..all.clone() };
        let mut rows = Rows::default();
        for (line, is_for) in [("1.36", true), ("1.37", true), ("1.3", false), ("1.40", false)] {
            rows.check(line, (all.is_for(line), some.is_for(line)), (true, is_for));
        }
    }

    fn difference(call: &str) -> (String, Difference) {
        let location = Location { vm: 3, context: 2, phase: "log".to_owned() };
        let (envoy, host) = (Some("Ok".to_owned()), None);
        ("run".to_owned(), Difference { location, call: call.to_owned(), envoy, host })
    }

    fn listed(call: &str, host: &str) -> Listed {
        let any = anything;
        let (call, host) = (call.to_owned(), host.to_owned());
        Listed { run: any(), phase: any(), call, envoy: any(), host, lines: None, reason: String::new() }
    }

    #[test]
    fn an_unlisted_difference_and_a_stale_entry_are_both_found() {
        let verdict =
            compare_with_list(vec![difference("a"), difference("b")], &[listed("a", "absent"), listed("b", "Ok")]);
        assert_eq!(verdict.allowed, 1);
        assert_eq!(verdict.unlisted, [difference("b")]);
        assert_eq!(verdict.stale, [listed("b", "Ok")]);
    }
}
