//! Compares what happened with what was expected; every difference is reported, not the first alone.

use crate::{
    Body, CounterCheck, Expect, Fields, HeaderChecks, HistogramCheck, LogCheck, LogLine, Metrics, Mismatch, Outcome,
    Record, Response, Sample, Text, Value,
};
use std::collections::BTreeMap;

/// Whether the expectation needs the access log.
pub(crate) fn needs_record(expect: &Expect) -> bool {
    let Expect { details, flags, policy, rate_limit, authz_metadata, records, .. } = expect;
    [details, flags, policy, rate_limit, authz_metadata, records].into_iter().any(Option::is_some)
}

/// What differs between an expectation and a response.
pub(crate) fn response(expect: &Expect, actual: &Response) -> Vec<Mismatch> {
    let Expect {
        status,
        broken,
        headers,
        body,
        grpc_status,
        grpc_message,
        upstream_saw,
        upstream_path,
        upstream_headers,
        upstream_body_size,
        upstream_trailers,
        trailers,
        details: _,
        flags: _,
        policy: _,
        rate_limit: _,
        authz_metadata: _,
        records: _,
    } = expect;
    let mut out = Vec::new();
    if let Some(status) = status
        && !status.accepts(actual.status.unwrap_or(0))
    {
        let got =
            actual.status.map_or("no response".to_owned(), |status| format!("{status} with body `{}`", actual.body));
        out.push(Mismatch::new("status", status, got));
    }
    if let Some(broken) = broken
        && *broken != actual.broken
    {
        out.push(Mismatch::new("response broken off", broken, actual.broken));
    }
    header_checks("response header", headers, &actual.headers, &mut out);
    header_checks("response trailer", trailers, &actual.trailers, &mut out);
    match body {
        Some(Body::Text(text)) if !text.accepts(actual.body.as_slice()) => {
            out.push(Mismatch::new("body", text, format!("`{}`", actual.body)));
        }
        Some(Body::Size(size)) if *size != actual.body.0.len() => {
            out.push(Mismatch::new("body size", size, actual.body.0.len()));
        }
        _ => {}
    }
    if let Some(code) = grpc_status {
        let wanted = Text::Equal(code.to_string().as_str().into());
        grpc("grpc-status", &wanted, actual, &mut out);
    }
    if let Some(message) = grpc_message {
        grpc("grpc-message", message, actual, &mut out);
    }
    if let Some(saw) = upstream_saw
        && *saw != actual.seen.is_some()
    {
        let got = actual.seen.as_ref().map_or("no".to_owned(), |seen| format!("{} {}", seen.method, seen.path));
        out.push(Mismatch::new("upstream saw the request", if *saw { "yes" } else { "no" }, got));
    }
    if let Some(path) = upstream_path
        && !actual.seen.as_ref().is_some_and(|seen| path.accepts(seen.path.as_slice()))
    {
        let got =
            actual.seen.as_ref().map_or("the upstream saw no request".to_owned(), |seen| format!("`{}`", seen.path));
        out.push(Mismatch::new("path at the upstream", path, got));
    }
    let none = HeaderChecks::default();
    match &actual.seen {
        Some(seen) => {
            header_checks("request header at the upstream", upstream_headers, &seen.headers, &mut out);
            header_checks("request trailer at the upstream", upstream_trailers, &seen.trailers, &mut out);
            if let Some(size) = upstream_body_size
                && *size != seen.body_size
            {
                out.push(Mismatch::new("body size at the upstream", size, seen.body_size));
            }
        }
        None if *upstream_headers != none || *upstream_trailers != none || upstream_body_size.is_some() => {
            out.push(Mismatch::new("request at the upstream", "some", "the upstream saw no request"));
        }
        None => {}
    }
    out
}

fn grpc(name: &str, wanted: &Text, actual: &Response, out: &mut Vec<Mismatch>) {
    let got = actual.trailers.values(name).chain(actual.headers.values(name)).next();
    if !got.is_some_and(|value| wanted.accepts(value.as_slice())) {
        out.push(Mismatch::new(name, wanted, got.map_or("absent".to_owned(), |value| format!("`{value}`"))));
    }
}

fn header_checks(what: &str, checks: &HeaderChecks, actual: &Fields, out: &mut Vec<Mismatch>) {
    let HeaderChecks { present, absent, values } = checks;
    let shown = |name: &str| {
        let all: Vec<String> = actual.values(name).map(|value| format!("`{value}`")).collect();
        if all.is_empty() { "absent".to_owned() } else { all.join(", ") }
    };
    for name in present {
        if actual.values(name).next().is_none() {
            out.push(Mismatch::new(format!("{what} `{name}`"), "present", "absent"));
        }
    }
    for name in absent {
        if actual.values(name).next().is_some() {
            out.push(Mismatch::new(format!("{what} `{name}`"), "absent", shown(name)));
        }
    }
    for (name, text) in values {
        if !actual.values(name).any(|value| text.accepts(value.as_slice())) {
            out.push(Mismatch::new(format!("{what} `{name}`"), text, shown(name)));
        }
    }
}

/// What differs between an expectation and an access log record.
pub(crate) fn record(expect: &Expect, actual: &Record) -> Vec<Mismatch> {
    let fields = [
        ("response code details", &expect.details, &actual.details),
        ("response flags", &expect.flags, &actual.flags),
        ("filter state `wasm.weir.policy`", &expect.policy, &actual.policy),
        ("filter state `wasm.weir.rate_limit`", &expect.rate_limit, &actual.rate_limit),
        ("filter state `wasm.weir.authz_metadata`", &expect.authz_metadata, &actual.authz_metadata),
    ];
    let differs = |(field, wanted, got): (&str, &Option<Text>, &crate::Bytes)| {
        let wanted = wanted.as_ref().filter(|text| !text.accepts(got.as_slice()))?;
        Some(Mismatch::new(field, wanted, format!("`{got}`")))
    };
    let mut out: Vec<Mismatch> = fields.into_iter().filter_map(differs).collect();
    if let Some(wanted) = &expect.records
        && !wanted.accepts(actual.lines.to_string().as_bytes())
    {
        out.push(Mismatch::new("lines of the access log", wanted, actual.lines));
    }
    out
}

/// What differs between an expected outcome of configuring and what the proxy reported, if it refused.
pub(crate) fn outcome(expect: &Outcome, refused: Option<&str>) -> Vec<Mismatch> {
    match (expect, refused) {
        (Outcome::Accepted, None) => Vec::new(),
        (Outcome::Accepted, Some(report)) => {
            vec![Mismatch::new("configuration", "accepted", format!("refused: {report}"))]
        }
        (Outcome::Refused(_), None) => vec![Mismatch::new("configuration", "refused", "accepted")],
        (Outcome::Refused(texts), Some(report)) => texts
            .iter()
            .filter(|text| !report.contains(text.as_str()))
            .map(|text| Mismatch::new("configuration", format!("refused with `{text}`"), format!("refused: {report}")))
            .collect(),
    }
}

/// What differs between expected counters and the metrics.
pub(crate) fn counters(checks: &[CounterCheck], Metrics(samples): &Metrics) -> Vec<Mismatch> {
    let mut out = Vec::new();
    for CounterCheck { name, labels, value, at_least, series, series_at_most } in checks {
        let found: Vec<&Sample> = samples.iter().filter(|sample| fits(sample, name, labels)).collect();
        let number = |sample: &&Sample| if let Value::Number(number) = sample.value { number } else { 0.0 };
        let sum = found.iter().map(number).fold(0.0, |sum: f64, number| sum + number);
        let field = format!("counter {}", selector(name, labels));
        #[expect(clippy::cast_precision_loss, reason = "counts in scenarios are far below 2^52")]
        let as_float = |number: u64| number as f64;
        if let Some(value) = value
            && sum != as_float(*value)
        {
            out.push(Mismatch::new(&field, value, format!("{sum}{}", others(samples, name))));
        }
        if let Some(least) = at_least
            && sum < as_float(*least)
        {
            out.push(Mismatch::new(&field, format!("at least {least}"), format!("{sum}{}", others(samples, name))));
        }
        if let Some(most) = series_at_most
            && found.len() > *most
        {
            let field = format!("series of {}", selector(name, labels));
            out.push(Mismatch::new(field, format!("at most {most}"), found.len()));
        }
        if let Some(series) = series
            && found.len() != *series
        {
            let field = format!("series of {}", selector(name, labels));
            out.push(Mismatch::new(field, series, format!("{}{}", found.len(), others(samples, name))));
        }
    }
    out
}

/// What differs between expected histograms and the metrics.
pub(crate) fn histograms(checks: &[HistogramCheck], Metrics(samples): &Metrics) -> Vec<Mismatch> {
    let mut out = Vec::new();
    for HistogramCheck { name, labels, count, at_least, sum_at_least } in checks {
        let (mut samples_seen, mut total) = (0, 0.0);
        for sample in samples.iter().filter(|sample| fits(sample, name, labels)) {
            if let Value::Histogram { count, sum } = sample.value {
                samples_seen += count;
                total += sum;
            }
        }
        let field = format!("samples of {}", selector(name, labels));
        let shown = || format!("{samples_seen}{}", others(samples, name));
        if let Some(count) = count
            && samples_seen != *count
        {
            out.push(Mismatch::new(&field, count, shown()));
        }
        if let Some(least) = at_least
            && samples_seen < *least
        {
            out.push(Mismatch::new(&field, format!("at least {least}"), shown()));
        }
        #[expect(clippy::cast_precision_loss, reason = "sums in scenarios are far below 2^52")]
        if let Some(least) = sum_at_least
            && total < *least as f64
        {
            out.push(Mismatch::new(format!("sum of {}", selector(name, labels)), format!("at least {least}"), total));
        }
    }
    out
}

fn fits(sample: &Sample, name: &str, labels: &BTreeMap<String, Text>) -> bool {
    let label = |key: &str| sample.labels.get(key).map_or("", String::as_str);
    sample.name == name && labels.iter().all(|(key, text)| text.accepts(label(key).as_bytes()))
}

fn selector(name: &str, labels: &BTreeMap<String, Text>) -> String {
    let labels: Vec<String> = labels.iter().map(|(key, text)| format!("{key}: {text}")).collect();
    if labels.is_empty() { format!("`{name}`") } else { format!("`{name}` with {}", labels.join(", ")) }
}

/// The series with that name, to show why a check failed.
fn others(samples: &[Sample], name: &str) -> String {
    const SHOWN: usize = 8;
    let of_name: Vec<&Sample> = samples.iter().filter(|sample| sample.name == name).collect();
    if of_name.is_empty() {
        let mut names: Vec<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        return format!(
            "; no series of that name, but of: {}",
            if names.is_empty() { "none".into() } else { names.join(", ") }
        );
    }
    let mut text = "; series of that name:".to_owned();
    for Sample { labels, value, .. } in of_name.iter().take(SHOWN) {
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let value = match value {
            Value::Number(number) => number.to_string(),
            Value::Histogram { count, sum } => format!("{count} samples, sum {sum}"),
        };
        text.push_str(&format!("\n{{{}}} {value}", labels.join(", ")));
    }
    if of_name.len() > SHOWN {
        text.push_str(&format!("\nand {} more", of_name.len() - SHOWN));
    }
    text
}

/// What differs between expected log lines and the log.
pub(crate) fn logs(check: &LogCheck, lines: &[LogLine]) -> Vec<Mismatch> {
    const SHOWN: usize = 12;
    let mut out = Vec::new();
    for text in &check.contain {
        if !lines.iter().any(|line| line.text.contains(text)) {
            let tail = lines.iter().skip(lines.len().saturating_sub(SHOWN));
            let tail: Vec<String> = tail.map(|line| format!("[{}] {}", line.level, line.text)).collect();
            out.push(Mismatch::new(
                "log",
                format!("a line with `{text}`"),
                format!("none; its end:\n{}", tail.join("\n")),
            ));
        }
    }
    for text in &check.lack {
        if let Some(line) = lines.iter().find(|line| line.text.contains(text)) {
            out.push(Mismatch::new("log", format!("no line with `{text}`"), format!("[{}] {}", line.level, line.text)));
        }
    }
    out
}
