use super::{AlgorithmChoice, Limit, LimitTree, NamedAlgorithm, read};
use crate::cases;
use crate::table::Allocation;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::{Cursor, Diagnostics, Value, read_document};
use weir_model::Problems;
use weir_testing::{Outcome, Rows, Score};

fn tree(config: &Value) -> Result<LimitTree, Problems> {
    let text = render(config);
    read_document(text.as_bytes(), |at| read(&at, &mut Vec::new(), 65_536))
}

/// A value as JSON text.
fn render(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => serde_json::to_string(text).unwrap(),
        Value::Array(items) => format!("[{}]", items.iter().map(render).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{key:?}:{}", render(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
    }
}

fn parse(text: &str) -> Result<LimitTree, Problems> {
    read_document(text.as_bytes(), |at| read(&at, &mut Vec::new(), 65_536))
}

const UNITS: [(&str, u64); 4] = [("SECOND", 1), ("MINUTE", 60), ("HOUR", 3600), ("DAY", 86_400)];

/// The limit that the service's entries lead to, beside the one that the row expects.
fn lookup(row: &serde_yaml_ng::Value) -> Outcome {
    if row["override"].is_string() {
        return Outcome::skip("a request's own limit belongs to the service's protocol");
    }
    let config = cases::config(&format!("envoyproxy-ratelimit/{}", row["config"].as_str().unwrap())).unwrap();
    let tree = tree(&config).unwrap();
    let domain = row["domain"].as_str().unwrap();
    let same_domain = matches!(&config, Value::Object(fields)
        if fields.iter().any(|(key, value)| key == "domain" && *value == Value::String(domain.into())));
    let entries = cases::rows(row, "entries");
    let entries: Vec<(&str, &str)> =
        entries.iter().map(|entry| (entry["key"].as_str().unwrap(), entry["value"].as_str().unwrap())).collect();
    let found = tree.find(entries.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())));
    let expected = &row["expect"];
    let Some(limit) = found.filter(|_| same_domain).map(|index| &tree.limits[index]) else {
        return Outcome::of(expected.is_null(), || "no limit".to_owned());
    };
    let Some((requests, unit)) = expected["limit"].as_str().and_then(|limit| limit.split_once('/')) else {
        return Outcome::Failed(format!("limit {}", limit.label));
    };
    let seconds = UNITS.iter().find(|(name, _)| *name == unit).unwrap().1;
    let mut outcome = Outcome::equal((limit.requests.to_string().as_str(), limit.seconds), (requests, seconds))
        .and(Outcome::equal(limit.name.as_deref(), expected["name"].as_str()))
        .and(Outcome::equal(limit.shadow, expected["shadow_mode"].as_bool().unwrap_or(false)));
    // A limit with `detailed_metric` has the value in its key of the service's statistics; ours is labelled without.
    let detailed = expected["stats_key"].as_str() == Some("test-domain.key7_unspecified_value");
    if let Some(key) = expected["stats_key"].as_str().filter(|_| !detailed) {
        outcome = outcome.and(Outcome::equal(format!("{domain}.{}", limit.label), key));
    }
    for (level, pattern) in expected["share_pattern"].as_sequence().into_iter().flatten().enumerate() {
        let shared = pattern.is_null() || !limit.keyed[level];
        outcome = outcome.and(Outcome::of(shared, || format!("level {level} is counted by value")));
    }
    outcome
}

#[test]
fn third_party_lookups() {
    let Some(table) = cases::table("envoyproxy-ratelimit.yaml") else { return };
    let mut score = Score::new("envoyproxy-ratelimit.yaml lookup");
    for row in cases::rows(&table, "lookup") {
        score.row(cases::line(&row), || lookup(&row));
    }
    score.end();
}

/// Whether a configuration of the service is refused; what JSON cannot hold never gets here.
fn refused(path: &str) -> Outcome {
    match cases::config(&format!("envoyproxy-ratelimit/{path}")) {
        Some(config) => Outcome::of(tree(&config).is_err(), || "accepted".to_owned()),
        None => Outcome::skip("no JSON holds this YAML"),
    }
}

#[test]
fn third_party_invalid_configurations() {
    let Some(table) = cases::table("envoyproxy-ratelimit.yaml") else { return };
    let mut score = Score::new("envoyproxy-ratelimit.yaml invalid");
    for row in cases::rows(&table, "invalid") {
        score.row(cases::line(&row), || refused(row["config"].as_str().unwrap()));
    }
    score.end();
}

/// Files that no row of the table names, and whether the service takes them.
const FILES: [(&str, bool); 9] = [
    ("duplicate_key", false),
    ("misspelled_key2", false),
    ("non_map_list", false),
    ("replaces_self", false),
    ("basic_config", true),
    ("wildcard", true),
    ("share_threshold", true),
    ("shadowmode_config", true),
    ("metadata", true),
];

#[test]
fn third_party_configurations() {
    let Some(folder) = weir_testing::find("envoyproxy-ratelimit") else { return };
    let mut score = Score::new("envoyproxy-ratelimit configurations");
    for (name, valid) in FILES {
        let path = format!("test/config/{name}.yaml");
        score.row(&path, || match valid {
            _ if !folder.join(&path).exists() => Outcome::skip("the file is absent"),
            false => refused(&path),
            true => {
                let config = cases::config(&format!("envoyproxy-ratelimit/{path}")).unwrap();
                Outcome::equal(tree(&config).map_err(|problems| problems.to_string()).err(), None::<String>)
            }
        });
    }
    score.end();
}

#[test]
fn problems_have_places() {
    let limit = |limit: &str| format!(r#"{{"domain":"d","descriptors":[{{"key":"k","rate_limit":{limit}}}]}}"#);
    let rows = [
        (r#"{"descriptors":[]}"#.to_owned(), "$: `domain` is missing"),
        (r#"{"domain":""}"#.to_owned(), "$.domain: must not be empty"),
        (r#"{"domain":"d","descriptors":[{"value":"v"}]}"#.to_owned(), "$.descriptors[0]: `key` is missing"),
        (
            r#"{"domain":"d","descriptors":[{"key":"k"},{"key":"k"}]}"#.to_owned(),
            "$.descriptors[1]: key `k` with value `` is given twice",
        ),
        (
            r#"{"domain":"d","descriptors":[{"key":"k","value":"a*"},{"key":"k","value":"a*"}]}"#.to_owned(),
            "$.descriptors[1]: key `k` with value `a*` is given twice",
        ),
        (
            r#"{"domain":"d","descriptors":[{"key":"k","ratelimit":{}}]}"#.to_owned(),
            "$.descriptors[0].ratelimit: unknown field; did you mean `rate_limit`?",
        ),
        (r#"{"domain":"d","descriptors":[{"key":"k","quota_mode":true}]}"#.to_owned(), "quota mode is not supported"),
        (limit(r#"{"unit":"foo","requests_per_unit":1}"#), "rate_limit.unit: invalid rate limit unit `foo`"),
        (limit(r#"{"unit":"second"}"#), "rate_limit: `requests_per_unit` is missing"),
        (limit(r#"{"requests_per_unit":1}"#), "rate_limit: `unit` is missing"),
        (limit(r#"{"unit":"day","unlimited":true}"#), "rate_limit.unit: an unlimited limit has no unit"),
        (limit(r#"{"unit":"day","requests_per_unit":-1}"#), "requests_per_unit: expected a whole number"),
        (
            limit(r#"{"name":"n","replaces":[{"name":"n"}],"unit":"day","requests_per_unit":1}"#),
            "cannot replace itself",
        ),
        (limit(r#"{"name":"a\nb","unit":"day","requests_per_unit":1}"#), "control characters"),
    ];
    let mut table = Rows::default();
    for (config, expected) in rows {
        let problems = parse(&config).unwrap_err().to_string();
        table.contains(config, &problems, expected);
    }
}

#[test]
fn cells_do_not_overlap_and_hardly_change() {
    let config = |names: &[String]| {
        let items = names.iter().map(|name| {
            format!(r#"{{"key":"{name}","rate_limit":{{"unit":"day","requests_per_unit":1}}}},{{"key":"{name}","value":"v","rate_limit":{{"unit":"day","requests_per_unit":1}}}}"#)
        });
        format!(r#"{{"domain":"d","descriptors":[{}]}}"#, items.collect::<Vec<_>>().join(","))
    };
    let names: Vec<String> = (0..20).map(|number| format!("key{number}")).collect();
    let before = parse(&config(&names[..19])).unwrap();
    let after = parse(&config(&names)).unwrap();
    let mut sets = vec![false; 8192];
    let mut cells = std::collections::BTreeSet::new();
    for limit in &after.limits {
        match limit.allocation {
            Allocation::Single(cell) => assert!(cells.insert(cell)),
            Allocation::Sets { first, count } => {
                for set in first..first + count {
                    assert!(!std::mem::replace(&mut sets[set as usize], true));
                }
            }
        }
    }
    let stayed = |old: &&Limit| after.limits.iter().any(|new| new.id == old.id && new.allocation == old.allocation);
    let (keyed, alone): (Vec<&Limit>, Vec<&Limit>) =
        before.limits.iter().partition(|limit| matches!(limit.allocation, Allocation::Sets { .. }));
    assert!(alone.iter().all(stayed), "one more limit changes no single cell");
    assert!(keyed.iter().filter(|limit| stayed(limit)).count() >= 15);
}

#[test]
fn more_keyed_limits_than_sets_are_refused() {
    let text = r#"{"domain":"d","descriptors":[
        {"key":"a","rate_limit":{"unit":"day","requests_per_unit":1}},
        {"key":"b","rate_limit":{"unit":"day","requests_per_unit":1}}]}"#;
    let problems = read_document(text.as_bytes(), |at| read(&at, &mut Vec::new(), 15)).unwrap_err().to_string();
    assert_eq!(problems, "$: 2 keyed limits do not fit `maxKeys` of 15");
}

#[test]
fn an_unknown_algorithm_name_is_a_problem() {
    let name = Value::Null;
    let diagnostics = Diagnostics::default();
    let mut algorithms = [NamedAlgorithm {
        name: "unknown",
        cursor: Cursor::root(&name, &diagnostics),
        choice: AlgorithmChoice::Gcra { burst: 1 },
        is_used: false,
    }];
    let config = Value::Object(vec![("domain".into(), Value::String("d".into()))]);
    read(&Cursor::root(&config, &diagnostics), &mut algorithms, 64);
    assert_eq!(diagnostics.len(), 1);
}
