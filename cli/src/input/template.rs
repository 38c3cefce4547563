//! Templates of Helm and their like, which are not YAML until they are rendered.

/// What begins an action of Go's templates, as Helm charts have them.
const ACTIONS: [&str; 12] =
    [".", "include", "template", "if", "else", "end", "range", "with", "define", "block", "toYaml", "/*"];

/// Whether a text has an action of a template.
pub(crate) fn is_template(text: &str) -> bool {
    text.split("{{").skip(1).any(|rest| {
        let inner = rest.strip_prefix('-').unwrap_or(rest).trim_start();
        ACTIONS.iter().any(|action| inner.starts_with(action)) && rest.contains("}}")
    })
}

#[cfg(test)]
mod tests {
    use super::is_template;
    use weir_testing::Rows;

    #[test]
    fn templates_are_recognised() {
        let mut rows = Rows::default();
        for (text, expected) in [
            ("{{- if .Values.policy.enabled }}\nkind: A\n{{- end }}", true),
            ("name: {{ include \"cart.name\" . }}", true),
            ("{{/* a comment */}}", true),
            ("a: {{.Release.Name}}", true),
            ("paths: [\"/{*}/a\", \"/{**}\"]", false),
            ("summary: {{ $labels.pod }} is down", false),
            ("a: {b: {c: 1}}", false),
            ("a: {{ .x", false),
        ] {
            rows.check(text, is_template(text), expected);
        }
    }
}
