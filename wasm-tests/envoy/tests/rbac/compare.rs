//! Both decisions of many requests, and where they differ.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};
use weir_scenario::{Metrics, Record, Request, Response, Sample, Value as MetricValue};
use weir_test_envoy::Proxy;

use crate::istio;

/// What was met, over any number of proxies.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests by how RBAC decided: `allow`, `deny` by a rule, `deny -` without one, `unseen` where no filter ran.
    pub(crate) decisions: BTreeMap<&'static str, usize>,
    /// How many policy sets refused no request, some, and all.
    pub(crate) rates: [usize; 3],
    /// What Weir itself counted where both decided alike, by that decision; `shadow_` before it for dry-run policies.
    pub(crate) agreed: BTreeMap<String, usize>,
    /// Requests by what they try; one may try several things.
    pub(crate) tried: BTreeMap<String, usize>,
    pub(crate) differences: usize,
    pub(crate) shown: Vec<String>,
}

/// How many differences are printed: a few of each set and not too many of all, or all where `WEIR_RBAC_SHOW` is set.
const SHOWN: usize = 40;

fn show_all() -> bool {
    std::env::var_os("WEIR_RBAC_SHOW").is_some()
}

fn shown_of_a_set() -> usize {
    if show_all() { usize::MAX } else { 2 }
}

impl Tally {
    pub(crate) fn requests(&self) -> usize {
        self.decisions.values().sum()
    }

    pub(crate) fn differences(&self) -> usize {
        self.differences
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (kind, count) in other.decisions {
            *self.decisions.entry(kind).or_insert(0) += count;
        }
        for (sum, more) in self.rates.iter_mut().zip(other.rates) {
            *sum += more;
        }
        for (what, count) in other.agreed {
            *self.agreed.entry(what).or_insert(0) += count;
        }
        for (what, count) in other.tried {
            *self.tried.entry(what).or_insert(0) += count;
        }
        self.differences += other.differences;
        self.shown.extend(other.shown);
        if !show_all() {
            self.shown.truncate(SHOWN);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [none, some, all] = self.rates;
        writeln!(
            f,
            "{} requests {:?}, sets that refuse none {none}, some {some}, all {all}, agreed on {:?}, trying {:?}; {} differences",
            self.requests(),
            self.decisions,
            self.agreed,
            self.tried,
            self.differences,
        )?;
        self.shown.iter().try_for_each(|shown| writeln!(f, "{shown}"))
    }
}

/// Sends the requests and compares; a set of policies has a name for reports.
pub(crate) fn compare(name: &str, policies: &[Value], mut proxy: Box<Proxy>, requests: &[Request]) -> Tally {
    let mut tally = Tally::default();
    let mut refused = 0;
    let mut first = true;
    for (request, (response, record)) in requests.iter().zip(proxy.send_all(requests).unwrap()) {
        let (kind, difference) = decided(&response, record.as_ref());
        if show_all() && kind == "unseen" {
            let headers: Vec<_> = request.all_headers().iter().map(|(n, v)| format!("{n}: \"{v}\"")).collect();
            eprintln!("UNSEEN {:?} {} {} {headers:?}", response.status, response.broken, request.line());
        }
        *tally.decisions.entry(kind).or_insert(0) += 1;
        refused += usize::from(kind.starts_with("deny"));
        if let Some(difference) = difference {
            tally.differences += 1;
            if tally.shown.len() < shown_of_a_set() {
                let headers: Vec<_> = request.all_headers().iter().map(|(n, v)| format!("{n}: \"{v}\"")).collect();
                let with = if first { format!("\n  {}", json!(policies)) } else { String::new() };
                first = false;
                let (line, headers) = (request.line(), headers.join(", "));
                tally.shown.push(format!("{name}: {line} [{headers}]: {difference}{with}"));
            }
        }
    }
    let seen = tally.requests() - tally.decisions.get("unseen").copied().unwrap_or(0);
    tally.rates[if refused == 0 { 0 } else { 1 + usize::from(refused == seen) }] = 1;
    tally.count_agreement(name, &proxy.metrics().unwrap());
    assert_eq!(proxy.vm_failures().unwrap(), 0, "{name}: {}", json!(policies));
    proxy.stop().unwrap();
    tally
}

impl Tally {
    /// Takes what Weir counted at the ends of the streams. What does not agree is a difference, and so is a request that it did
    /// not count, or took for one that other filters answered.
    fn count_agreement(&mut self, name: &str, metrics: &Metrics) {
        let counted = metrics.0.iter().filter(|sample| sample.name == "weir_policy_agreement_total");
        for Sample { labels, value, .. } in counted {
            let MetricValue::Number(number) = value else { continue };
            let label = |label: &str| labels.get(label).cloned().unwrap_or_default();
            let (native, weir) = (label("native"), label("weir"));
            if native == weir {
                *self.agreed.entry(native).or_insert(0) += *number as usize;
            } else {
                self.differences += 1;
                self.shown.push(format!("{name}: counted as RBAC `{native}`, Weir `{weir}`: {number}"));
            }
        }
        let decided = |kinds: &[&str]| kinds.iter().filter_map(|kind| self.decisions.get(kind)).sum::<usize>();
        for (word, expected) in [("allow", decided(&["allow"])), ("deny", decided(&["deny", "deny -"]))] {
            let found = self.agreed.get(word).copied().unwrap_or(0);
            if found != expected {
                self.differences += 1;
                self.shown.push(format!("{name}: {found} counted as agreed to {word}, of {expected}"));
            }
        }
    }
}

/// How RBAC decided, and how Weir decided if that differs.
fn decided(response: &Response, record: Option<&Record>) -> (&'static str, Option<String>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Some(record) = record else {
        let difference = (response.status == Some(500)).then(|| "500 without a record".to_owned());
        return ("unseen", difference);
    };
    let (details, mut weir) = (text(&record.details.0), text(&record.policy.0));
    // AUDIT policies, which decide nothing, come behind the decision.
    weir.truncate(weir.find(" audit ").unwrap_or(weir.len()));
    let rbac = details.strip_prefix("rbac_access_denied_matched_policy[").and_then(|rest| rest.strip_suffix(']'));
    let (kind, expected) = match (response.status, rbac) {
        (Some(200), None) => ("allow", None),
        (Some(403), Some("none")) => ("deny -", Some("shadow deny -".to_owned())),
        (Some(403), Some(id)) => ("deny", istio::name(id).map(|name| format!("shadow deny {name}"))),
        // Envoy itself refused it ahead of all filters.
        (status, _) => {
            let ours = weir != "-" || status == Some(500);
            return ("unseen", ours.then(|| format!("{status:?} `{details}`, Weir `{weir}`")));
        }
    };
    let same = match &expected {
        Some(expected) => weir == *expected,
        None => !weir.contains("deny"),
    };
    (kind, (!same).then(|| format!("RBAC `{}`, Weir `{weir}`", expected.as_deref().unwrap_or("allow"))))
}
