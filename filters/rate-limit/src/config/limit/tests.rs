use super::{AlgorithmChoice, Limit, LimitTree, NamedAlgorithm, read};
use crate::cases;
use crate::table::Allocation;
use crate::testing::Rows;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_config::{Cursor, Diagnostics, Value, read_document};
use weir_model::Problems;

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

#[test]
fn lookups_are_the_services() {
    let Some(table) = cases::table("envoyproxy-ratelimit.yaml") else { return };
    let (mut passed, mut skipped) = (0, 0);
    let mut rows = Rows::default();
    for row in table["lookup"].as_sequence().unwrap() {
        if row["override"].is_string() {
            // A request's own limit belongs to the service's protocol.
            skipped += 1;
            continue;
        }
        let config = cases::config(&format!("envoyproxy-ratelimit/{}", row["config"].as_str().unwrap())).unwrap();
        let tree = tree(&config).unwrap();
        let same_domain = matches!(&config, Value::Object(fields)
            if fields.iter().any(|(key, value)| key == "domain" && *value == Value::String(row["domain"].as_str().unwrap().to_owned())));
        let entries: Vec<(String, String)> = row["entries"]
            .as_sequence()
            .unwrap()
            .iter()
            .map(|entry| (entry["key"].as_str().unwrap().to_owned(), entry["value"].as_str().unwrap().to_owned()))
            .collect();
        let found = tree.find(entries.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())));
        let found = found.filter(|_| same_domain).map(|index| &tree.limits[index]);
        let (name, expected) = (format!("{row:?}"), &row["expect"]);
        let Some(limit) = found else {
            rows.check(name, expected.is_null(), true);
            passed += 1;
            continue;
        };
        let (requests, unit) = expected["limit"].as_str().unwrap().split_once('/').unwrap();
        let seconds = UNITS.iter().find(|(name, _)| *name == unit).unwrap().1;
        rows.check(&name, (limit.requests.to_string().as_str(), limit.seconds), (requests, seconds));
        rows.check(&name, limit.name.as_deref(), expected["name"].as_str());
        rows.check(&name, limit.shadow, expected["shadow_mode"].as_bool().unwrap_or(false));
        let detailed = expected["stats_key"].as_str() == Some("test-domain.key7_unspecified_value");
        if let Some(key) = expected["stats_key"].as_str().filter(|_| !detailed) {
            rows.check(&name, format!("{}.{}", row["domain"].as_str().unwrap(), limit.label), key);
        }
        for (level, pattern) in expected["share_pattern"].as_sequence().into_iter().flatten().enumerate() {
            rows.check(&name, pattern.is_null() || !limit.keyed[level], true);
        }
        passed += 1;
    }
    assert_eq!((passed, skipped), (24, 2));
}

#[test]
fn what_the_service_refuses_is_refused() {
    let Some(table) = cases::table("envoyproxy-ratelimit.yaml") else { return };
    let more = ["duplicate_key", "misspelled_key2", "non_map_list", "replaces_self"];
    let more = more.map(|name| format!("test/config/{name}.yaml"));
    let listed = table["invalid"].as_sequence().unwrap().iter().map(|row| row["config"].as_str().unwrap().to_owned());
    let mut rows = Rows::default();
    for path in listed.chain(more).map(|path| format!("envoyproxy-ratelimit/{path}")) {
        if let Some(config) = cases::config(&path) {
            rows.check(path, tree(&config).is_err(), true);
        }
    }
    for good in ["basic_config", "wildcard", "share_threshold", "shadowmode_config", "metadata"] {
        let config = cases::config(&format!("envoyproxy-ratelimit/test/config/{good}.yaml")).unwrap();
        rows.check(good, tree(&config).map_err(|problems| problems.to_string()).err(), None::<String>);
    }
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
        at: Cursor::root(&name, &diagnostics),
        choice: AlgorithmChoice::Gcra { burst: 1 },
        is_used: false,
    }];
    let config = Value::Object(vec![("domain".to_owned(), Value::String("d".to_owned()))]);
    read(&Cursor::root(&config, &diagnostics), &mut algorithms, 64);
    assert_eq!(diagnostics.len(), 1);
}
