//! Where Weir documents are in a file: the file itself, an AuthorizationPolicy, or what an Envoy bootstrap, an EnvoyFilter
//! or a WasmPlugin gives its plugins.

use crate::Failure;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::path::Path;

/// A Weir document, and the JSON path of it in its file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) document: Value,
    /// What of the document is in the file, as a JSON path.
    pub(crate) part: &'static str,
}

impl Found {
    fn new(path: &str, document: Value) -> Self {
        Self { path: path.to_owned(), document, part: "$" }
    }

    /// A policy, or a list of them.
    fn policies(path: &str, object: &Value) -> Self {
        let document = json!({"schema": 1, "name": "validate", "policies": [object]});
        Self { path: path.to_owned(), document, part: "$.policies[0]" }
    }
}

/// Every document of a YAML or JSON file. What is no Kubernetes object and has no plugin is taken for a document itself.
///
/// # Errors
/// A file that cannot be read or is no YAML.
pub(crate) fn read_all(path: &Path) -> Result<Vec<Found>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Use(format!("`{}` cannot be read: {error}", path.display())))?;
    // A byte order mark is none of YAML's documents.
    find(text.trim_start_matches('\u{feff}')).map_err(|error| Failure::No(format!("`{}`: {error}", path.display())))
}

fn find(text: &str) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    let parts: Vec<Value> = serde_yaml_ng::Deserializer::from_str(text)
        .map(value)
        .filter(|part| !matches!(part, Ok(Value::Null)))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("not YAML: {error}"))?;
    for (index, part) in parts.iter().enumerate() {
        let root = if parts.len() > 1 { format!("document {}: $", index + 1) } else { "$".to_owned() };
        let before = found.len();
        plugins(part, &root, &mut found)?;
        if found.len() > before {
            // Of a list, the policies that stand beside the plugins.
            for (index, item) in part.get("items").and_then(Value::as_array).into_iter().flatten().enumerate() {
                if item.get("kind").and_then(Value::as_str) == Some("AuthorizationPolicy") {
                    found.push(Found::policies(&format!("{root}.items[{index}]"), item));
                }
            }
            continue;
        }
        match part.get("kind").map(Value::as_str) {
            None => found.push(Found::new(&root, part.clone())),
            Some(Some("AuthorizationPolicy" | "AuthorizationPolicyList" | "List")) => {
                found.push(Found::policies(&root, part));
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

/// A value that has no key twice, as the filters ask of theirs.
fn value<'de>(from: impl Deserializer<'de, Error = serde_yaml_ng::Error>) -> Result<Value, serde_yaml_ng::Error> {
    let mut checked = serde_yaml_ng::Value::deserialize(from)?;
    checked.apply_merge()?;
    serde_yaml_ng::from_value(checked)
}

/// A text, which Envoy hands over as it is: the filters read JSON, without keys given twice.
fn json_text(text: &str) -> Result<Value, String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| error.to_string())?;
    let checked: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    serde_yaml_ng::from_value(checked).map_err(|error| error.to_string())
}

/// Adds the configurations of the plugins in `value`.
fn plugins(value: &Value, path: &str, found: &mut Vec<Found>) -> Result<(), String> {
    match value {
        Value::Object(fields) => {
            let either = |snake: &str, camel: &str| fields.get(snake).or_else(|| fields.get(camel));
            let of = |snake: &str, camel: &str| either(snake, camel).and_then(Value::as_str).unwrap_or_default();
            // What another plugin is configured with is none of ours.
            let ours = |root_id: &str| root_id.is_empty() || root_id == "weir" || root_id.starts_with("weir.");
            if let Some(document) = fields.get("pluginConfig").filter(|_| ours(of("pluginName", "pluginName"))) {
                found.push(Found::new(&format!("{path}.pluginConfig"), document.clone()));
                return Ok(());
            }
            if let Some(configuration) =
                fields.get("configuration").filter(|_| either("vm_config", "vmConfig").is_some())
            {
                let value = configuration.get("value").filter(|_| ours(of("root_id", "rootId")));
                let document = match value {
                    Some(Value::String(text)) => Some(
                        json_text(text).map_err(|error| format!("{path}.configuration.value: not JSON: {error}"))?,
                    ),
                    other => other.cloned(),
                };
                found.extend(document.map(|document| Found::new(&format!("{path}.configuration.value"), document)));
                return Ok(());
            }
            fields.iter().try_for_each(|(name, value)| plugins(value, &format!("{path}.{name}"), found))
        }
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, value)| plugins(value, &format!("{path}[{index}]"), found))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::find;
    use serde_json::json;

    fn paths(text: &str) -> Vec<String> {
        find(text).unwrap().into_iter().map(|found| found.path).collect()
    }

    #[test]
    fn documents_are_found_where_envoy_and_istio_have_them() {
        let document = json!({"schema": 1, "name": "a"});
        assert_eq!(paths(&document.to_string()), ["$"]);
        assert_eq!(paths("pluginConfig: {}"), ["$.pluginConfig"]);
        assert_eq!(
            paths("kind: WasmPlugin\nspec: {pluginName: weir, pluginConfig: {schema: 1}}"),
            ["$.spec.pluginConfig"]
        );
        let plugin = |configuration, root_id| json!({"config": {"root_id": root_id, "vm_config": {}, "configuration": configuration}});
        let bootstrap = json!({"filters": [
            plugin(json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": document}), "weir"),
            plugin(json!({"value": document.to_string()}), ""),
            plugin(json!({"value": "not ours: {"}), "other"),
        ]});
        let found = find(&bootstrap.to_string()).unwrap();
        assert_eq!(found.len(), 2);
        let camel = |root| json!({"rootId": root, "vmConfig": {}, "configuration": {"value": {"schema": 1}}});
        assert_eq!(paths(&json!([camel("other"), camel("weir")]).to_string()), ["$[1].configuration.value"]);
        let list = r#"{"kind": "List", "items": [{"spec": {"pluginConfig": {}}}, {"kind": "AuthorizationPolicy"}]}"#;
        assert_eq!(paths(list), ["$.items[0].spec.pluginConfig", "$.items[1]"]);
        assert!(found.iter().all(|found| found.document == document));
        assert_eq!(found[1].path, "$.filters[1].config.configuration.value");
    }

    #[test]
    fn of_several_yaml_documents_each_is_looked_through() {
        let text = "kind: Deployment\n---\nspec: {pluginConfig: {schema: 1}}\n---\nschema: 1\nname: a\n---\n";
        assert_eq!(paths(text), ["document 2: $.spec.pluginConfig", "document 3: $"]);
    }

    #[test]
    fn what_has_no_plugin_is_a_document_and_what_is_no_yaml_is_an_error() {
        assert_eq!(paths("name: a"), ["$"]);
        assert!(paths("kind: Deployment").is_empty() && paths("").is_empty());
        let policy = &find("kind: AuthorizationPolicy").unwrap()[0];
        assert_eq!(policy.document["policies"][0], json!({"kind": "AuthorizationPolicy"}));
        assert!(find("a: {").is_err());
        for twice in ["action: DENY\naction: ALLOW", r#"{"policies": [], "policies": []}"#] {
            assert!(find(twice).unwrap_err().contains("duplicate"), "{twice}");
        }
        assert_eq!(find("a: &x {b: 1}\nc: {<<: *x}").unwrap()[0].document, json!({"a": {"b": 1}, "c": {"b": 1}}));
        for no_json in ["a: {", "schema: 1", r#"{"schema": 1,}"#] {
            let text = format!("config: {{vm_config: {{}}, configuration: {{value: '{no_json}'}}}}");
            assert!(find(&text).unwrap_err().contains("$.config.configuration.value: not JSON"), "{text}");
        }
    }
}
