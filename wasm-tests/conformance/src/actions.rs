//! `envoy-rls-actions.yaml`: rate limit actions, a request, and the descriptor entries that they give.
//!
//! All rows stand in one proxy: the first entry of each descriptor is the row's number. Below it, the limit [`EXPECTED`]
//! stands at the entries that the row expects. Where a row expects no descriptor, the limit [`OTHER`] stands at every list
//! of entries that its actions could give.

use crate::batch::{Ask, Batch, Row};
use crate::json::{ROW, connection, exchange, field, headers, numbered, rows, scenario, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use weir_scenario::{
    Exchange, Expect, HeaderChecks, Module, Node, Proxy, Request, Route, Status, Surroundings, Target, Text,
};

const FILE: &str = "envoy-rls-actions.yaml";
/// Requests of an hour: more than are sent, and the figure by which a limit is known.
const EXPECTED: u64 = 40_000;
const OTHER: u64 = 50_000;
/// What the file says of every request.
const REMOTE: &str = "10.0.0.1";
const CLUSTER: &str = "fake_cluster";
const SERVICE_CLUSTER: &str = "service_cluster";

pub(crate) fn batches() -> Vec<Batch> {
    let Some(table) = weir_testing::read::<Value>(FILE) else { return Vec::new() };
    let actions = rows(&table, "actions").iter().enumerate().map(action).collect();
    let hits = rows(&table, "hits_addend").iter().enumerate().map(hits).collect();
    [("actions", actions), ("hits_addend", hits)]
        .map(|(section, rows)| Batch { part: format!("{FILE} {section}"), rows, parts: true, build: Box::new(proxy) })
        .into()
}

/// A proxy with the rows' `item` of `rate_limits` and `limit` of `descriptors`.
fn proxy(rows: &[&Row]) -> weir_scenario::Scenario {
    let all = |name: &str| rows.iter().map(|row| field(&row.config, name).clone()).collect::<Vec<_>>();
    let document = json!({
        "schema": 1,
        "name": "conformance",
        "rate_limits": all("item"),
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "local": {"config": {"domain": "conformance", "descriptors": all("limit")}},
    });
    let node = Node { cluster: SERVICE_CLUSTER.to_owned(), ..Node::default() };
    let mut made = scenario(Module::RateLimit, document, Proxy { node, proxy_protocol: true, ..Proxy::default() });
    let route = Route::new("r", "/", Target::Cluster(CLUSTER.to_owned()));
    let clusters = BTreeMap::from([(CLUSTER.to_owned(), weir_scenario::Cluster::default())]);
    made.world = Surroundings { routes: vec![route], clusters };
    made
}

/// The first action of a row's item: it gives the entry `header_match` with the row's number.
fn first(number: usize) -> Value {
    let header = json!({"name": ROW, "string_match": {"exact": number.to_string()}});
    json!({"header_value_match": {"descriptor_value": number.to_string(), "headers": [header]}})
}

fn limit(requests: u64) -> Value {
    json!({"unit": "hour", "requests_per_unit": requests})
}

fn action((number, row): (usize, &Value)) -> Row {
    let expected = field(row, "expect").as_array();
    let below = match expected {
        Some(entries) => expected_below(entries),
        None => any_below(&rows(row, "actions").iter().filter_map(key).collect::<Vec<_>>()),
    };
    let mut node = json!({"key": "header_match", "value": number.to_string(), "descriptors": below});
    let own = match expected {
        Some(entries) => entries.is_empty().then_some(EXPECTED),
        None => Some(OTHER),
    };
    if let (Some(fields), Some(requests)) = (node.as_object_mut(), own) {
        fields.insert("rate_limit".to_owned(), limit(requests));
    }
    let actions: Vec<Value> = [first(number)].into_iter().chain(rows(row, "actions").iter().cloned()).collect();
    let name = "x-ratelimit-limit".to_owned();
    let mut checks = HeaderChecks::default();
    match expected {
        Some(_) => drop(checks.values.insert(name, Text::StartsWith(format!("{EXPECTED},").as_str().into()))),
        None => checks.absent.push(name),
    }
    Row {
        name: text(row, "name").to_owned(),
        config: json!({"item": {"actions": actions}, "limit": node}),
        ask: request_of(number, row, checks),
    }
}

/// The one way to the limit: the expected entries, in order.
fn expected_below(entries: &[Value]) -> Value {
    entries.iter().rev().fold(json!([]), |below, entry| {
        let mut node = json!({"key": field(entry, "key"), "value": field(entry, "value")});
        if let Some(fields) = node.as_object_mut() {
            let last = below.as_array().is_some_and(Vec::is_empty);
            let (name, of) = if last { ("rate_limit", limit(EXPECTED)) } else { ("descriptors", below) };
            fields.insert(name.to_owned(), of);
        }
        json!([node])
    })
}

/// Limits at all lists of these keys in this order, with any of them left out.
fn any_below(keys: &[String]) -> Value {
    let nodes = keys.iter().enumerate().map(|(index, key)| {
        let rest = keys.get(index + 1..).unwrap_or_default();
        json!({"key": key, "rate_limit": limit(OTHER), "descriptors": any_below(rest)})
    });
    let mut nodes: Vec<Value> = nodes.collect();
    nodes.dedup_by_key(|node| text(node, "key").to_owned());
    Value::Array(nodes)
}

/// The key of the entry that an action gives.
fn key(action: &Value) -> Option<String> {
    let (kind, fields) = action.as_object()?.iter().next()?;
    let default = match kind.as_str() {
        "header_value_match" => "header_match",
        "query_parameter_value_match" => "query_match",
        kind => kind,
    };
    Some(match text(fields, "descriptor_key") {
        "" => default.to_owned(),
        key => key.to_owned(),
    })
}

fn request_of(number: usize, row: &Value, checks: HeaderChecks) -> Ask {
    let request = field(row, "request");
    let remote = match text(request, "remote") {
        "" => REMOTE,
        "pipe" => return Ask::Skip("no client comes through a pipe".to_owned()),
        remote => remote,
    };
    let Ok(remote) = remote.parse::<IpAddr>() else { return Ask::Skip(format!("address `{remote}`")) };
    let path = if text(request, "path").is_empty() { "/" } else { text(request, "path") };
    let mut sent = Request { path: path.into(), addresses: Some(connection(remote, None)), ..numbered(number) };
    sent.headers.0.extend(headers(request).0);
    let expect = Expect { status: Some(Status::One(200)), headers: checks, ..Expect::default() };
    Ask::Answer(vec![exchange(sent, expect)])
}

fn hits((number, row): (usize, &Value)) -> Row {
    let item = json!({"actions": [first(number)], "hits_addend": field(row, "hits_addend")});
    let node = json!({"key": "header_match", "value": number.to_string(), "rate_limit": limit(EXPECTED)});
    let mut checks = HeaderChecks::default();
    if let Some(left) = field(row, "expect").as_u64().and_then(|hits| EXPECTED.checked_sub(hits)) {
        checks.values.insert("x-ratelimit-remaining".to_owned(), Text::Equal(left.to_string().as_str().into()));
    }
    let ask = match (field(row, "expect"), request_of(number, row, checks)) {
        (Value::String(expect), _) if expect == "config error" => Ask::Refuse,
        (Value::String(expect), Ask::Answer(mut exchanges)) if expect == "dropped" => {
            exchanges.iter_mut().for_each(without_limit);
            Ask::Answer(exchanges)
        }
        (Value::Number(_), ask) => ask,
        (other, _) => Ask::Skip(format!("expectation {other}")),
    };
    Row { name: text(row, "name").to_owned(), config: json!({"item": item, "limit": node}), ask }
}

fn without_limit(exchange: &mut Exchange) {
    exchange.expect.headers.absent.push("x-ratelimit-limit".to_owned());
}
