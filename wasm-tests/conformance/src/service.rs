//! `envoyproxy-ratelimit.yaml`: which limit the service's descriptors lead to, and whether a request passes.
//!
//! A lookup's configuration is a file beside the table. Each row's entries come from request headers of its own, so one
//! proxy holds all rows of a configuration.

use crate::batch::{Ask, Batch, Row};
use crate::json::{ROW, exchange, field, numbered, rows, scenario, text};
use serde_json::{Value, json};
use weir_scenario::{Expect, Fields, HeaderChecks, Module, Proxy, Request, Status, Text};
use weir_testing::{find, parse};

const FILE: &str = "envoyproxy-ratelimit.yaml";
const UNITS: [(&str, u64); 4] = [("SECOND", 1), ("MINUTE", 60), ("HOUR", 3600), ("DAY", 86_400)];

pub(crate) fn batches() -> Vec<Batch> {
    let Some(table) = weir_testing::read::<Value>(FILE) else { return Vec::new() };
    let mut files: Vec<&str> = rows(&table, "lookup").iter().map(|row| text(row, "config")).collect();
    files.sort_unstable();
    files.dedup();
    let lookups = files.into_iter().map(|file| lookups(file, rows(&table, "lookup")));
    let answers = Batch {
        part: format!("{FILE} overall"),
        rows: rows(&table, "overall").iter().enumerate().map(overall).collect(),
        parts: true,
        build: Box::new(|rows| {
            let all = |name: &str| rows.iter().flat_map(|row| list(&row.config, name)).collect::<Vec<_>>();
            proxy(&all("items"), &json!({"domain": "conformance", "descriptors": all("limits")}))
        }),
    };
    lookups.chain([answers]).collect()
}

fn list(config: &Value, name: &str) -> Vec<Value> {
    rows(config, name).to_vec()
}

fn proxy(items: &[Value], config: &Value) -> weir_scenario::Scenario {
    let document = json!({
        "schema": 1,
        "name": "conformance",
        "rate_limits": items,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "local": {"config": config},
    });
    scenario(Module::RateLimit, document, Proxy::default())
}

/// All lookups in one configuration.
fn lookups(file: &str, all: &[Value]) -> Batch {
    let config = find(&format!("envoyproxy-ratelimit/{file}")).and_then(|path| parse::<Value>(&path).ok());
    // A proxy refuses what cannot be read, and the rows fail.
    let config = config.unwrap_or_default();
    let of_file = all.iter().enumerate().filter(|(_, row)| text(row, "config") == file);
    Batch {
        part: format!("{FILE} lookup"),
        rows: of_file.map(|(number, row)| lookup(number, row, text(&config, "domain"))).collect(),
        parts: true,
        build: Box::new(move |rows| {
            let items: Vec<Value> = rows.iter().map(|row| row.config.clone()).collect();
            proxy(&items, &config)
        }),
    }
}

fn lookup(number: usize, row: &Value, domain: &str) -> Row {
    let named = rows(row, "entries").iter().enumerate().map(|(index, entry)| (format!("x-{number}-{index}"), entry));
    let action = |(header, entry): (String, &Value)| json!({"request_headers": {"header_name": header, "descriptor_key": field(entry, "key")}});
    let actions: Vec<Value> = named.clone().map(action).collect();
    let sent = named.map(|(header, entry)| (header.as_str().into(), text(entry, "value").into())).collect();
    let ask = if field(row, "override").is_string() {
        Ask::Skip("a request's own limit belongs to the service's protocol".to_owned())
    } else if text(row, "domain") != domain {
        Ask::Skip("a filter has one domain, its configuration's".to_owned())
    } else if actions.is_empty() {
        Ask::Skip("an item of `rate_limits` has at least one action".to_owned())
    } else {
        match limit_header(field(row, "expect")) {
            Ok(headers) => {
                let expect = Expect { headers, ..Expect::default() };
                Ask::Answer(vec![exchange(Request { headers: Fields(sent), ..Request::default() }, expect)])
            }
            Err(reason) => Ask::Skip(reason),
        }
    };
    Row { name: row.to_string(), config: json!({"actions": actions}), ask }
}

/// What `x-ratelimit-limit` says of the expected limit; absent where none is expected, or an unlimited one.
fn limit_header(expect: &Value) -> Result<HeaderChecks, String> {
    let mut checks = HeaderChecks::default();
    let name = "x-ratelimit-limit".to_owned();
    let Some(limit) = field(expect, "limit").as_str() else {
        checks.absent.push(name);
        return Ok(checks);
    };
    let (requests, unit) = limit.split_once('/').unwrap_or_default();
    let Some((_, seconds)) = UNITS.iter().find(|(known, _)| *known == unit) else {
        return Err(format!("limit `{limit}`"));
    };
    let mut value = format!("{requests}, {requests};w={seconds}");
    if let Some(name) = field(expect, "name").as_str() {
        value.push_str(&format!(";name=\"{name}\""));
    }
    checks.values.insert(name, Text::Equal(value.as_str().into()));
    Ok(checks)
}

fn overall((number, row): (usize, &Value)) -> Row {
    let descriptors = rows(row, "descriptors").iter().enumerate();
    let header = json!({"name": ROW, "string_match": {"exact": number.to_string()}});
    let (mut items, mut limits) = (Vec::new(), Vec::new());
    for (index, descriptor) in descriptors {
        let (key, value) = (format!("row-{number}"), index.to_string());
        let matched = json!({"descriptor_key": key, "descriptor_value": value, "headers": [header]});
        items.push(json!({"actions": [{"header_value_match": matched}]}));
        let requests = if field(descriptor, "over") == true { 0 } else { 9 };
        let limit = json!({"unit": "day", "requests_per_unit": requests});
        limits.push(match text(descriptor, "mode") {
            "none" => json!({"key": key, "value": value}),
            "unlimited" => json!({"key": key, "value": value, "rate_limit": {"unlimited": true}}),
            mode => json!({"key": key, "value": value, "rate_limit": limit, "shadow_mode": mode == "shadow"}),
        });
    }
    let quota = rows(row, "descriptors").iter().any(|descriptor| text(descriptor, "mode") == "quota");
    let status = match text(row, "expect") {
        "OK" => Ok(200),
        "OVER_LIMIT" => Ok(429),
        other => Err(format!("expectation `{other}`")),
    };
    let ask = match status {
        _ if quota || field(row, "global_quota") == true => Ask::Skip("quota mode is refused".to_owned()),
        _ if items.is_empty() => Ask::Skip("without descriptors no limit is asked; the service errs".to_owned()),
        Err(reason) => Ask::Skip(reason),
        Ok(status) => {
            let expect = Expect { status: Some(Status::One(status)), ..Expect::default() };
            Ask::Answer(vec![exchange(numbered(number), expect)])
        }
    };
    Row { name: text(row, "name").to_owned(), config: json!({"items": items, "limits": limits}), ask }
}
