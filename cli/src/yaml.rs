//! The one way in for files of the operator's. A key given twice is an error everywhere: of `action: DENY` and
//! `action: ALLOW` none may win in silence.

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::Value;
use serde_yaml_ng as yaml;

/// The only document of a YAML or JSON text.
///
/// # Errors
/// What is wrong with it, without the name of the file.
pub(crate) fn one(text: &str) -> Result<Value, String> {
    let mut documents = all(text)?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(document),
        (None, _) => Err("it is empty".to_owned()),
        (Some(_), others) => Err(format!("it has {} documents, and one is needed", others + 1)),
    }
}

/// Every document of a YAML or JSON text but the empty ones.
///
/// # Errors
/// As [`one`].
pub(crate) fn all(text: &str) -> Result<Vec<Value>, String> {
    // A byte order mark is none of YAML's documents.
    yaml::Deserializer::from_str(text.trim_start_matches('\u{feff}'))
        .map(|document| plain(yaml::Value::deserialize(document)?))
        .filter(|document| !matches!(document, Ok(Value::Null)))
        .collect::<Result<_, _>>()
        .map_err(|error| format!("not YAML: {error}"))
}

/// JSON as the filters read it.
///
/// # Errors
/// As [`one`].
pub(crate) fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| format!("not JSON: {error}"))?;
    yaml::from_str(text).and_then(plain).map_err(|error| format!("not JSON: {error}"))
}

/// `yaml::Value` is what refuses a key given twice; `serde_json::Value` keeps the last.
fn plain(mut checked: yaml::Value) -> Result<Value, yaml::Error> {
    // Kubernetes merges, and so does this command with files that it alone reads. Envoy takes `<<` for a field's name.
    let is_for_envoy = checked.is_mapping() && !["kind", "schema"].iter().any(|key| checked.get(key).is_some());
    if is_for_envoy && has_merge(&checked) {
        return Err(yaml::Error::custom("Envoy knows no merge key `<<`: write the fields out"));
    }
    checked.apply_merge()?;
    yaml::from_value(checked)
}

/// Whether a merge key is anywhere in `value`.
fn has_merge(value: &yaml::Value) -> bool {
    match value {
        yaml::Value::Sequence(items) => items.iter().any(has_merge),
        yaml::Value::Mapping(fields) => fields.iter().any(|(key, value)| key == "<<" || has_merge(value)),
        yaml::Value::Tagged(tagged) => has_merge(&tagged.value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{all, json, one};
    use serde_json::json;
    use weir_testing::Rows;

    #[test]
    fn a_key_given_twice_is_refused_in_every_form() {
        let mut rows = Rows::default();
        for text in
            ["action: DENY\naction: ALLOW", r#"{"a": 1, "a": 2}"#, "- {b: {c: 1, c: 1}}", "a: 1\n---\nb: 1\nb: 2"]
        {
            let error = all(text).unwrap_err();
            rows.contains(text, &error, "duplicate");
        }
        assert!(json(r#"{"a": {"b": 1, "b": 2}}"#).unwrap_err().contains("duplicate"));
    }

    #[test]
    fn anchors_are_followed_and_merges_where_the_reader_merges() {
        let anchored = "a: &x {b: 1}\nc: ";
        assert_eq!(one(&format!("{anchored}*x")).unwrap(), json!({"a": {"b": 1}, "c": {"b": 1}}));
        let merged = format!("{anchored}{{<<: *x}}");
        assert_eq!(one(&format!("kind: A\n{merged}")).unwrap()["c"], json!({"b": 1}));
        // Envoy 1.40 on such a bootstrap: no such field: '<<'.
        assert!(one(&merged).unwrap_err().contains("Envoy knows no merge key `<<`"));
        assert!(one("a: [{b: {<<: {c: 1}}}]").unwrap_err().contains("merge key"));
    }

    #[test]
    fn one_document_is_one() {
        let mut rows = Rows::default();
        for (text, error) in [
            ("", "it is empty"),
            ("---\n", "it is empty"),
            ("a: 1\n---\nb: 1", "it has 2 documents, and one is needed"),
            ("a: {", "not YAML: "),
        ] {
            rows.contains(text, &one(text).unwrap_err(), error);
        }
        assert_eq!(one("\u{feff}a: 1\n---\n").unwrap(), json!({"a": 1}));
    }

    #[test]
    fn a_text_that_envoy_hands_over_is_json() {
        let mut rows = Rows::default();
        for text in ["a: {", "schema: 1", r#"{"schema": 1,}"#] {
            rows.contains(text, &json(text).unwrap_err(), "not JSON: ");
        }
    }
}
