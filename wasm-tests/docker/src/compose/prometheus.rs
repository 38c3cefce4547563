//! Prometheus's HTTP interface: the answer to a query, now.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

use serde_json::Value;
use weir_launch::{Client, Protocol, Request};
use weir_scenario::Failure;

use super::failed;

/// One series of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// Names and values; the metric's own name is `__name__`.
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Series {
    /// A label, or nothing.
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// Where Prometheus is.
#[derive(Clone, Debug)]
pub(super) struct Prometheus {
    client: Client,
    address: SocketAddr,
}

impl Prometheus {
    pub(super) fn new(client: Client, address: SocketAddr) -> Self {
        Self { client, address }
    }

    /// The series that a query has now. Histogram quantiles without samples (`NaN`) do not count.
    pub(super) fn series(&self, query: &str) -> Result<Vec<Series>, Failure> {
        let path = format!("/api/v1/query?query={}", escaped(query));
        let request = Request::new("GET", "localhost", &path);
        let answer = self.client.send(self.address, Protocol::Http1, &request).map_err(failed)?;
        parse(&answer.text()).map_err(|error| Failure(format!("`{query}`: {error}")))
    }
}

/// Reads an answer to an instant query.
fn parse(text: &str) -> Result<Vec<Series>, String> {
    let answer: Value = serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?;
    let result = answer.pointer("/data/result").and_then(Value::as_array).ok_or_else(|| text.to_owned())?;
    let series = result.iter().filter_map(|one| {
        let labels = one.get("metric")?.as_object()?.iter();
        let labels = labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        let value: f64 = one.pointer("/value/1")?.as_str()?.parse().ok()?;
        (!value.is_nan()).then_some(Series { labels, value })
    });
    Ok(series.collect())
}

/// A text for the query of a URL.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            // A write to a String does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests;
