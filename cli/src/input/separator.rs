//! Lines between the documents of a text, as kubectl reads them (`YAMLReader` of `k8s.io/apimachinery`): a line that begins with
//! `---`, and behind it nothing but a comment.

use super::tree::Position;
use super::yaml::Fault;
use std::borrow::Cow;

/// A text without what kubectl and YAML read differently, up to where that is not possible.
#[derive(Debug)]
pub(super) struct Separated<'t> {
    pub(super) text: Cow<'t, str>,
    /// What a line has that begins with `---`, where YAML sees no separator either. The text ends before it.
    pub(super) end: Option<Fault>,
}

impl<'t> Separated<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let mut taken = 0;
        let mut has_glued_comment = false;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            match line.strip_prefix("---").and_then(|rest| rest.chars().next()) {
                Some('#') => has_glued_comment = true,
                // Of a line of dashes YAML knows what it is.
                Some('-') | None => {}
                Some(next) if next.is_whitespace() => {}
                Some(_) => {
                    let end = Some(fault(index, line));
                    let text = text.get(..taken).unwrap_or(text);
                    return Self { text: with_space(text, has_glued_comment), end };
                }
            }
            taken += line.len();
        }
        Self { text: with_space(text, has_glued_comment), end: None }
    }
}

/// Separators with a value behind them, which YAML knows and kubectl does not.
pub(super) fn with_value(text: &str) -> impl Iterator<Item = Fault> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| {
            let rest = line.strip_prefix("---").filter(|rest| rest.starts_with(char::is_whitespace));
            rest.is_some_and(|rest| !rest.trim().is_empty() && !rest.trim_start().starts_with('#'))
        })
        .map(|(index, line)| fault(index, line))
}

/// Line breaks of YAML 1.1, which kubectl's reader (`yaml.v2`) has and YAML 1.2 has not; and the character that ends a text.
const BREAKS: [char; 4] = ['\u{85}', '\u{2028}', '\u{2029}', '\0'];

/// The first character of a text that ends a line for kubectl and not for YAML: what is a comment for the one is an object for
/// the other.
pub(super) fn foreign_break(text: &str) -> Option<Fault> {
    let (before, found) = text.char_indices().find(|(_, char)| BREAKS.contains(char))?;
    let before = text.get(..before)?;
    let column = before.chars().rev().take_while(|char| *char != '\n').count() + 1;
    let message = match found {
        '\0' => "U+0000 ends the text for YAML, and kubectl refuses it: remove it".to_owned(),
        _ => format!(
            "U+{:04X} is a line break for kubectl and none for YAML 1.2: remove it, or write it as an escape in double quotes",
            u32::from(found)
        ),
    };
    Some(Fault { at: Some(Position { line: before.matches('\n').count() + 1, column }), message })
}

fn fault(index: usize, line: &str) -> Fault {
    let rest: String = line.trim_start_matches('-').trim().chars().take(40).collect();
    let message = format!("kubectl takes nothing but a comment behind `---`: begin a new line before `{rest}`");
    Fault { at: Some(Position { line: index + 1, column: 4 }), message }
}

/// For YAML a comment begins behind a space.
fn with_space(text: &str, has_glued_comment: bool) -> Cow<'_, str> {
    if !has_glued_comment {
        return Cow::Borrowed(text);
    }
    let line = |line: &str| line.strip_prefix("---#").map_or_else(|| line.to_owned(), |rest| format!("--- #{rest}"));
    text.split_inclusive('\n').map(line).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use crate::documents::Contents;
    use weir_testing::Rows;

    /// kubectl ends with `invalid Yaml document separator` where a fault is expected.
    #[test]
    fn documents_end_where_kubectl_ends_them() {
        let mut rows = Rows::default();
        for (separator, documents, fault) in [
            ("---", 2, ""),
            ("--- ", 2, ""),
            ("---\t", 2, ""),
            ("---\r", 2, ""),
            ("--- # a comment", 2, ""),
            ("---# a comment", 2, ""),
            ("---#", 2, ""),
            (
                "---apiVersion: v1",
                1,
                "line 3, column 4: kubectl takes nothing but a comment behind `---`: begin a new line before `apiVersion: v1`",
            ),
            ("---{}", 1, "begin a new line before `{}`"),
        ] {
            let source = Source::new("f", format!("kind: A\nb: c\n{separator}\nkind: B\n"));
            rows.check(separator, source.documents.len(), documents);
            let found = source.fault.map(|fault| fault.in_words()).unwrap_or_default();
            rows.check(separator, found.is_empty(), fault.is_empty());
            rows.contains(separator, &found, fault);
        }
        let first = Source::new("f", "---# a\nkind: A\n".to_owned());
        rows.check("at the beginning", (first.documents.len(), first.fault), (1, None));
        let indented = Source::new("f", "a: |\n  ---b\n  ---\nc: d\n".to_owned());
        rows.check("in a text", (indented.documents.len(), indented.fault), (1, None));
        for (text, expected) in [
            (
                "kind: Service\n--- {kind: AuthorizationPolicy, metadata: {name: a, namespace: b}}\n",
                "f: error: $: kubectl takes nothing",
            ),
            ("kind: Service\n--- {kind: Service}\n", ""),
            ("--- {schema: 1, name: a}\n", ""),
        ] {
            let contents = Contents::of_file(&Source::new("f", text.to_owned()), None);
            let said = contents.diagnostics.first().map(|one| one.line("f")).unwrap_or_default();
            rows.check(text, said.is_empty(), expected.is_empty());
            rows.contains(text, &said, expected);
        }
    }
}
