//! Stat names with labels in them: `label=.=value;.;label=.=value;.;metric`.
//!
//! The encoding is the one Istio's stats filter used as a Wasm plugin; a `stats_tags` expression of the form
//! `(LABEL=\.=(.*?);\.;)` turns each label into a real one. Expressions are not anchored, so a value must never look
//! like a label or end one early.

/// The most bytes of a label value that reach a stat name. Values that differ only beyond share a series.
pub const VALUE_BYTES: usize = 256;

/// A stat name: every label in order, then `metric`. Values go through [`push_value`]; label names are the caller's own
/// and are taken as they are.
pub fn stat_name<V: AsRef<[u8]>>(labels: &[(&str, V)], metric: &str) -> String {
    let mut length = metric.len();
    for (label, value) in labels {
        length += label.len() + value.as_ref().len().min(VALUE_BYTES) + 6;
    }
    let mut name = String::with_capacity(length);
    for (label, value) in labels {
        name.push_str(label);
        name.push_str("=.=");
        push_value(&mut name, value.as_ref());
        name.push_str(";.;");
    }
    name.push_str(metric);
    name
}

/// Appends a label value as it may stand in a stat name. An empty value stays empty.
///
/// Replaced by `_`: control characters, each run of bytes that is not UTF-8, the `;` of every `;.` and the first `=` of
/// every `=.=`. What is then longer than [`VALUE_BYTES`] bytes is cut at a character.
pub fn push_value(name: &mut String, value: &[u8]) {
    let end = name.len() + VALUE_BYTES;
    for chunk in value.utf8_chunks() {
        let mut rest = chunk.valid().chars();
        while let Some(found) = rest.next() {
            let after = rest.as_str();
            let separator = (found == ';' && after.starts_with('.')) || (found == '=' && after.starts_with(".="));
            // The end of a chunk may meet more of the value only across `_`, so looking ahead inside the chunk is enough.
            let kept = if separator || found.is_control() { '_' } else { found };
            if name.len() + kept.len_utf8() > end {
                return;
            }
            name.push(kept);
        }
        if !chunk.invalid().is_empty() {
            if name.len() >= end {
                return;
            }
            name.push('_');
        }
    }
}

#[cfg(test)]
mod tests;
