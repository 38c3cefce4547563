//! `config.schema.json` of an image takes every document that the module takes, and refuses fields that it has not.

use super::travel::pack;
use super::{folder, printed, weir, workspace};
use boon::{Compiler, SchemaIndex, Schemas};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use weir_testing::Rows;

/// The schemas of the images of the four modules.
struct Packed {
    schemas: Schemas,
    of: BTreeMap<&'static str, SchemaIndex>,
}

impl Packed {
    fn new() -> Self {
        let folder = folder();
        let (mut schemas, mut of) = (Schemas::new(), BTreeMap::new());
        for module in ["policy", "rate-limit", "telemetry", "suite"] {
            pack(folder.path(), module, module);
            let layers = fs::read_dir(folder.path().join(module).join("blobs/sha256"))
                .unwrap()
                .map(|entry| entry.unwrap().path());
            let largest = layers.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
            let file = printed(Command::new("tar").arg("-xOzf").arg(largest).arg("config.schema.json"));
            let mut compiler = Compiler::new();
            let place = format!("http://weir/{module}.json");
            compiler.add_resource(&place, serde_json::from_str(&file).unwrap()).unwrap();
            of.insert(module, compiler.compile(&place, &mut schemas).unwrap());
        }
        Self { schemas, of }
    }

    /// What the schema of a module says against a document.
    fn refuses(&self, module: &str, document: &Value) -> Option<String> {
        let index = self.of[module.trim_end_matches("-lean").trim_end_matches("-response").trim_end_matches("-audit")];
        self.schemas.validate(document, index).err().map(|error| error.to_string())
    }
}

fn yaml(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    documents.map_while(|document| Value::deserialize(document).ok()).collect()
}

/// Collects each object below `value` that is a document of a module.
fn collect(value: &Value, place: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) if fields.contains_key("schema") && fields.contains_key("name") => {
            found.push((place.to_owned(), value.clone()));
        }
        Value::Object(fields) => fields.values().for_each(|value| collect(value, place, found)),
        Value::Array(items) => items.iter().for_each(|value| collect(value, place, found)),
        Value::String(text) if text.contains("schema") => yaml(text).iter().for_each(|value| {
            if !value.is_string() {
                collect(value, place, found);
            }
        }),
        _ => {}
    }
}

/// Every document of the samples, pages, scenarios and fuzzing, with the file that has it.
fn documents() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let list = Command::new("git")
        .current_dir(workspace())
        .args(["ls-files", "envoy-configs", "docs", "README.md", "wasm-tests"])
        .output();
    for file in String::from_utf8(list.unwrap().stdout).unwrap().lines() {
        let Ok(text) = fs::read_to_string(workspace().join(file)) else { continue };
        match Path::new(file).extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "json") => yaml(&text).iter().for_each(|value| collect(value, file, &mut found)),
            Some("md") => {
                let blocks = super::page::blocks(&text, "yaml");
                blocks.iter().flat_map(|block| yaml(block)).for_each(|value| collect(&value, file, &mut found));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_schema_takes_what_the_module_takes() {
    let (packed, folder) = (Packed::new(), folder());
    let documents = documents();
    let mut table = Rows::default();
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    for module in ["policy", "rate-limit", "telemetry", "suite"] {
        let mut command = weir(folder.path(), &["validate", "--output", "json", "--module", module]);
        for (number, (_, document)) in documents.iter().enumerate() {
            fs::write(folder.path().join(format!("{number}.json")), document.to_string()).unwrap();
            command.arg(format!("{number}.json"));
        }
        let report: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let wrong: BTreeSet<&str> =
            findings.iter().filter(|one| one["severity"] == "error").filter_map(|one| one["file"].as_str()).collect();
        for (number, (place, document)) in documents.iter().enumerate() {
            if !wrong.contains(format!("{number}.json").as_str()) {
                *taken.entry(module).or_default() += 1;
                table.check(format!("{place}: {module} {document}"), packed.refuses(module, document), None::<String>);
            }
        }
    }
    // A search that finds nothing would pass, too.
    assert!(taken.len() == 4 && taken.values().all(|count| *count >= 10), "{taken:?}");
}

#[test]
fn the_schema_refuses_what_is_no_field_or_value_of_the_document() {
    let packed = Packed::new();
    let limits = json!({"config": {"domain": "d"}});
    let algorithm = |algorithm: Value| {
        let local = json!({"config": {"domain": "d"}, "algorithms": {"a": algorithm}});
        json!({"schema": 1, "name": "a", "local": local})
    };
    let rows = [
        ("policy", json!({"schema": 1, "name": "a", "policy": []})),
        ("policy", json!({"schema": 2, "name": "a"})),
        ("policy", json!({"name": "a"})),
        ("policy", json!({"schema": 1, "name": "a b"})),
        ("policy", json!({"schema": 1, "name": "a", "mode": "audit"})),
        ("policy", json!({"schema": 1, "name": "a", "workload": {"proxy": "ambient"}})),
        ("policy", json!({"schema": 1, "name": "a", "policies": [{"kind": "PeerAuthentication"}]})),
        ("rate-limit", json!({"schema": 1, "name": "a"})),
        (
            "rate-limit",
            json!({"schema": 1, "name": "a", "local": {"config": {"domain": "d", "descriptors": [{"value": "v"}]}}}),
        ),
        ("rate-limit", json!({"schema": 1, "name": "a", "local": limits, "rateLimits": []})),
        ("rate-limit", algorithm(json!({"gcra": {}}))),
        ("rate-limit", algorithm(json!({"gcra": {"burst": 0}}))),
        ("rate-limit", algorithm(json!({"gcra": {"burst": 1}, "fixed_window": {}}))),
        ("telemetry", json!({"schema": 1, "name": "a", "reporter": "client"})),
        ("telemetry", json!({"schema": 1, "name": "a", "cardinality": {"series": 0}})),
        ("telemetry", json!({"schema": 1, "name": "a", "telemetry": [{"kind": "Telemetry"}]})),
        ("suite", json!({"schema": 1, "name": "a", "rateLimit": {}})),
        ("suite", json!({"schema": 1, "name": "a", "policy": {"schema": 1}})),
        ("suite", json!({"schema": 1, "name": "a", "policies": []})),
    ];
    let mut table = Rows::default();
    for (module, document) in rows {
        table.check(format!("{module} {document}"), packed.refuses(module, &document).is_some(), true);
    }
}
