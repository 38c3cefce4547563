//! `istio-trust-domain-aliases.yaml`: the principals that a list in a policy stands for, given a mesh's trust domain and its
//! aliases.
//!
//! A row becomes requests: one as each principal that the expanded list names, and as those of other trust domains.

use crate::batch::{Ask, Batch, Row};
use crate::json::{allowing, decided, exchange, field, for_row, numbered, rows, scenario, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weir_scenario::{Client, Module, Proxy, Request, Tls};

const FILE: &str = "istio-trust-domain-aliases.yaml";

pub(crate) fn batches() -> Vec<Batch> {
    let Some(table) = weir_testing::read::<Value>(FILE) else { return Vec::new() };
    let mut batches: Vec<(String, Batch)> = Vec::new();
    for (number, case) in rows(&table, "cases").iter().enumerate() {
        let mesh = format!("{} {}", text(case, "trust_domain"), field(case, "aliases"));
        let row = Row {
            name: text(case, "name").to_owned(),
            config: json!({"from": [{"source": {"principals": field(case, "principals")}}], "when": for_row(number)}),
            ask: Ask::Answer(identities(case).into_iter().map(|peer| request_of(number, case, &peer)).collect()),
        };
        match batches.iter_mut().find(|(known, _)| *known == mesh) {
            Some((_, batch)) => batch.rows.push(row),
            None => batches.push((mesh, batch(case, row))),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

/// A proxy of the row's mesh.
fn batch(case: &Value, row: Row) -> Batch {
    let mut workload = json!({"namespace": "shop", "trustDomain": text(case, "trust_domain")});
    if let (Some(fields), false) = (workload.as_object_mut(), rows(case, "aliases").is_empty()) {
        fields.insert("trustDomainAliases".to_owned(), field(case, "aliases").clone());
    }
    let tls = Tls::Mtls("spiffe://cluster.local/ns/shop/sa/conformance".to_owned());
    let proxy = Proxy { tls, ..Proxy::default() };
    Batch {
        part: FILE.to_owned(),
        rows: vec![row],
        parts: true,
        build: Box::new(move |rows| {
            let rules = rows.iter().map(|row| row.config.clone()).collect();
            scenario(Module::Policy, allowing(&workload, rules), proxy.clone())
        }),
    }
}

fn texts<'v>(case: &'v Value, section: &str) -> impl Iterator<Item = &'v str> {
    rows(case, section).iter().filter_map(Value::as_str)
}

/// Peers that are worth a request: an example of each principal, and the same names in every trust domain of the row and in
/// two that it does not name.
fn identities(case: &Value) -> BTreeSet<String> {
    let principals: Vec<&str> = texts(case, "principals").chain(texts(case, "expanded")).collect();
    let mut domains: BTreeSet<&str> = ["foreign", "x-td1", text(case, "trust_domain")].into();
    domains.extend(texts(case, "aliases"));
    domains.extend(principals.iter().filter_map(|one| principal_parts(one)).map(|(domain, _)| domain));
    domains.retain(|domain| !domain.contains('*'));
    let names = principals.iter().filter_map(|one| principal_parts(one)).map(|(_, name)| name);
    let names: BTreeSet<&str> = names.filter(|name| !name.contains('*')).collect();
    let mut all: BTreeSet<String> = principals.iter().map(|principal| principal.replace('*', "x")).collect();
    all.extend(domains.iter().flat_map(|domain| names.iter().map(move |name| format!("{domain}{name}"))));
    all
}

/// Trust domain and the rest of a principal.
fn principal_parts(principal: &str) -> Option<(&str, &str)> {
    principal.split_at_checked(principal.find('/')?)
}

fn request_of(number: usize, case: &Value, peer: &str) -> weir_scenario::Exchange {
    let allow = texts(case, "expanded").any(|pattern| matches(pattern, peer));
    let request = Request { client: Client::Identity(format!("spiffe://{peer}")), ..numbered(number) };
    exchange(request, decided(allow))
}

/// Istio's patterns of principals: `*` at one end stands for anything.
fn matches(pattern: &str, peer: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(""), _) => !peer.is_empty(),
        (Some(end), _) => peer.ends_with(end),
        (None, Some(start)) => peer.starts_with(start),
        (None, None) => peer == pattern,
    }
}

#[cfg(test)]
mod tests;
