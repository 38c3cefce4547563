//! The series of `/stats/prometheus` that matter after a run, summed and rounded: requests by response code, decisions of
//! policies and limits, and latency.

use std::collections::BTreeMap;

/// One series: its metric, its labels and its value.
struct Sample<'t> {
    metric: &'t str,
    labels: &'t str,
    value: f64,
}

impl<'t> Sample<'t> {
    fn parse(line: &'t str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (series, value) = line.rsplit_once(' ')?;
        let (metric, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.strip_suffix('}').unwrap_or(labels);
        Some(Self { metric, labels, value: value.parse().ok()? })
    }

    /// The value of a label; no label value of Weir's metrics has a quote in it.
    fn label(&self, name: &str) -> &'t str {
        let mut pairs = self.labels.split("\",").filter_map(|pair| pair.split_once("=\""));
        let found = pairs.find(|(key, _)| *key == name);
        found.map_or("", |(_, value)| value.trim_end_matches('"'))
    }
}

/// What Envoy counted, summed over all other labels.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    codes: BTreeMap<String, f64>,
    policies: BTreeMap<String, f64>,
    limits: BTreeMap<String, f64>,
    latency: Latency,
}

impl Summary {
    /// Reads the text of `/stats/prometheus`.
    pub(crate) fn of(text: &str) -> Self {
        let mut summary = Self::default();
        for sample in text.lines().filter_map(Sample::parse).filter(|sample| sample.value > 0.0) {
            summary.add(&sample);
        }
        summary
    }

    /// Whether Envoy has merged the duration histogram.
    pub(crate) fn has_latency(&self) -> bool {
        self.latency.count > 0.0
    }

    /// The lines to print; a metric without a value has none.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (title, values) in [
            ("requests by response code", &self.codes),
            ("policy decisions", &self.policies),
            ("rate limit outcomes", &self.limits),
        ] {
            for (index, (what, value)) in values.iter().enumerate() {
                let title = if index == 0 { title } else { "" };
                lines.push(format!("{title:<27} {value:>7.0}  {what}"));
            }
        }
        lines.extend(self.latency.line());
        lines
    }

    fn add(&mut self, sample: &Sample<'_>) {
        let label = |name| sample.label(name);
        let shadow = if label("mode") == "shadow" { " (shadow)" } else { "" };
        let (values, what) = match sample.metric {
            "weir_policy_decisions_total" => {
                let decided = match label("authz_policy") {
                    "-" | "" => label("reason").replace('_', " "),
                    policy => format!("{policy}[{}]", label("authz_rule")),
                };
                (&mut self.policies, format!("{} {decided}{shadow}", label("decision")))
            }
            "weir_ratelimit_decisions_total" => {
                (&mut self.limits, format!("{} {}{shadow}", label("limit"), label("reason")))
            }
            // Trials give telemetry's metrics a prefix of their own.
            metric if metric.ends_with("istio_requests_total") => (&mut self.codes, label("response_code").to_owned()),
            metric => {
                if let Some((_, part)) = metric.split_once("istio_request_duration_milliseconds_") {
                    self.latency.add(part, label("le"), sample.value);
                }
                return;
            }
        };
        *values.entry(what).or_default() += sample.value;
    }
}

/// The duration histogram, summed over its series.
#[derive(Debug, Default)]
struct Latency {
    /// Upper bounds in milliseconds, each with the requests at or below it.
    buckets: Vec<(f64, f64)>,
    sum: f64,
    count: f64,
}

impl Latency {
    fn add(&mut self, part: &str, bound: &str, value: f64) {
        match part {
            "sum" => self.sum += value,
            "count" => self.count += value,
            "bucket" => {
                let Ok(bound) = bound.parse::<f64>() else { return };
                match self.buckets.iter_mut().find(|(known, _)| *known == bound) {
                    Some((_, total)) => *total += value,
                    None => self.buckets.push((bound, value)),
                }
            }
            _ => {}
        }
    }

    /// The smallest bound that `share` of the requests keep.
    fn quantile(&self, share: f64) -> String {
        let kept = self.buckets.iter().filter(|(_, total)| *total >= share * self.count).map(|(bound, _)| *bound);
        let bound = kept.fold(f64::INFINITY, f64::min);
        if bound.is_finite() { format!("at most {bound} ms") } else { "above the last bucket".to_owned() }
    }

    fn line(&self) -> Option<String> {
        (self.count > 0.0).then(|| {
            let mean = self.sum / self.count;
            let (middle, high) = (self.quantile(0.5), self.quantile(0.99));
            format!("{:<27} {:>7.0}  requests, mean {mean:.1} ms, p50 {middle}, p99 {high}", "latency", self.count)
        })
    }
}

#[cfg(test)]
mod tests;
