//! Attributes as CEL text.

use weir_model::Attribute;

/// Writes an attribute; unless `bare`, with a guard that makes it `false` where it is absent.
#[inline(never)]
pub(super) fn element(text: &mut String, attribute: &Attribute, bare: bool) {
    let [first, second] = attribute.path();
    let key = quoted(second);
    let value = if attribute.is_keyed() { format!("{first}[{key}]") } else { format!("{first}.{second}") };
    if !bare {
        match attribute.is_keyed() {
            true => text.extend([&key, " in ", first]),
            false => text.extend(["has(", &value, ")"]),
        }
        if *attribute == Attribute::UpstreamHostMetadata {
            // Of a host without metadata this is there and null, which Envoy cannot hand over.
            text.extend(["&&", &value, "!=null"]);
        }
        text.push('?');
    }
    text.push_str(&value);
    if attribute.is_bool() {
        text.push_str("?1:0");
    }
    if !bare {
        text.push_str(":false");
    }
}

/// A CEL string literal.
#[inline(never)]
fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for char in text.chars() {
        match char {
            '\\' | '\'' => {
                out.push('\\');
                out.push(char);
            }
            ' '..='~' => out.push(char),
            _ => out.push_str(&format!("\\U{:08x}", u32::from(char))),
        }
    }
    out.push('\'');
    out
}
