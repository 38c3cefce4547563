//! YAML for Kubernetes and Envoy: one way to write each tree, for every reader.
//!
//! kubectl and Envoy read YAML 1.1, in which `off`, `yes` and `0123` without quotes mean something else than in 1.2, which the filters read.
//! So a string has no quotes only where every version agrees that it is one. Keys are sorted.

use serde_json::{Map, Value};
use std::fmt::Write;

/// Words that some version of YAML takes for a boolean or for null, in any case.
const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// Several trees as one stream of documents.
pub(crate) fn stream(trees: &[Value]) -> String {
    trees.iter().map(document).collect::<Vec<_>>().join("---\n")
}

/// One tree as a document that ends with a line break.
pub(crate) fn document(tree: &Value) -> String {
    let mut text = String::new();
    block(tree, 0, &mut text);
    text
}

/// Writes a value whose first line begins where the text ends, and whose others are indented by that many spaces.
fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (index, (key, value)) in sorted(fields).into_iter().enumerate() {
                start(index, indent, text);
                scalar(key, text);
                text.push(':');
                match value {
                    // As kubectl prints it: a list below its key is not indented.
                    Value::Array(items) if !items.is_empty() => {
                        line(indent, text);
                        block(value, indent, text);
                    }
                    Value::Object(fields) if !fields.is_empty() => {
                        line(indent + 2, text);
                        block(value, indent + 2, text);
                    }
                    simple => {
                        text.push(' ');
                        block(simple, indent, text);
                    }
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                start(index, indent, text);
                text.push_str("- ");
                block(item, indent + 2, text);
            }
        }
        simple => {
            match simple {
                Value::String(content) => scalar(content, text),
                // Empty lists and objects, numbers, booleans and null are the same in JSON.
                other => text.push_str(&other.to_string()),
            }
            text.push('\n');
        }
    }
}

fn sorted(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(key, _)| *key);
    fields
}

fn start(index: usize, indent: usize, text: &mut String) {
    if index > 0 {
        text.extend(std::iter::repeat_n(' ', indent));
    }
}

fn line(indent: usize, text: &mut String) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
}

/// Writes a string, in quotes unless it cannot be anything else.
fn scalar(content: &str, text: &mut String) {
    if is_plain(content) {
        text.push_str(content);
        return;
    }
    text.push('"');
    for character in content.chars() {
        // Writing to a String cannot fail.
        let _ = match character {
            '"' | '\\' => write!(text, "\\{character}"),
            '\n' => write!(text, "\\n"),
            '\t' => write!(text, "\\t"),
            ' '..='~' | '\u{a1}'..='\u{d7ff}' if !is_break(character) => write!(text, "{character}"),
            _ if u32::from(character) <= 0xffff => write!(text, "\\u{:04x}", u32::from(character)),
            _ => write!(text, "\\U{:08x}", u32::from(character)),
        };
    }
    text.push('"');
}

/// Line and paragraph separators, which YAML 1.1 takes for line breaks.
fn is_break(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}')
}

fn is_plain(content: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
    let first = content.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'/');
    first && content.bytes().all(inner) && !WORDS.iter().any(|word| content.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
