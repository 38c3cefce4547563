//! `envoy-ratelimit-headers.yaml`: the state of several limits, and the `x-ratelimit-*` headers that say it.
//!
//! Requests bring local limits into the row's state: each has a header of its own, which it counts by. The last request has
//! all of them. How long a window still lasts is the clock's, so `x-ratelimit-reset` is only checked to be within it.

use crate::batch::{Ask, Batch, Row};
use crate::json::{exchange, field, rows, scenario, text};
use serde_json::{Value, json};
use std::time::Duration;
use weir_scenario::{Exchange, Expect, Fields, HeaderChecks, Module, Proxy, Request, Span, Status, Text, Window};

const FILE: &str = "envoy-ratelimit-headers.yaml";
const UNITS: [(&str, u64); 3] = [("MINUTE", 60), ("HOUR", 3600), ("DAY", 86_400)];
/// The most requests that a row may need.
const MOST: u64 = 200;

/// A limit and how much of it is left.
struct LimitState {
    header: String,
    requests: u64,
    seconds: u64,
    left: u64,
}

pub(crate) fn batches() -> Vec<Batch> {
    let Some(table) = weir_testing::read::<Value>(FILE) else { return Vec::new() };
    let all = table.as_array().into_iter().flatten().enumerate().map(row).collect();
    vec![Batch { part: FILE.to_owned(), rows: all, parts: true, build: Box::new(proxy) }]
}

fn proxy(all: &[&Row]) -> weir_scenario::Scenario {
    let sum = |name: &str| all.iter().flat_map(|row| rows(&row.config, name).iter().cloned()).collect::<Vec<_>>();
    let document = json!({
        "schema": 1,
        "name": "conformance",
        "rate_limits": sum("items"),
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "local": {"config": {"domain": "conformance", "descriptors": sum("limits")}},
    });
    let mut made = scenario(Module::RateLimit, document, Proxy::default());
    let span = |seconds| Span(Duration::from_secs(seconds));
    made.window = Some(Window { length: span(60), room: span(30) });
    made
}

fn row((number, row): (usize, &Value)) -> Row {
    let statuses = rows(row, "statuses").iter().enumerate();
    let (mut items, mut limits) = (Vec::new(), Vec::new());
    for (index, status) in statuses.clone() {
        let header = header(number, index);
        items.push(json!({"actions": [{"request_headers": {"header_name": header, "descriptor_key": header}}]}));
        if let Some((requests, unit)) = text(status, "limit").split_once('/') {
            let requests: u64 = requests.parse().unwrap_or_default();
            let mut limit = json!({"unit": unit.to_ascii_lowercase(), "requests_per_unit": requests});
            if let (Some(fields), false) = (limit.as_object_mut(), text(status, "name").is_empty()) {
                fields.insert("name".to_owned(), field(status, "name").clone());
            }
            limits.push(json!({"key": header, "rate_limit": limit}));
        }
    }
    // An item and a limit that no request meets: a document needs some.
    items.push(json!({"actions": [{"request_headers": {"header_name": "x-never", "descriptor_key": "never"}}]}));
    let states: Result<Vec<Option<LimitState>>, String> =
        statuses.map(|(index, status)| limit_state(header(number, index), status)).collect();
    Row {
        name: text(row, "name").to_owned(),
        config: json!({"items": items, "limits": limits}),
        ask: states.map_or_else(Ask::Skip, |states| Ask::Answer(exchanges(number, row, &states))),
    }
}

fn header(number: usize, index: usize) -> String {
    format!("x-limit-{number}-{index}")
}

/// What a status says; `None` where it has no limit. The error is why no local limit can be in that state.
fn limit_state(header: String, status: &Value) -> Result<Option<LimitState>, String> {
    if field(status, "limit").is_null() {
        return Ok(None);
    }
    let (requests, unit) = text(status, "limit").split_once('/').unwrap_or_default();
    let Some((_, seconds)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("a local limit with unit {unit} cannot be held still"));
    };
    let requests: u64 = requests.parse().map_err(|_| format!("limit `{requests}`"))?;
    let left = field(status, "remaining").as_u64().ok_or("no `remaining`")?;
    if left >= requests {
        return Err("a local limit never has as much left as the row says".to_owned());
    }
    if requests - left > MOST {
        return Err(format!("needs more than {MOST} requests"));
    }
    Ok(Some(LimitState { header, requests, seconds: *seconds, left }))
}

fn exchanges(number: usize, row: &Value, states: &[Option<LimitState>]) -> Vec<Exchange> {
    let with = |names: Vec<String>| {
        let headers = names.iter().map(|name| (name.as_str().into(), "1".into())).collect();
        Request { headers: Fields(headers), ..Request::default() }
    };
    let passed = || Some(Status::One(200));
    let limits = states.iter().flatten();
    let before = limits.clone().map(|limit| Exchange {
        request: with(vec![limit.header.clone()]),
        repeat: u32::try_from(limit.requests - limit.left - 1).unwrap_or_default(),
        expect: Expect { status: passed(), ..Expect::default() },
    });
    let before: Vec<Exchange> = before.collect();
    let least = limits.min_by_key(|limit| limit.left);
    let expected = field(row, "expect");
    let mut checks = HeaderChecks::default();
    for name in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        match (field(expected, name).as_str(), least) {
            (None, _) => checks.absent.push(name.to_owned()),
            (Some(_), Some(limit)) if name == "x-ratelimit-reset" => {
                checks.values.insert(name.to_owned(), Text::Between(1, limit.seconds));
            }
            (Some(value), _) => drop(checks.values.insert(name.to_owned(), Text::Equal(value.into()))),
        }
    }
    let all = (0..states.len()).map(|index| header(number, index)).collect();
    let last = exchange(with(all), Expect { status: passed(), headers: checks, ..Expect::default() });
    before.into_iter().chain([last]).collect()
}
