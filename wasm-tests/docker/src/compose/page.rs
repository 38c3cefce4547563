//! What the README of `envoy-configs/compose` and the dashboard beside it promise.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use weir_launch::Request;
use weir_scenario::Failure;
use weir_test_envoy::workspace;

use super::failed;

/// The folder's README and its dashboard.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    dashboard: Value,
}

/// A `curl` line: `curl -i -H 'x-user: ann' localhost:10000/cart   # 200 200 429: a remark`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// The line as written.
    pub(super) text: String,
    /// What it sends.
    pub(super) request: Request,
    /// The statuses of as many requests.
    pub(super) statuses: Vec<u16>,
}

/// A query of Prometheus and labels that its answer must have: `sum by (code) (x)  # code=200 code=403`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Query {
    pub(super) text: String,
    pub(super) labels: Vec<(String, String)>,
}

impl Page {
    /// Reads both files.
    pub(super) fn read() -> Result<Self, Failure> {
        let folder: PathBuf = workspace().join("envoy-configs/compose");
        let text = fs::read_to_string(folder.join("README.md")).map_err(failed)?;
        let dashboard = fs::read_to_string(folder.join("grafana/weir.json")).map_err(failed)?;
        Ok(Self { text, dashboard: serde_json::from_str(&dashboard).map_err(failed)? })
    }

    /// The requests in order.
    pub(super) fn requests(&self) -> Result<Vec<Line>, Failure> {
        let lines = self.text.lines().filter(|line| line.starts_with("curl "));
        let lines: Vec<_> = lines.map(Line::parse).collect::<Result<_, _>>()?;
        if lines.len() < 3 { Err(failed("the README has fewer than three requests")) } else { Ok(lines) }
    }

    /// The queries: the lines of `promql` blocks.
    pub(super) fn queries(&self) -> Result<Vec<Query>, Failure> {
        let blocks = self.text.split("```promql\n").skip(1).filter_map(|rest| rest.split("```").next());
        let queries: Vec<_> = blocks.flat_map(str::lines).map(Query::parse).collect();
        if queries.is_empty() { Err(failed("the README has no queries")) } else { Ok(queries) }
    }

    /// The queries of the dashboard with the titles of their panels, over one minute where Grafana would choose.
    pub(super) fn dashboard(&self) -> Result<Vec<(String, String)>, Failure> {
        let panels = self.dashboard.get("panels").and_then(Value::as_array);
        let panels = panels.ok_or_else(|| failed("the dashboard has no panels"))?;
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let queries = panels.iter().flat_map(|panel| {
            let targets = panel.get("targets").and_then(Value::as_array).into_iter().flatten();
            targets.map(move |one| (text(panel, "title"), text(one, "expr").replace("$__rate_interval", "1m")))
        });
        Ok(queries.collect())
    }
}

impl Line {
    fn parse(text: &str) -> Result<Self, Failure> {
        let unknown = |what: &str| Failure(format!("the README's `{text}`: {what}"));
        let (command, remark) = text.split_once('#').ok_or_else(|| unknown("no statuses after `#`"))?;
        let statuses: Vec<u16> = remark.trim().split([' ', ':']).map_while(|word| word.parse().ok()).collect();
        if statuses.is_empty() {
            return Err(unknown("no statuses after `#`"));
        }
        let mut words = words(command).into_iter().skip(1);
        let (mut headers, mut target) = (Vec::new(), None);
        while let Some(word) = words.next() {
            match word.as_str() {
                "-i" => {}
                "-H" => headers.extend(words.next()),
                other => target = other.strip_prefix("localhost:10000").map(str::to_owned),
            }
        }
        let target = target.ok_or_else(|| unknown("not for localhost:10000"))?;
        let headers: Vec<_> = headers.iter().filter_map(|header| header.split_once(": ")).collect();
        Ok(Self { text: text.to_owned(), request: get(&target, &headers), statuses })
    }
}

/// A GET request of a client on this machine.
pub(super) fn get(path: &str, headers: &[(&str, &str)]) -> Request {
    let request = Request::new("GET", "localhost:10000", path);
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// The words of a shell command, without single quotes.
fn words(command: &str) -> Vec<String> {
    // Every second part is inside quotes.
    let parts = command.split('\'').zip([false, true].into_iter().cycle());
    let words = parts.flat_map(|(part, quoted)| match quoted {
        true => vec![part.to_owned()],
        false => part.split_whitespace().map(str::to_owned).collect(),
    });
    words.collect()
}

impl Query {
    fn parse(line: &str) -> Self {
        let (text, labels) = line.split_once('#').unwrap_or((line, ""));
        let labels = labels.split_whitespace().filter_map(|label| label.split_once('='));
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { text: text.trim().to_owned(), labels }
    }
}

#[cfg(test)]
mod tests;
