//! A `google.protobuf.Struct` as JSON.

use std::fmt::Write as _;
use weir_model::{SortedMap, Struct, StructValue};

/// An object, its fields in the order of their names.
#[must_use]
pub fn to_json(fields: &Struct) -> String {
    let mut text = String::new();
    object(&mut text, fields);
    text
}

#[inline(never)]
fn object(text: &mut String, fields: &Struct) {
    text.push('{');
    // The host's order is not the same each time.
    let fields: SortedMap<&str, &StructValue> = fields.0.iter().map(|(key, value)| (key.as_str(), value)).collect();
    for (index, (key, value)) in fields.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        string(text, key);
        text.push(':');
        any(text, value);
    }
    text.push('}');
}

fn any(text: &mut String, value: &StructValue) {
    match value {
        StructValue::Null => text.push_str("null"),
        StructValue::Bool(true) => text.push_str("true"),
        StructValue::Bool(false) => text.push_str("false"),
        StructValue::Number(number) => self::number(text, *number),
        StructValue::Text(value) => string(text, value),
        StructValue::Map(fields) => object(text, fields),
        StructValue::List(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                any(text, item);
            }
            text.push(']');
        }
    }
}

/// A `Struct` has only doubles; a whole one is written as the integer that the operator wrote. A fraction is written to nine
/// places and a huge number to fifteen digits, which is enough to refuse it by: the standard library's exact digits would
/// be the largest piece of code in a module.
fn number(text: &mut String, number: f64) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !number.is_finite() {
        return text.push_str("null");
    }
    if number < 0.0 {
        text.push('-');
    }
    // A double that rounding made larger than the largest would not be read back.
    let (mut number, mut exponent) = (number.abs().min(1e300), 0u32);
    while number > EXACT {
        number /= 10.0;
        exponent += 1;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is positive and within 53 bits")]
    let (whole, billionths) = (number as u64, (number.fract() * 1e9) as u64);
    // Writing to a String cannot fail.
    let _ = match (billionths, exponent) {
        (0, 0) => write!(text, "{whole}"),
        (_, 0) => write!(text, "{whole}.{billionths:09}"),
        _ => write!(text, "{whole}e{exponent}"),
    };
}

#[inline(never)]
fn string(text: &mut String, value: &str) {
    text.push('"');
    for char in value.chars() {
        match char {
            '"' | '\\' => {
                text.push('\\');
                text.push(char);
            }
            '\0'..='\x1f' => {
                let _ = write!(text, "\\u{:04x}", u32::from(char));
            }
            _ => text.push(char),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests;
