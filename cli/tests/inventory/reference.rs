//! `docs/configuration.md`, which `make reference` writes from `cli/schemas/config.json` (a Weir document) and
//! `cli/schemas/weir.schema.json` (`weir.yaml`): a table for each object. The page has every field that the filters read.

use super::examples::{DOCUMENTS, MESH, RENDERED};
use super::workspace;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use weir_testing::Rows;

const BEGIN: &str = "# Configuration

Every field of a Weir document and of `weir.yaml`, with what it takes. This page is made from
`cli/schemas/config.json` and `cli/schemas/weir.schema.json` by `make reference`; a test holds both
to what the filters and the command line read. [Policy](policy.md), [rate limit](rate-limit.md),
[telemetry](telemetry.md) and [deploying](deploying.md#a-whole-mesh) say how it all works together.

A document of the policy, rate limit or telemetry module has the fields of [every
document](#every-document), [every section](#every-section) and the module's own. A document of [the
suite](suite.md) has the first two, and the sections `policy`, `rateLimit` and `telemetry`, each
with [every section](#every-section) and the module's own. What a section does not say of the second
holds as the whole document says it. Unknown fields are refused. A default is what holds if the
field is left out.
";

/// A table to be written: its heading, and the object's schema.
struct Table<'s> {
    heading: String,
    schema: &'s Value,
}

pub(crate) fn read(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(workspace().join("cli/schemas").join(name)).unwrap()).unwrap()
}

fn page() -> String {
    let (parts, mesh) = (read("config.json"), read("weir.schema.json"));
    let object = |name: &str, required: Value| json!({"properties": parts[name], "required": required});
    let mut page = BEGIN.to_owned();
    page +=
        "\n## Examples\n\nOne for each module; [`weir.yaml`](#weiryaml) has its own. `weir validate` takes them all.\n";
    for (_, about, text) in DOCUMENTS {
        write!(page, "\n{about}\n\n```yaml\n{text}```\n").unwrap();
    }
    for (heading, name, required) in [
        ("Every document", "common", json!(["schema", "name"])),
        ("Every section", "section", json!([])),
        ("`policy`", "policy", json!([])),
        ("`rateLimit`", "rateLimit", json!(["local"])),
        ("`telemetry`", "telemetry", json!([])),
    ] {
        write(&Table { heading: heading.to_owned(), schema: &object(name, required) }, "##", &mut page);
    }
    page += "\n## Parts of documents\n";
    for (name, schema) in parts["definitions"].as_object().unwrap() {
        if schema["properties"].is_object() {
            write(&Table { heading: format!("{name} object"), schema }, "###", &mut page);
        }
    }
    page += RENDERED;
    let mut table = String::new();
    write(&Table { heading: "`weir.yaml`".to_owned(), schema: &without_repetition(mesh) }, "##", &mut table);
    let heading = "\n## `weir.yaml`\n";
    let table = table.strip_prefix(heading).unwrap();
    write!(page, "{heading}\nFor example, with `suite.yaml` [from above](#examples):\n\n```yaml\n{MESH}```\n{table}")
        .unwrap();
    page
}

/// `weir.yaml` with those fields of a workload left out that are also for all workloads; a sentence names them.
fn without_repetition(mut mesh: Value) -> Value {
    let whole = mesh["properties"].clone();
    let workload = &mut mesh["properties"]["workloads"]["items"];
    let fields = workload["properties"].as_object_mut().unwrap();
    let (both, own): (Map<_, _>, Map<_, _>) =
        std::mem::take(fields).into_iter().partition(|(name, field)| whole[name] == *field);
    *fields = own;
    let names: Vec<String> = both.keys().map(|name| format!("`{name}`")).collect();
    workload["description"] = json!(format!(
        "Besides, a workload takes these fields from above, and what it says wins; files are added: {}.",
        names.join(", ")
    ));
    mesh
}

/// Writes the table of an object, and behind it those of objects that are described in place.
fn write(table: &Table<'_>, level: &str, page: &mut String) {
    let Table { heading, schema } = table;
    write!(page, "\n{level} {heading}\n\n").unwrap();
    if let Some(about) = schema["description"].as_str() {
        wrapped(about, page);
    }
    *page += "| field | type | default | bounds | meaning |\n| --- | --- | --- | --- | --- |\n";
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut below = Vec::new();
    for (name, field) in schema["properties"].as_object().unwrap() {
        let default = match &field["default"] {
            Value::Null if required.contains(name.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            value => default(value),
        };
        let own = field["description"].as_str().map(str::to_owned);
        let meaning = own.or_else(|| Some(definition(reference(field)?)["description"].as_str()?.to_owned()));
        let mut meaning = meaning.unwrap_or_default().replace('|', "\\|");
        if let Some(example) = field["examples"].get(0) {
            write!(meaning, " Example: `{}`.", flow(example)).unwrap();
        }
        let cells = [format!("`{name}`"), kind(field), default, bounds(field), meaning];
        writeln!(page, "| {} |", cells.join(" | ").replace("  ", " ")).unwrap();
        if let Some((more, inner)) = inner(field) {
            let own = heading.trim_end_matches(" object").trim_matches('`');
            let own = if own.contains(' ') { String::new() } else { format!("{own}.") };
            below.push(Table { heading: format!("`{own}{name}{more}`"), schema: inner });
        }
    }
    for table in &below {
        write(table, &level.chars().chain(['#']).take(4).collect::<String>(), page);
    }
}

/// The object that a field, or an item of its list, is, if it is described in place; a list's has `[]` behind its name.
fn inner(field: &Value) -> Option<(&'static str, &Value)> {
    let has = |value: &Value| value["properties"].as_object().is_some_and(|fields| !fields.is_empty());
    if has(field) {
        return Some(("", field));
    }
    has(&field["items"]).then(|| ("[]", &field["items"]))
}

fn wrapped(text: &str, page: &mut String) {
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count() + 1;
        if column > 0 && column + width > 100 {
            page.push('\n');
            column = 0;
        } else if column > 0 {
            page.push(' ');
        }
        page.push_str(word);
        column += width;
    }
    page.push_str("\n\n");
}

/// The name of the definition that describes a field.
fn reference(field: &Value) -> Option<&str> {
    let reference = field["$ref"].as_str().or_else(|| field["allOf"][0]["$ref"].as_str());
    reference.and_then(|reference| reference.strip_prefix("#/definitions/"))
}

fn definition(name: &str) -> Value {
    read("config.json")["definitions"][name].clone()
}

/// What a value may be, in words.
fn kind(schema: &Value) -> String {
    let code = |value: &Value| format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let list = |value: &Value, join: &str, word: &dyn Fn(&Value) -> String| {
        value.as_array().unwrap().iter().map(word).collect::<Vec<_>>().join(join)
    };
    if let Some(name) = reference(schema) {
        return match definition(name)["properties"] {
            Value::Null => kind(&definition(name)),
            _ => format!("[{name}](#{}-object)", name.to_lowercase()),
        };
    }
    if let Some(value) = schema.get("const") {
        return code(value);
    }
    if schema["enum"].is_array() {
        return list(&schema["enum"], ", ", &code);
    }
    for keyword in ["oneOf", "anyOf"] {
        if schema[keyword].is_array() {
            return list(&schema[keyword], " or ", &kind);
        }
    }
    match &schema["type"] {
        Value::Array(_) => list(&schema["type"], " or ", &|name| kind(&json!({"type": name}))),
        Value::String(name) => match name.as_str() {
            "array" if schema["items"].is_object() => format!("list of {}", kind(&schema["items"])),
            "array" => "list".to_owned(),
            "object" if schema["additionalProperties"].is_object() => {
                format!("map to {}", kind(&schema["additionalProperties"]))
            }
            "string" => "text".to_owned(),
            "integer" => "whole number".to_owned(),
            other => other.to_owned(),
        },
        _ => "anything".to_owned(),
    }
}

/// A value as YAML on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}: {}", flow(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        // In brackets and as numbers these would be something else.
        Value::String(text) if text.contains(['{', '*', '#']) || text.parse::<f64>().is_ok() => format!("\"{text}\""),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

fn default(value: &Value) -> String {
    match value {
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Object(fields) if fields.is_empty() => "none".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        value => format!("`{}`", value.to_string().replace('"', "").replace(',', ", ")),
    }
}

fn bounds(schema: &Value) -> String {
    let number = |keyword: &str| schema[keyword].as_i64().map(grouped);
    let mut bounds = Vec::new();
    match (number("minimum"), number("maximum")) {
        (Some(low), Some(high)) if low == high => bounds.push(low),
        (Some(low), Some(high)) => bounds.push(format!("{low} to {high}")),
        (Some(low), None) => bounds.push(format!("from {low}")),
        (None, Some(high)) => bounds.push(format!("to {high}")),
        (None, None) => {}
    }
    if schema["minLength"] == 1 || schema["minItems"] == 1 || schema["minProperties"] == 1 {
        bounds.push("not empty".to_owned());
    }
    if schema["maxLength"] == 0 {
        bounds.push("empty".to_owned());
    }
    if schema["maxProperties"] == 0 {
        bounds.push("`{}`".to_owned());
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        bounds.push(format!("`{}`", pattern.replace('|', "\\|")));
    }
    for (keyword, what) in [("items", "each "), ("additionalProperties", "values ")] {
        if schema[keyword].is_object() && schema[keyword].get("properties").is_none() {
            let inner = self::bounds(&schema[keyword]);
            bounds.extend((!inner.is_empty()).then(|| format!("{what}{inner}")));
        }
    }
    bounds.join(", ")
}

fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn the_page_is_that_of_the_schemas() {
    let path = workspace().join("docs/configuration.md");
    let made = page();
    if std::env::var_os("WEIR_REFERENCE").is_some_and(|value| value == "write") {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "{} is not current: run `make reference`, and commit it", path.display());
}

/// Every object of the schemas that has named fields, with its path. Alternatives say more of fields that are described elsewhere.
pub(crate) fn objects<'s>(value: &'s Value, path: &str, found: &mut Vec<(String, &'s Map<String, Value>)>) {
    if let Some(fields) = value["properties"].as_object() {
        found.push((path.to_owned(), fields));
    }
    let is_place = |name: &str| !["allOf", "anyOf", "oneOf", "not"].contains(&name);
    let inner = value.as_object().into_iter().flatten().filter(|(name, _)| is_place(name));
    let inner = inner.map(|(name, inner)| (format!("{path}.{name}"), inner));
    let items = value.as_array().into_iter().flatten().map(|inner| (path.to_owned(), inner));
    inner.chain(items).for_each(|(path, inner)| objects(inner, &path, found));
}

#[test]
fn every_field_says_what_it_means() {
    let (parts, mesh) = (read("config.json"), read("weir.schema.json"));
    let mut found = Vec::new();
    for name in ["common", "section", "policy", "rateLimit", "telemetry"] {
        found.push((name.to_owned(), parts[name].as_object().unwrap()));
        objects(&parts[name], name, &mut found);
    }
    objects(&parts["definitions"], "definitions", &mut found);
    objects(&mesh, "weir.yaml", &mut found);
    assert!(found.len() > 30, "{}", found.len());
    let mut rows = Rows::default();
    for (path, fields) in found {
        for (name, field) in fields {
            let says = field["description"].as_str().is_some_and(|text| text.ends_with('.'));
            rows.check(format!("{path}: {name}"), says || field["$ref"].is_string(), true);
        }
    }
}

/// The names in the filters' own readers, without those that they refuse or that are values.
fn read_by_the_filters() -> BTreeSet<String> {
    let folder = |name: &str| fs::read_dir(workspace().join(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = ["policy", "rate-limit", "telemetry"]
        .iter()
        .flat_map(|filter| {
            folder(&format!("filters/{filter}/src/config")).chain(folder(&format!("filters/{filter}/src")))
        })
        .filter(|path| {
            path.is_file() && (path.ends_with("src/config.rs") || path.parent().unwrap().ends_with("config"))
        })
        .collect();
    files.push(workspace().join("shared/config/src/header.rs"));
    files.retain(|path| !path.ends_with("tests.rs"));
    assert!(files.len() > 15, "{files:?}");
    let mut names = BTreeSet::new();
    for text in files.iter().map(|path| fs::read_to_string(path).unwrap()) {
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        // Calls that take a field, and rows of the tables of fields.
        for before in
            [".take(\"", ".require(\"", "flag(\"", "bound(\"", "required(fields, \"", "required(&mut fields, \""]
        {
            names.extend(code.split(before).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
        for rest in code.split("snake_or_camel(").skip(1) {
            names.extend(rest.split('"').nth(1).map(str::to_owned));
        }
        for row in code.lines().filter_map(|line| line.trim().strip_prefix("(\"")) {
            let words: Vec<&str> = row.split('"').collect();
            let is_field =
                row.contains("Field::") || row.contains(", Kind::") || row.ends_with('{') && row.contains('|');
            if is_field {
                names.insert(words.first().unwrap().to_string());
                names.extend(row.contains("Field::").then(|| words.get(2).unwrap().to_string()));
            }
        }
    }
    names
}

#[test]
fn every_field_that_a_filter_reads_is_in_the_page() {
    let page = page();
    let names = read_by_the_filters();
    for sample in [
        "policiesGzip",
        "notRemoteIpBlocks",
        "request_headers",
        "suffix_match",
        "v6_prefix_mask_len",
        "newStatsPerTick",
    ] {
        assert!(names.contains(sample), "the search has lost {sample}: {names:?}");
    }
    let mut rows = Rows::default();
    for name in names {
        let is_there = page.contains(&format!("| `{name}` |"));
        rows.check(&name, is_there, !REFUSED.contains(&name.as_str()));
    }
}

/// What the readers know only to refuse it.
const REFUSED: [&str; 1] = ["includeRequestBodyInCheck"];
