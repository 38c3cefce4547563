//! What `weir run` prints of a request, from Envoy's access log: what came, what was answered, which policy or limit
//! decided, and why. [`summary`] prints what Envoy counted.

mod summary;

pub(crate) use summary::Summary;

use crate::print;
use serde::Deserialize;
use std::io::IsTerminal as _;

/// One record of the access log format that `envoy-configs/envoy.yaml` has. Absent values are null there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    method: Option<String>,
    path: Option<String>,
    status: Option<u16>,
    details: Option<String>,
    policy: Option<String>,
    rate_limit: Option<String>,
    retry_after: Option<String>,
}

/// The titles over the lines of [`Record::line`].
pub(crate) fn titles() -> String {
    columns("request", "status", "decided by", "why")
}

fn columns(request: &str, status: &str, by: &str, why: &str) -> String {
    format!("{request:<22} {status:>6}  {by:<24} {why}").trim_end().to_owned()
}

/// Whether lines have colours: on a terminal, unless `NO_COLOR` is set (https://no-color.org).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colours {
    On,
    Off,
}

impl Colours {
    /// As standard output and the environment have it.
    pub(crate) fn of_terminal() -> Self {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !is_refused { Self::On } else { Self::Off }
    }

    /// A line about a response with this status.
    fn paint(self, status: u16, line: &str) -> String {
        let colour = match status {
            _ if self == Self::Off => return line.to_owned(),
            0..400 => "32",
            400..500 => "33",
            _ => "31",
        };
        format!("\x1b[{colour}m{line}\x1b[0m")
    }
}

impl Record {
    /// Reads a log line; `None` if it is not such a record.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let record: Self = serde_json::from_str(line).ok()?;
        record.status.is_some().then_some(record)
    }

    /// Whether the record is of a request with `method`.
    pub(crate) fn is_of(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }

    /// The line to print: request, status, what decided, and why.
    pub(crate) fn line(&self, colours: Colours) -> String {
        let request = format!("{} {}", text(&self.method), text(&self.path));
        let (by, why) = self.decision();
        let mut why = why.join(", ");
        if let Some(details) = self.details.as_deref().filter(|details| *details != "via_upstream") {
            why.push_str(&format!(" ({details})"));
        }
        let status = self.status.unwrap_or_default();
        let line = columns(&request, &status.to_string(), &by, why.trim_start());
        // Requests come from others.
        colours.paint(status, &print::plain(&line))
    }

    /// Who decided, and why: the policy or the limit that refused, else the policy that allowed.
    fn decision(&self) -> (String, Vec<String>) {
        let policy = self.policy.as_deref().map(Policy::parse);
        let limit = self.rate_limit.as_deref().map(Limit::parse);
        let wait = self.retry_after.as_ref().map(|seconds| format!("retry after {seconds} s"));
        if let Some(limit) = limit.as_ref().filter(|limit| limit.refuses) {
            let why = [limit.why.clone()].into_iter().chain(wait).collect();
            return (format!("limit {}", limit.name), why);
        }
        let left = limit.map(|limit| format!("limit {}: {}", limit.name, limit.why));
        match policy {
            Some(policy) => (policy.by, [policy.why].into_iter().chain(left).chain(wait).collect()),
            None => ("-".to_owned(), left.into_iter().chain(wait).collect()),
        }
    }
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("-")
}

/// Filter state `wasm.weir.policy`, in words.
struct Policy {
    by: String,
    why: String,
}

impl Policy {
    /// Reads `[shadow] allow|deny NS/NAME[RULE] [SOURCE-unknown]`, or `-` in place of the rule.
    fn parse(state: &str) -> Self {
        let (shadow, decision) = match state.strip_prefix("shadow ") {
            Some(rest) => ("shadow: ", rest),
            None => ("", state),
        };
        let mut words = decision.split(' ');
        let verdict = words.next().unwrap_or_default();
        let rule = words.next().unwrap_or("-");
        let why = match (verdict, rule, words.next().and_then(|word| word.strip_suffix("-unknown"))) {
            ("deny", _, Some(source)) => format!("refused, {source} is unknown"),
            ("deny", "-", None) => "no ALLOW rule matches".to_owned(),
            ("deny", _, None) => "refused by a DENY rule".to_owned(),
            ("allow", ..) => "allowed".to_owned(),
            _ => decision.to_owned(),
        };
        let by = if rule == "-" { "policy".to_owned() } else { rule.to_owned() };
        Self { by, why: format!("{shadow}{why}") }
    }
}

/// Filter state `wasm.weir.rate_limit`, in words.
struct Limit {
    refuses: bool,
    name: String,
    why: String,
}

impl Limit {
    /// Reads `over_limit limit=NAME reason=REASON [retry=WAIT]` and `ok limit=NAME remaining=N reset=SECONDS` or
    /// `ok limit=NAME WORD`.
    fn parse(state: &str) -> Self {
        let mut words = state.split(' ');
        let refuses = words.next() == Some("over_limit");
        let mut limit = Self { refuses, name: String::from("-"), why: String::new() };
        for word in words {
            match word.split_once('=') {
                Some(("limit", name)) => limit.name = name.to_owned(),
                Some(("remaining", left)) => limit.add(&format!("{left} left")),
                Some(("reset", seconds)) => limit.add(&format!("resets in {seconds} s")),
                Some(("retry", "never")) => limit.add("never fits"),
                // The wait of a refusal is its `retry-after` header.
                Some(("retry", _)) => {}
                Some((_, value)) => limit.add(value),
                None => limit.add(word),
            }
        }
        limit
    }

    fn add(&mut self, words: &str) {
        if !self.why.is_empty() {
            self.why.push_str(", ");
        }
        self.why.push_str(words);
    }
}

#[cfg(test)]
mod tests;
