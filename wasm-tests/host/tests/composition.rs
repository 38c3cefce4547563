//! Composing changes nothing: what a scenario asks of one module comes of the suite with that section alone, and what it
//! asks of the suite comes of the modules in a chain: replies, headers, what the upstream sees, and counters.

use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use weir_scenario::{FilterSpec, Module, Scenario, Step, load_dir, run_all};
use weir_test_host::InProcess;

/// The sections of a suite's document in the order of its chain, and the modules for them.
const SECTIONS: [(&str, Module); 3] =
    [("policy", Module::Policy), ("rateLimit", Module::RateLimit), ("telemetry", Module::Telemetry)];

/// Fields of a document that every section has too.
const COMMON: [&str; 2] = ["mode", "accessLogState"];

/// What cannot be the same, and why.
const APART: [(&str, &str); 17] = [
    ("config-limits-refused", "the suite's messages have the section in their paths"),
    ("config-root-id-tcp", "the suite has a filter of connections, and the other modules have none"),
    ("config-refused-at-start", "the suite's messages have the section in their paths"),
    ("config-suite-refused", "the modules' messages have no section in their paths"),
    ("config-swap-refused", "the suite's messages have the section in their paths"),
    ("policy-cel-limits", "the suite's messages have the section in their paths"),
    ("policy-cel-quarantine", "the suite's messages have the section in their paths"),
    ("policy-cel-refused", "the suite's messages have the section in their paths"),
    ("policy-cel-reload", "the suite's messages have the section in their paths"),
    ("policy-observe-behind", "`policy.wasm` is not called for the ends of streams"),
    ("policy-observe-refused", "the suite is called for the ends of streams"),
    ("policy-quarantine", "the suite's messages have the section in their paths"),
    ("policy-tcp-reload", "the suite's messages have the section in their paths"),
    ("suite-cel", "the modules' messages have no section in their paths"),
    ("suite-custom", "`policy.wasm` is not called for responses"),
    ("suite-tcp-refused", "the modules' messages are about their root id"),
    ("telemetry-peer-response-missed", "the suite is called for responses"),
];

/// The suite with this module's document as its section; `None` for a module that it does not have.
fn through_suite(filter: &FilterSpec) -> Option<FilterSpec> {
    let name = match filter.module {
        Module::Policy => "policy",
        Module::RateLimit => "rateLimit",
        Module::Telemetry | Module::TelemetryResponse => "telemetry",
        _ => return None,
    };
    let mut section = filter.config.as_object()?.clone();
    let mut whole = Map::new();
    for field in ["schema", "name", "listener"] {
        whole.extend(section.remove_entry(field));
    }
    whole.insert(name.to_owned(), Value::Object(section));
    Some(FilterSpec { module: Module::Suite, config: Value::Object(whole), ..filter.clone() })
}

/// The modules of a suite's sections, each with its section as its document.
fn chained(filter: &FilterSpec) -> Option<Vec<FilterSpec>> {
    if !matches!(filter.module, Module::Suite | Module::SuiteLean) {
        return None;
    }
    let whole = filter.config.as_object()?;
    let mut filters = Vec::new();
    for (name, module) in SECTIONS {
        let Some(section) = whole.get(name) else { continue };
        let mut document = section.as_object()?.clone();
        for field in ["schema", "name", "listener"].into_iter().chain(COMMON) {
            if let Some(value) = whole.get(field) {
                document.entry(field).or_insert_with(|| value.clone());
            }
        }
        let reads_responses = section.pointer("/peerMetadata/readAt").and_then(Value::as_str) == Some("response");
        let module = if reads_responses { Module::TelemetryResponse } else { module };
        filters.push(FilterSpec { module, config: Value::Object(document), ..filter.clone() });
    }
    (!filters.is_empty()).then_some(filters)
}

/// The filters of a chain in the other form; `None` where one of them has none.
fn recomposed(filters: &[FilterSpec]) -> Option<Vec<FilterSpec>> {
    let one = |filter: &FilterSpec| through_suite(filter).map(|suite| vec![suite]).or_else(|| chained(filter));
    let filters: Vec<Vec<FilterSpec>> = filters.iter().map(one).collect::<Option<_>>()?;
    Some(filters.concat())
}

/// The scenario with its filters in the other form.
fn other_form(scenario: &Scenario) -> Option<Scenario> {
    let mut other = scenario.clone();
    other.filters = recomposed(&scenario.filters)?;
    for step in &mut other.steps {
        if let Step::Configure(configure) = step {
            configure.filters = recomposed(&configure.filters)?;
        }
    }
    Some(other)
}

#[test]
fn the_suite_and_a_chain_of_modules_do_the_same() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dist = std::env::var_os("WEIR_DIST").map_or_else(|| root.join("dist"), PathBuf::from);
    let only = std::env::var("WEIR_SCENARIOS").ok().filter(|only| !only.is_empty());
    let scenarios = load_dir(&root.join("wasm-tests/scenarios")).unwrap_or_else(|error| panic!("{error}"));
    let is_wanted = |scenario: &&Scenario| {
        only.as_deref().is_none_or(|only| scenario.name.contains(only))
            && APART.iter().all(|(name, _)| scenario.name != *name)
    };
    let others: Vec<Scenario> = scenarios.iter().filter(is_wanted).filter_map(other_form).collect();
    let mut gateway = InProcess::new(dist);
    let mut out = Vec::new();
    let summary = run_all(&mut gateway, &others, &mut out).unwrap();
    let text = String::from_utf8_lossy(&out);
    println!("{text}");
    assert!(summary.good(), "{text}");
    assert!(only.is_some() || others.len() > 100, "{} scenarios", others.len());
}
