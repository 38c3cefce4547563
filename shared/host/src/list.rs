//! Several attributes in one crossing: a CEL list that Envoy's own evaluator fills.
//!
//! A property read costs about 10,000 instructions, most of them for the block that the host asks this module for. A
//! list costs that once. One absent attribute would make the whole evaluation fail, so each that can be absent is
//! guarded: it is then `false`, which arrives as one zero byte, and a boolean is 1 or 2 so that it cannot be mistaken
//! for that.

use weir_model::{Attribute, Attributes, Headers};

/// The expression for `attributes`, in their order.
pub(crate) fn expression(attributes: &[Attribute]) -> String {
    let mut text = String::from("[");
    for (index, attribute) in attributes.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        element(&mut text, attribute);
    }
    text.push(']');
    text
}

/// Whether Envoy has a value for every stream in every phase that asks for it, so that a guard would only cost (about
/// 2,500 instructions). The duration is asked for at the end only, when it is known.
fn is_always_there(attribute: &Attribute) -> bool {
    use Attribute::{ConnectionMtls, DestinationAddress, ListenerDirection, RequestDuration, SourceAddress};
    use Attribute::{RequestTotalSize, ResponseFlags, ResponseTotalSize};
    matches!(attribute, ConnectionMtls | DestinationAddress | ListenerDirection | RequestDuration | SourceAddress)
        || matches!(attribute, RequestTotalSize | ResponseFlags | ResponseTotalSize)
}

fn element(text: &mut String, attribute: &Attribute) {
    let [first, second] = attribute.path();
    if is_always_there(attribute) {
        text.push_str(first);
        text.push('.');
        text.push_str(second);
        if attribute.is_bool() {
            text.push_str("?2:1");
        }
        return;
    }
    let (guard, value) = if matches!(attribute, Attribute::FilterState(_)) {
        let key = quoted(second);
        (format!("{key} in {first}"), format!("{first}[{key}]"))
    } else {
        let path = format!("{first}.{second}");
        let mut guard = format!("has({path})");
        if *attribute == Attribute::UpstreamHostMetadata {
            // Of a host without metadata this is there and null, which Envoy cannot hand over.
            guard.push_str(&format!("&&{path}!=null"));
        }
        (guard, path)
    };
    text.push_str(&guard);
    if attribute.is_bool() {
        text.push_str(&format!("?({value}?2:1):false"));
    } else {
        text.push_str(&format!("?{value}:false"));
    }
}

/// A CEL string literal.
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

/// Puts the evaluated list into `out`. Returns whether it had as many elements as were asked for.
pub(crate) fn decode(list: &[u8], attributes: &[Attribute], out: &mut Attributes) -> bool {
    let list = Headers::new(list);
    if list.len() != attributes.len() {
        return false;
    }
    for (attribute, (value, _)) in attributes.iter().zip(list.iter()) {
        match (value, attribute.is_bool()) {
            ([0], _) => {}
            (value, true) => out.set_bool(attribute, value.first() == Some(&2)),
            (value, false) => out.set(attribute, value),
        }
    }
    true
}

#[cfg(test)]
mod tests;
