//! The JSON Schema of a module's document, for editors and checks of files: `config.schema.json` of an image.
//!
//! The parts are in `cli/schemas/config.json`; a suite's document has the sections of the others, so each is put together
//! here. What belongs to Envoy or Istio is described only as far as editors need it: `weir validate` reads all of it.

use crate::Failure;
use crate::compile::Module;
use serde_json::{Map, Value, json};

const PARTS: &str = include_str!("../../schemas/config.json");

/// The schema of the document of `module`.
pub(super) fn of(module: Module) -> Result<Vec<u8>, Failure> {
    let parts: Map<String, Value> =
        serde_json::from_str(PARTS).map_err(|error| Failure::Use(format!("the schema's parts: {error}")))?;
    let fields = |names: &[&str]| {
        let mut fields = Map::new();
        for part in names.iter().filter_map(|name| parts.get(*name)?.as_object()) {
            fields.extend(part.clone());
        }
        fields
    };
    let section =
        |name: &str| json!({"type": "object", "properties": fields(&["section", name]), "additionalProperties": false});
    let mut required = vec!["schema", "name"];
    let properties = match module {
        Module::Policy => fields(&["common", "section", "policy"]),
        Module::RateLimit => {
            required.push("local");
            fields(&["common", "section", "rateLimit"])
        }
        Module::Telemetry => fields(&["common", "section", "telemetry"]),
        Module::Suite => {
            let mut whole = fields(&["common", "section"]);
            let mut limits = section("rateLimit");
            if let Some(fields) = limits.as_object_mut() {
                fields.insert("required".to_owned(), json!(["local"]));
            }
            let sections = [("policy", section("policy")), ("rateLimit", limits), ("telemetry", section("telemetry"))];
            whole.extend(sections.map(|(name, schema)| (name.to_owned(), schema)));
            whole
        }
    };
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": format!("The document of Weir's {module} module"),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "definitions": parts.get("definitions"),
    });
    Ok(format!("{schema:#}\n").into_bytes())
}
