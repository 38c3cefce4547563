//! One line a request, from Envoy's access log: what came, what was answered, and which rule or limit said so.

use serde::Deserialize;

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

    /// The line to print.
    pub(crate) fn line(&self) -> String {
        let request = format!("{} {}", text(&self.method), text(&self.path));
        let mut line = format!("{request:<32} {:>3}", self.status.unwrap_or_default());
        let parts = [("policy", &self.policy), ("limit", &self.rate_limit)];
        for (name, value) in parts {
            if let Some(value) = value {
                line.push_str(&format!("  {name}: {value}"));
            }
        }
        if let Some(seconds) = &self.retry_after {
            line.push_str(&format!("  retry after {seconds} s"));
        }
        match self.details.as_deref() {
            None | Some("via_upstream") => {}
            Some(details) => line.push_str(&format!("  ({details})")),
        }
        line
    }
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("-")
}

/// Whether a line of `/stats/prometheus` is one of the suite's series with something in it.
pub(crate) fn is_shown(line: &str) -> bool {
    let ours = line.starts_with("istio_") || line.starts_with("weir_");
    ours && !line.contains("_bucket{") && !line.ends_with(" 0")
}

/// What the metrics of telemetry begin with: Istio's names, and those of the samples beside Istio's own.
const TELEMETRY: [&str; 2] = ["istio_", "weir_istio_"];

/// A line of `/stats/prometheus` without the labels that are empty, and in telemetry without those that say `unknown`.
/// Elsewhere `unknown` is an answer, such as the reason of a decision.
pub(crate) fn brief(line: &str) -> String {
    let Some((name, rest)) = line.split_once('{') else { return line.to_owned() };
    let Some((labels, value)) = rest.rsplit_once('}') else { return line.to_owned() };
    let is_telemetry = TELEMETRY.iter().any(|prefix| name.starts_with(prefix));
    let says_nothing = |label: &str| label.contains("=\"\"") || is_telemetry && label.contains("=\"unknown\"");
    // No value of ours has a quote in it.
    let told = labels.split_inclusive("\",").filter(|label| !says_nothing(label));
    let told: String = told.collect();
    format!("{name}{{{}}}{value}", told.trim_end_matches(','))
}

/// Whether a line tells that the duration histogram has been merged.
pub(crate) fn is_merged_histogram(line: &str) -> bool {
    line.contains("istio_request_duration_milliseconds_count") && !line.ends_with(" 0")
}

#[cfg(test)]
mod tests;
