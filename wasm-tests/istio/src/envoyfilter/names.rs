//! Field names in one spelling: the JSON form of protobuf takes `routeConfig` and `route_config` alike.

use serde_json::{Map, Value};

/// Fields below which names are not fields but data.
const DATA: [&str; 2] = ["filter_metadata", "key_values"];
/// Fields that are maps: the names of their entries are data, what is below them is not.
const MAPS: [&str; 3] = ["extension_protocol_options", "typed_extension_protocol_options", "typed_per_filter_config"];

/// A value with its field names as the protobuf files write them (`route_config`). What a free-form structure holds stays
/// as it is.
pub(crate) fn snake_case(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(snake_case).collect()),
        Value::Object(fields) => Value::Object(all(fields)),
        scalar => scalar.clone(),
    }
}

fn all(fields: &Map<String, Value>) -> Map<String, Value> {
    let structure = fields.get("@type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("Struct"));
    let renamed = |(name, value): (&String, &Value)| {
        let name = field(name);
        let value = match value {
            data if DATA.contains(&name.as_str()) || (structure && name == "value") => data.clone(),
            Value::Object(entries) if MAPS.contains(&name.as_str()) => {
                Value::Object(entries.iter().map(|(name, entry)| (name.clone(), snake_case(entry))).collect())
            }
            other => snake_case(other),
        };
        (name, value)
    };
    fields.iter().map(renamed).collect()
}

/// `routeConfig` as `route_config`. A name that cannot be a field's, such as `@type`, stays.
fn field(name: &str) -> String {
    let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric());
    if !plain || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return name.to_owned();
    }
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;
    use serde_json::json;
    use weir_testing::Rows;

    #[test]
    fn names_of_fields_get_one_spelling_and_data_stays() {
        let mut rows = Rows::default();
        for (rule, given, expected) in [
            (
                "a field",
                json!({"routeConfig": {"virtualHosts": [{"rateLimits": []}]}}),
                json!({"route_config": {"virtual_hosts": [{"rate_limits": []}]}}),
            ),
            ("as it is", json!({"route_config": 1, "@type": "x"}), json!({"route_config": 1, "@type": "x"})),
            (
                "names of entries",
                json!({"typedPerFilterConfig": {"myFilter": {"statPrefix": "x"}}}),
                json!({"typed_per_filter_config": {"myFilter": {"stat_prefix": "x"}}}),
            ),
            ("variables", json!({"keyValues": {"logProfile": "json"}}), json!({"key_values": {"logProfile": "json"}})),
            ("metadata", json!({"filterMetadata": {"x": {"aB": 1}}}), json!({"filter_metadata": {"x": {"aB": 1}}})),
            (
                "a structure",
                json!({"@type": "a/google.protobuf.Struct", "value": {"retryAfter": true}}),
                json!({"@type": "a/google.protobuf.Struct", "value": {"retryAfter": true}}),
            ),
        ] {
            rows.check(rule, snake_case(&given), expected);
        }
    }
}
