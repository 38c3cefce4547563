//! Plain scalars as kubectl reads them: YAML 1.1, in which `off`, `no` and `n` are booleans (`goyaml.v2/resolve.go` of
//! sigs.k8s.io/yaml). Envoy's yaml-cpp takes the same words for booleans.

use serde_json::{Number, Value};

const TRUE: [&str; 11] = ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"];
const FALSE: [&str; 11] = ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"];
const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];

/// The value of a plain scalar. What JSON has no number for, such as `.nan`, stays a text.
pub(super) fn plain(text: &str) -> Value {
    if TRUE.contains(&text) {
        return Value::Bool(true);
    }
    if FALSE.contains(&text) {
        return Value::Bool(false);
    }
    if NULL.contains(&text) {
        return Value::Null;
    }
    match text.as_bytes() {
        [b'0'..=b'9' | b'+' | b'-' | b'.', ..] => number(text).map_or_else(|| text.into(), Value::Number),
        _ => text.into(),
    }
}

/// A mapping key, which JSON has as a text: a boolean or a number is written as JSON writes it.
pub(super) fn key(text: &str) -> String {
    match plain(text) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.replace('_', "");
    if let Some(whole) = whole(&digits) {
        return Some(whole);
    }
    let (sign, rest) = sign(&digits);
    let is_decimal = rest.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let begins = rest.strip_prefix('.').unwrap_or(rest).starts_with(|first: char| first.is_ascii_digit());
    if !is_decimal || !begins {
        return None;
    }
    let value: f64 = rest.parse().ok()?;
    Number::from_f64(if sign == "-" { -value } else { value })
}

fn sign(text: &str) -> (&str, &str) {
    ["-", "+"].into_iter().find_map(|sign| Some((sign, text.strip_prefix(sign)?))).unwrap_or(("", text))
}

/// A whole number of 64 bits: decimal, or with the prefix of another base as in Go (`0x`, `0b`, `0o`, or `0` alone).
fn whole(text: &str) -> Option<Number> {
    let (sign, rest) = sign(text);
    let (digits, base) = match rest.as_bytes() {
        [b'0', b'x' | b'X', ..] => (rest.get(2..)?, 16),
        [b'0', b'b' | b'B', ..] => (rest.get(2..)?, 2),
        [b'0', b'o' | b'O', ..] => (rest.get(2..)?, 8),
        [b'0', _, ..] => (rest.get(1..)?, 8),
        _ => (rest, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    if sign == "-" {
        return Some(i64::from_str_radix(&format!("-{digits}"), base).ok()?.into());
    }
    Some(u64::from_str_radix(digits, base).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::{key, plain};
    use serde_json::{Value, json};
    use weir_testing::Rows;

    #[test]
    fn plain_scalars_are_what_kubectl_makes_of_them() {
        let mut rows = Rows::default();
        for (text, value) in [
            ("off", json!(false)),
            ("No", json!(false)),
            ("n", json!(false)),
            ("on", json!(true)),
            ("yES", json!("yES")),
            ("", Value::Null),
            ("~", Value::Null),
            ("nULL", json!("nULL")),
            ("12", json!(12)),
            ("-12", json!(-12)),
            ("+12", json!(12)),
            ("1_000", json!(1000)),
            ("0x1F", json!(31)),
            ("010", json!(8)),
            ("0o17", json!(15)),
            ("0b101", json!(5)),
            ("-0b101", json!(-5)),
            ("08", json!(8.0)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            ("-.5", json!(-0.5)),
            ("1e3", json!(1000.0)),
            (".nan", json!(".nan")),
            (".inf", json!(".inf")),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.0/8", json!("10.0.0.0/8")),
            ("2001-12-14", json!("2001-12-14")),
            ("12s", json!("12s")),
            ("-", json!("-")),
            ("--1", json!("--1")),
            ("0x", json!("0x")),
            ("/a", json!("/a")),
            ("*", json!("*")),
        ] {
            rows.check(text, plain(text), value);
        }
    }

    #[test]
    fn keys_are_texts() {
        let mut rows = Rows::default();
        for (text, name) in [("on", "true"), ("012", "10"), ("a", "a"), ("~", "null"), ("1.0", "1.0")] {
            rows.check(text, key(text), name.to_owned());
        }
    }
}
