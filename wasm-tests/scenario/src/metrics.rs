//! Metrics as Prometheus shows them: a name, labels, a value.
//!
//! A real Envoy's `/stats/prometheus` is parsed with [`Metrics::parse`]; the in-process host holds stat names in Istio's
//! encoding and turns them into samples with [`Sample::from_stat`], by the rules of the expressions in `envoy-configs/`.

use std::collections::BTreeMap;

/// What a sample holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A counter's or gauge's value.
    Number(f64),
    /// A histogram's totals.
    Histogram {
        /// How many samples.
        count: u64,
        /// Their sum.
        sum: f64,
    },
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name, without `_bucket`, `_sum` or `_count`.
    pub name: String,
    /// Labels, without `le`.
    pub labels: BTreeMap<String, String>,
    /// Value.
    pub value: Value,
}

impl Sample {
    /// Reads a stat name of the form `label=.=value;.;...;.;NAME`, with or without the prefix `wasmcustom.`.
    #[must_use]
    pub fn from_stat(stat: &str, value: Value) -> Sample {
        let stat = stat.strip_prefix("wasmcustom.").unwrap_or(stat);
        let mut labels = BTreeMap::new();
        let mut name = "";
        for piece in stat.split(";.;") {
            match piece.split_once("=.=") {
                Some((label, value)) => {
                    labels.insert(label.to_owned(), value.to_owned());
                }
                None => name = piece,
            }
        }
        Sample { name: name.replace(['.', '-'], "_"), labels, value }
    }
}

/// All series at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(pub Vec<Sample>);

impl Metrics {
    /// Reads Prometheus' text format. Lines that are not samples are passed over; a histogram's buckets are dropped.
    #[must_use]
    pub fn parse(text: &str) -> Metrics {
        let mut histograms: BTreeMap<(String, BTreeMap<String, String>), (u64, f64)> = BTreeMap::new();
        let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
        let mut samples = Vec::new();
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                kinds.extend(kind.split_once(' '));
                continue;
            }
            let Some((name, labels, number)) = sample_line(line) else { continue };
            let part = [("_bucket", 0), ("_sum", 1), ("_count", 2)]
                .into_iter()
                .filter_map(|(ending, part)| Some((name.strip_suffix(ending)?, part)))
                .find(|(base, _)| kinds.get(base) == Some(&"histogram"));
            match part {
                Some((base, 1)) => histograms.entry((base.to_owned(), labels)).or_default().1 = number,
                Some((base, 2)) => histograms.entry((base.to_owned(), labels)).or_default().0 = number as u64,
                Some(_) => {}
                None => samples.push(Sample { name: name.to_owned(), labels, value: Value::Number(number) }),
            }
        }
        samples.extend(histograms.into_iter().map(|((name, labels), (count, sum))| Sample {
            name,
            labels,
            value: Value::Histogram { count, sum },
        }));
        Metrics(samples)
    }
}

/// `name{label="value",...} number`
fn sample_line(line: &str) -> Option<(&str, BTreeMap<String, String>, f64)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at_checked(end)?;
    let mut labels = BTreeMap::new();
    let Some(mut rest) = rest.strip_prefix('{') else { return Some((name, labels, rest.trim().parse().ok()?)) };
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(number) = rest.strip_prefix('}') {
            return Some((name, labels, number.trim().parse().ok()?));
        }
        let (label, quoted) = rest.split_once("=\"")?;
        let (value, after) = quoted_value(quoted)?;
        labels.insert(label.to_owned(), value);
        rest = after;
    }
}

/// Reads up to the closing quote, with `\\`, `\"` and `\n` undone.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => match chars.next()? {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
