//! JSON paths: `$.spec.rules[0].from`, and `$.data["envoy.yaml"]` where a key is not a plain word.

use std::borrow::Cow;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'s> {
    Key(Cow<'s, str>),
    Index(usize),
}

/// The path of a field of what is at `path`.
pub(crate) fn field(path: &str, key: &str) -> String {
    let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_plain { format!("{path}.{key}") } else { format!("{path}[{key:?}]") }
}

/// A path as it is in its document: without the document's number before the `$`.
pub(crate) fn in_document(path: &str) -> &str {
    path.find('$').and_then(|at| path.get(at..)).unwrap_or(path)
}

/// A path in its document with no say in which items of lists it leads through, nor, in a Kubernetes list, through which object.
pub(crate) fn in_any_item(path: &str) -> String {
    let mut parts = in_document(path).split('[');
    let mut any = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let after = part.trim_start_matches(|char: char| char.is_ascii_digit());
        any.push('[');
        any.push_str(if after.starts_with(']') { after } else { part });
    }
    any.strip_prefix("$.items[]").map_or(any.clone(), |object| format!("${object}"))
}

/// The steps of a path, up to the first that is not one.
pub(super) fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    std::iter::from_fn(move || {
        if let Some(inner) = rest.strip_prefix("[\"") {
            let end = quote(inner)?;
            let text = inner.get(..end)?;
            rest = inner.get(end..)?.strip_prefix("\"]")?;
            let key = serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_owned());
            return Some(Step::Key(key.into()));
        }
        if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            rest = after;
            return Some(Step::Index(index.parse().ok()?));
        }
        let inner = rest.strip_prefix('.')?;
        let end = inner.find(['.', '[']).unwrap_or(inner.len());
        let (key, after) = inner.split_at_checked(end)?;
        rest = after;
        Some(Step::Key(key.into()))
    })
}

/// Where a quoted key ends: at the first quote that is not escaped.
fn quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, char)| {
        let ends = char == '"' && !escaped;
        escaped = char == '\\' && !escaped;
        ends.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::{Step, field, in_any_item, steps};
    use weir_testing::Rows;

    #[test]
    fn a_path_without_its_items_is_that_of_all() {
        let mut rows = Rows::default();
        for (path, expected) in [
            ("$.spec.rules[0].to[12].too", "$.spec.rules[].to[].too"),
            ("document 2: $.metadata", "$.metadata"),
            ("$.items[3].metadata", "$.metadata"),
            (r#"$.data["1"][2]"#, r#"$.data["1"][]"#),
            ("$", "$"),
        ] {
            rows.check(path, in_any_item(path), expected.to_owned());
        }
    }

    #[test]
    fn a_path_is_its_steps() {
        let key = |key: &'static str| Step::Key(key.into());
        let mut rows = Rows::default();
        for (path, expected) in [
            ("$", vec![]),
            ("$.a.b[0]", vec![key("a"), key("b"), Step::Index(0)]),
            (r#"$.data["envoy.yaml"].c"#, vec![key("data"), key("envoy.yaml"), key("c")]),
            (r#"$["a\"]\\"][1][2]"#, vec![key("a\"]\\"), Step::Index(1), Step::Index(2)]),
            ("$.a[x]", vec![key("a")]),
            (r#"$.a["b"#, vec![key("a")]),
        ] {
            rows.check(path, steps(path).collect::<Vec<_>>(), expected);
        }
        for name in ["a", "a.b", "", "a\"b", "@type", "x-y"] {
            rows.check(name, steps(&field("$", name)).collect::<Vec<_>>(), vec![Step::Key(name.into())]);
        }
    }
}
