//! The outcome of every file of the folder: the scores of what was run, and why the rest was not.

use crate::json::field;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use weir_testing::{Outcome, Score};

/// Where rows are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// The filters' cores, by their own tests.
    Core,
    /// The modules in the in-process host.
    Host,
    /// The modules in real Envoy.
    Envoy,
}

impl World {
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            "core" => Ok(Self::Core),
            "host" => Ok(Self::Host),
            "envoy" => Ok(Self::Envoy),
            other => Err(format!("WORLD is core, host or envoy, not `{other}`")),
        }
    }
}

/// Where the rows of a section are run, and the reason why nowhere else.
struct Section {
    file: &'static str,
    /// The section's key; empty for a whole file.
    name: &'static str,
    runs: &'static [World],
    otherwise: &'static str,
}

const CORE: &[World] = &[World::Core];
const MODULES: &[World] = &[World::Host, World::Envoy];
const ALL: &[World] = &[World::Core, World::Host, World::Envoy];

const CONFIGURATION: &str = "the row is a configuration without requests: WORLD=core";
const NUMBERS: &str = "the row is about numbers inside the service: WORLD=core";

const fn section(file: &'static str, name: &'static str, runs: &'static [World], otherwise: &'static str) -> Section {
    Section { file, name, runs, otherwise }
}

const SECTIONS: [Section; 29] = [
    section("istio-authz-decisions.yaml", "groups", ALL, ""),
    section("istio-authz-validation.yaml", "policies", CORE, CONFIGURATION),
    section("istio-authz-validation.yaml", "when_attributes", CORE, CONFIGURATION),
    section("istio-authz-validation.yaml", "path_templates", CORE, CONFIGURATION),
    section("istio-authz-validation.yaml", "template_literals", CORE, CONFIGURATION),
    section("istio-path-normalization.yaml", "istio", MODULES, "Envoy normalises paths: WORLD=host or envoy"),
    section(
        "istio-path-normalization.yaml",
        "envoy_canonical_path",
        MODULES,
        "Envoy normalises paths: WORLD=host or envoy",
    ),
    section(
        "istio-path-normalization.yaml",
        "envoy_merge_slashes",
        MODULES,
        "Envoy normalises paths: WORLD=host or envoy",
    ),
    section("envoy-uri-template.yaml", "matches", ALL, ""),
    section("envoy-uri-template.yaml", "valid", ALL, ""),
    section("envoy-uri-template.yaml", "invalid", ALL, ""),
    section("istio-trust-domain-aliases.yaml", "cases", ALL, ""),
    section("envoy-rls-actions.yaml", "actions", ALL, ""),
    section("envoy-rls-actions.yaml", "hits_addend", ALL, ""),
    section("envoy-ratelimit-headers.yaml", "", ALL, ""),
    section("envoyproxy-ratelimit.yaml", "lookup", ALL, ""),
    section("envoyproxy-ratelimit.yaml", "overall", ALL, ""),
    section("envoyproxy-ratelimit.yaml", "invalid", CORE, CONFIGURATION),
    section("envoyproxy-ratelimit.yaml", "counter", CORE, NUMBERS),
    section("envoyproxy-ratelimit.yaml", "cache_key", &[], "the keys of the service's Redis; Weir has none"),
    section("envoyproxy-ratelimit", "", CORE, "the table names the files it needs; what they refuse: WORLD=core"),
    section("istio-peer-metadata.yaml", "x_envoy_peer_metadata", CORE, "the row has no request: WORLD=core"),
    section("istio-peer-metadata.yaml", "endpoint_metadata", CORE, "the row has no request: WORLD=core"),
    section("istio-peer-metadata.yaml", "baggage", &[], "Weir does not read baggage"),
    section("istio-proxy-stats", "", CORE, "templates of Istio's own test driver: WORLD=core"),
    section("istio-integration-telemetry", "", &[], "examples without an outcome"),
    section("real-policies.yaml", "", &[World::Envoy], "the expectation is Envoy's own RBAC beside: WORLD=envoy"),
    section("istio-peer-metadata.yaml", "serialise_as_string", &[], "Weir writes no peer metadata"),
    section("reported.yaml", "", &[], "worlds and outcomes are prose; scenarios and unit tests have the kinds"),
];

/// Prints the report; whether something passed and nothing failed.
pub(crate) fn print(world: World) -> Result<bool, String> {
    let report = std::env::var_os("WEIR_CASES_REPORT").ok_or("WEIR_CASES_REPORT names no file")?;
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for line in text.lines() {
        merge(&mut scores, serde_json::from_str(line).map_err(|error| format!("the report cannot be read: {error}"))?);
    }
    let folder = weir_testing::folder().ok_or("there is no folder of case files")?;
    for score in left_out(&folder, world, &scores)? {
        merge(&mut scores, score);
    }
    let sum = |of: fn(&Score) -> usize| scores.values().map(of).sum::<usize>();
    scores.values().for_each(|score| println!("{score}"));
    let (passed, failed) = (sum(Score::passed), sum(|score| score.failed().len()));
    println!("all files: {passed} passed, {failed} failed, {} skipped", sum(Score::skipped));
    if passed == 0 {
        println!("no row passed");
    }
    Ok(passed > 0 && failed == 0)
}

fn merge(scores: &mut BTreeMap<String, Score>, score: Score) {
    scores.entry(score.part().to_owned()).or_insert_with(|| Score::new(score.part())).merge(score);
}

/// The rows that this world does not run, each with its reason; and files that nothing ran.
fn left_out(folder: &Path, world: World, scores: &BTreeMap<String, Score>) -> Result<Vec<Score>, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if matches!(name.as_str(), "LICENSE" | "README.md") {
            continue;
        }
        let mut score = Score::new(&name);
        match sections(&path) {
            Ok(sections) => {
                let ran = scores.keys().any(|part| part.split(' ').next() == Some(&name));
                sections.iter().for_each(|(section, count)| add_section(&mut score, world, ran, section, *count));
            }
            Err(error) => score.add("the file", Outcome::Failed(error)),
        }
        if score.skipped() > 0 || !score.failed().is_empty() {
            found.push(score);
        }
    }
    Ok(found)
}

/// Adds a section's rows to its file's score, unless they were run.
fn add_section(score: &mut Score, world: World, ran: bool, section: &str, count: usize) {
    let of_file = SECTIONS.iter().filter(|known| known.file == score.part());
    let known = of_file.clone().find(|known| known.name == section || known.name.is_empty());
    match known {
        Some(known) if known.runs.contains(&world) => {
            if !ran && count > 0 {
                score.add("its rows", Outcome::Failed("nothing ran them".to_owned()));
            }
        }
        Some(known) => score.skip(count, known.otherwise),
        None => score.skip(count, format!("no runner reads {section}").trim_end()),
    }
}

/// The sections of a file, each with the number of its rows. A list and a folder are one without a name.
fn sections(path: &Path) -> Result<Vec<(String, usize)>, String> {
    if path.is_dir() {
        let count = std::fs::read_dir(path).map_or(0, Iterator::count);
        return Ok(vec![(String::new(), count)]);
    }
    Ok(match weir_testing::parse::<Value>(path)? {
        Value::Object(fields) => {
            let rows = |of: &Value| of.as_array().map_or(1, |groups| groups.iter().map(rows_of).sum());
            fields.iter().map(|(name, of)| (name.clone(), rows(of))).collect()
        }
        Value::Array(rows) => vec![(String::new(), rows.len())],
        _ => vec![(String::new(), 1)],
    })
}

/// How many rows are in a group; a row that is not a group counts as one.
fn rows_of(group: &Value) -> usize {
    let inner = ["requests", "cases"].map(|name| field(group, name).as_array().map(Vec::len));
    inner.into_iter().flatten().next().unwrap_or(1)
}

#[cfg(test)]
mod tests;
